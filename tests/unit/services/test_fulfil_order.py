"""What a worker makes of an order: nothing of a row that nobody signed so, nothing late, nothing twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from certuary.core.certificate_order import ORDER_LIFETIME, CertificateOrder
from certuary.core.subject_rule import SubjectRule
from certuary.services.entitlement import Actor
from certuary.services.fulfil_order import FulfilDeps, fulfil_order, unreadable_item
from certuary.services.order_certificate import CertificateWanted, _make_request, _sign
from certuary.services.ports import APPLICATION_SOURCE, BatchItem, SignedOrder, UnreadableOrder
from certuary.services.snapshot import Snapshot
from tests.memory_records import MemoryRecords
from tests.unit.core.issuing import SERIAL, signing_key
from tests.unit.services.builders import NOW, application, snapshot
from tests.unit.services.change_fixtures import ADMIN_1, AUDITOR_1, OFFICER_1, ROOT_USER, installation
from tests.unit.services.enrolling import active
from tests.unit.services.enrolling import deps as enrol_deps
from tests.unit.services.sealing import new_sealing, put_user, sealing_of, trust

ELSEWHERE = Actor(name="admin-2", role="administrator", group_ids=frozenset({2}))
WANTED = CertificateWanted(application="plant", profile="minimal", common_name="plant")


class Scene:
    """An installation whose people exist, and orders that any of them signs."""

    def __init__(self) -> None:
        self.records, changes = installation()
        for actor in (ROOT_USER, ADMIN_1, OFFICER_1, AUDITOR_1, ELSEWHERE):
            put_user(self.records, changes, actor)
        self.deps = FulfilDeps(
            trust=trust(),
            records=self.records,
            high_water=sealing_of(changes).high_water,
            enrol=enrol_deps(),
        )

    def signed(self, actor: Actor = ROOT_USER, **changes: Any) -> SignedOrder:
        values: dict[str, Any] = {
            "id": "0" * 32,
            "application_id": 1,
            "profile_version_id": 101,
            "csr_der": _make_request(WANTED, signing_key("device")),
            "request_id": "request-1",
            "address": "192.0.2.7",
            "ordered_at": NOW,
            "expires_at": NOW + ORDER_LIFETIME,
        }
        return _sign(CertificateOrder(**values | changes), new_sealing(actor))

    def fulfil(
        self, signed: SignedOrder, seen: Snapshot | None = None, *, after: timedelta = timedelta(seconds=1)
    ) -> BatchItem:
        where = seen or snapshot(application(), profiles={1: active()})
        return fulfil_order(signed, where, now=NOW + after, serial=SERIAL, deps=self.deps)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def text_of(item: BatchItem) -> str:
    return str(json.loads(item.audit.detail)["text"])


def refused(item: BatchItem) -> str:
    """The rule; nothing was issued, and one event says so."""
    assert item.certificate is None
    assert item.audit.kind == "certificate.order-refused"
    assert item.order is not None
    return item.order.reason


@pytest.mark.parametrize("actor", [ROOT_USER, ADMIN_1])
def test_an_order_of_somebody_entitled_becomes_a_marked_application_certificate(
    scene: Scene, actor: Actor
) -> None:
    item = scene.fulfil(scene.signed(actor))
    assert item.certificate is not None
    assert item.certificate.source == APPLICATION_SOURCE
    assert item.certificate.subject == "CN=plant"
    scene.deps.enrol.marker.check_certificate(item.certificate)
    assert item.order is not None
    assert (item.order.order_id, item.order.serial) == ("0" * 32, SERIAL)
    assert (item.audit.kind, item.audit.actor) == ("certificate.issued", actor.name)
    assert item.enrolment is not None
    assert item.enrolment.outcome == "issued"


ALTERATIONS: dict[str, Callable[[SignedOrder], SignedOrder]] = {
    "no signature": lambda one: replace(one, seal=""),
    "another request": lambda one: replace(
        one, order=replace(one.order, csr_der=one.order.csr_der[:-1] + b"0")
    ),
    "another application": lambda one: replace(one, order=replace(one.order, application_id=2)),
    "another profile": lambda one: replace(one, order=replace(one.order, profile_version_id=102)),
    "a later end": lambda one: replace(
        one, order=replace(one.order, expires_at=one.order.expires_at + ORDER_LIFETIME)
    ),
    "another number": lambda one: replace(one, order=replace(one.order, id="1" * 32)),
    "a number beyond all": lambda one: replace(one, order=replace(one.order, application_id=2**60)),
    "another signer's name": lambda one: replace(one, seal=one.seal.replace("root-user", "admin-1")),
    "a higher role": lambda one: replace(one, seal=one.seal.replace('"ca-administrator"', '"auditor"')),
}


@pytest.mark.parametrize("alter", ALTERATIONS.values(), ids=ALTERATIONS.keys())
def test_an_altered_or_forged_order_issues_nothing_and_its_words_are_not_repeated(
    scene: Scene, alter: Callable[[SignedOrder], SignedOrder]
) -> None:
    item = scene.fulfil(alter(scene.signed()))
    refused(item)
    assert item.enrolment is None
    assert (item.audit.actor_kind, item.audit.request_id) == ("stranger", "")


@pytest.mark.parametrize("actor", [OFFICER_1, AUDITOR_1, ELSEWHERE], ids=lambda actor: actor.name)
def test_a_signature_of_somebody_who_may_not_change_the_application_orders_nothing(
    scene: Scene, actor: Actor
) -> None:
    assert refused(scene.fulfil(scene.signed(actor))) == "not-permitted"


def test_a_signer_who_was_disabled_or_unknown_orders_nothing(scene: Scene) -> None:
    gone = Actor(name="nobody", role="ca-administrator")
    assert "no user who may sign now" in text_of(scene.fulfil(scene.signed(gone)))
    records, changes = installation()
    put_user(records, changes, ROOT_USER, enabled=False)
    scene.deps = replace(scene.deps, records=records, high_water=sealing_of(changes).high_water)
    assert "no user who may sign now" in text_of(scene.fulfil(scene.signed()))


def test_nothing_is_issued_once_an_order_has_expired(scene: Scene) -> None:
    just_in_time = ORDER_LIFETIME - timedelta(microseconds=1)
    assert scene.fulfil(scene.signed(), after=just_in_time).certificate is not None
    assert refused(scene.fulfil(scene.signed(), after=ORDER_LIFETIME)) == "order-expired"


def test_a_key_that_was_certified_fulfils_no_second_order(scene: Scene) -> None:
    first = scene.fulfil(scene.signed())
    assert first.certificate is not None
    scene.deps = replace(scene.deps, enrol=enrol_deps(first.certificate))
    assert refused(scene.fulfil(scene.signed())) == "key-reused"


@pytest.mark.parametrize(
    ("seen", "rule"),
    [
        (snapshot(profiles={1: active()}), "order-refused"),
        (snapshot(application(enabled=False), profiles={1: active()}), "not-permitted"),
        (snapshot(application(expires_at=NOW), profiles={1: active()}), "not-permitted"),
        (snapshot(application(), profiles={}), "profile-changed"),
        (
            snapshot(application(subject_rule=SubjectRule.parse("CN=dev-*")), profiles={1: active()}),
            "subject-refused",
        ),
    ],
    ids=["no application", "disabled", "expired", "profile changed", "subject rule"],
)
def test_what_is_believed_now_decides(scene: Scene, seen: Snapshot, rule: str) -> None:
    assert refused(scene.fulfil(scene.signed(), seen)) == rule


def test_a_row_that_cannot_be_read_is_told_of_once_and_issues_nothing() -> None:
    item = unreadable_item(UnreadableOrder(name="7"), NOW)
    assert (item.certificate, item.order) == (None, None)
    assert (item.audit.kind, item.audit.target) == ("certificate.order-refused", "order:7")


def test_the_records_stay_as_they_are(scene: Scene) -> None:
    records: MemoryRecords = scene.records
    before = len(records.audit)
    scene.fulfil(scene.signed())
    assert len(records.audit) == before
