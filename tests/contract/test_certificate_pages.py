"""Certificates and events as people search them: pages in both directions, on both databases."""

from __future__ import annotations

import hashlib
import itertools
import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from certuary.core.values import serial_to_text
from certuary.services.ports import CertificateRow
from certuary.store import audit_pages, certificate_pages
from certuary.store.audit_pages import AuditSearch, Reach, all_found, search_events
from certuary.store.certificate_history import enrolment_of, events_of
from certuary.store.certificate_pages import CertificateSearch, find_by_fingerprint, search_certificates
from certuary.store.models import Application, AuditEvent, Enrolment, Group, Profile, ProfileVersion
from certuary.store.records import DjangoRecordStore
from tests.contract.rows import NOW, application_values, certificate_row
from tests.memory_records import MARKER

pytestmark = pytest.mark.usefixtures("database_url")

DAY = timedelta(days=1)
_numbers = itertools.count()


def store(count: int = 1, **changes: Any) -> list[CertificateRow]:
    rows = [certificate_row(**changes) for _ in range(count)]
    with DjangoRecordStore().transaction() as transaction:
        for row in rows:
            transaction.add_certificate(row)
    return rows


def revoke(row: CertificateRow) -> None:
    with DjangoRecordStore().transaction() as transaction:
        transaction.revoke_certificate(
            row.authority_id, row.serial, at=NOW, reason="superseded", marker=MARKER
        )


def search(**wanted: Any) -> CertificateSearch:
    return CertificateSearch(now=NOW, **wanted)


def walk(wanted: CertificateSearch, limit: int = 3) -> list[int]:
    """Every serial number, page by page to the end."""
    found: list[int] = []
    page = search_certificates(wanted, limit=limit)
    while True:
        found += [row.serial for row in page.certificates]
        if page.older is None:
            return found
        page = search_certificates(wanted, after=page.older, limit=limit)


@pytest.fixture
def two_applications() -> tuple[int, int]:
    group = Group.objects.create(revision=1, created_at=NOW, code="GRP_001", name="Plant")
    numbers = [
        Application.objects.create(
            revision=1,
            created_at=NOW,
            name=name,
            username=name,
            group=group,
            networks=[],
            profile_ids=[],
            labels=[],
            enabled=True,
        ).pk
        for name in ("one", "two")
    ]
    return numbers[0], numbers[1]


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"subject_prefix": "cn=dev"},
        {"expiring_from": NOW, "expiring_before": NOW + 100 * DAY},
        {"status": "valid"},
    ],
    ids=["newest first", "by subject", "by expiry", "valid"],
)
def test_pages_forward_and_back_show_each_row_once_while_rows_are_added(wanted: dict[str, Any]) -> None:
    for day in range(10):
        store(not_after=NOW + (10 + day) * DAY, subject_key=f"cn=dev-{day}")
    before = walk(search(**wanted))
    first = search_certificates(search(**wanted), limit=3)
    second = search_certificates(search(**wanted), after=first.older, limit=3)
    store(3, not_after=NOW + 5 * DAY, subject_key="cn=dev")
    again = search_certificates(search(**wanted), after=first.older, limit=3)
    assert again.certificates == second.certificates
    back = search_certificates(search(**wanted), before=second.newer, limit=3)
    assert [row.serial for row in back.certificates] == before[:3]
    assert back.older == first.older
    assert back.newer is not None
    assert len(before) == len(set(before)) == 10


def test_revoked_ones_come_by_their_revocation_the_last_one_first() -> None:
    rows = store(5)
    for row in (rows[3], rows[0], rows[4]):
        revoke(row)
    assert walk(search(status="revoked"), limit=2) == [rows[4].serial, rows[0].serial, rows[3].serial]


def test_expired_ones_are_neither_valid_nor_revoked() -> None:
    (old,) = store(not_before=NOW - 9 * DAY, not_after=NOW - DAY)
    revoked = store(not_before=NOW - 9 * DAY, not_after=NOW - DAY)[0]
    revoke(revoked)
    (young,) = store()
    assert walk(search(status="expired")) == [old.serial]
    assert walk(search(status="valid")) == [young.serial]


def test_several_applications_come_as_one_list_and_others_not_at_all(
    two_applications: tuple[int, int],
) -> None:
    one, two = two_applications
    expected: list[int] = []
    for application_id in (one, two, two, 99, one, 99, two, two):
        (row,) = store(application_id=application_id)
        if application_id != 99:
            expected.insert(0, row.serial)
    assert walk(search(application_ids=(one, two)), limit=2) == expected
    assert walk(search(application_ids=(one, two), status="valid"), limit=2) == expected
    assert walk(search(application_ids=())) == []


def test_a_profile_is_found_by_all_of_its_versions() -> None:
    profile = Profile.objects.create(revision=1, created_at=NOW, name="p", current_version=2)
    versions = [
        ProfileVersion.objects.create(profile=profile, number=n, toml="", created_at=NOW, created_by="a").pk
        for n in (1, 2)
    ]
    first = store(profile_version_id=versions[0])[0]
    store(profile_version_id=versions[1] + 1)
    second = store(profile_version_id=versions[1])[0]
    assert walk(search(profile_version_ids=tuple(versions))) == [second.serial, first.serial]


@pytest.mark.parametrize("typed", ["100%_of!it", "back\\slash", 'quo"te', "apo'strophe", "zoë"])
def test_a_name_with_characters_of_patterns_is_found_as_it_is(typed: str) -> None:
    (row,) = store(alternative_names=json.dumps([f"URI:urn:{typed}"], separators=(",", ":")))
    store(alternative_names='["URI:urn:100xxof!it"]')
    assert walk(search(alternative_name=typed)) == [row.serial]


def test_a_search_without_an_index_stops_says_so_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificate_pages, "LOOKED_AT", 4)
    (wanted,) = store(alternative_names='["DNS:seldom.example"]')
    store(10)
    first = search_certificates(search(alternative_name="seldom"))
    assert first.stopped
    assert first.certificates == ()
    assert walk(search(alternative_name="seldom")) == [wanted.serial]


@pytest.mark.parametrize(
    "wanted", [{"subject_prefix": "cn=dev"}, {"expiring_from": NOW}], ids=["subject", "expiry"]
)
def test_of_applications_that_have_few_certificates_all_are_looked_at_wherever_they_lie(
    wanted: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificate_pages, "LOOKED_AT", 4)
    early = store(2, application_id=7, subject_key="cn=device-1", not_after=NOW + 80 * DAY)
    store(10, application_id=8, subject_key="cn=device-2", not_after=NOW + 81 * DAY)
    late = store(2, application_id=7, subject_key="cn=device-3", not_after=NOW + 82 * DAY)
    page = search_certificates(search(application_ids=(7,), **wanted), limit=3)
    assert [row.serial for row in page.certificates] == [row.serial for row in (*early, late[0])]
    assert not page.stopped
    assert walk(search(application_ids=(7,), **wanted)) == [row.serial for row in (*early, *late)]
    assert walk(search(application_ids=(9,), **wanted)) == []


def test_a_fingerprint_is_of_the_key_or_of_the_certificate() -> None:
    (row,) = store(key_hash="cd" * 32, der=b"\x30\x00one", application_id=7)
    of_der = hashlib.sha256(row.der).hexdigest()
    for fingerprint in (row.key_hash, of_der):
        assert [one.serial for one in find_by_fingerprint(fingerprint, None).certificates] == [row.serial]
        assert find_by_fingerprint(fingerprint, (8,)).certificates == ()


def add_events(count: int, **changes: Any) -> None:
    values: dict[str, Any] = {
        "at": NOW,
        "kind": "enrolment.issued",
        "actor_kind": "application",
        "actor": "one",
        "target": "certificate:1",
        "request_id": "r",
        "address": "",
        "detail": "{}",
    }
    for _ in range(count):
        AuditEvent.objects.create(**{"stream": "s", "seq": next(_numbers), **values, **changes})


def test_events_go_forward_and_back_and_times_are_found_by_number() -> None:
    for minute in range(30):
        add_events(1, at=NOW + timedelta(minutes=minute), target=f"t{minute}")
    wanted = AuditSearch(since=NOW + timedelta(minutes=10), until=NOW + timedelta(minutes=20))
    first = search_events(wanted, limit=4)
    assert [stored.event.target for stored in first.events] == ["t19", "t18", "t17", "t16"]
    second = search_events(wanted, before=first.older, limit=4)
    back = search_events(wanted, after=second.newer, limit=4)
    assert back.events == first.events
    targets = [stored.event.target for part in all_found(wanted) for stored in part]
    assert targets == [f"t{minute}" for minute in range(19, 9, -1)]


def test_a_seldom_event_is_found_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_pages, "LOOKED_AT", 5)
    add_events(1, kind="seal.broken")
    add_events(20)
    page = search_events(AuditSearch(kind="seal"))
    assert page.stopped
    assert sum(len(part) for part in all_found(AuditSearch(kind="seal"))) == 1


def add_application(name: str, group_code: str, *, since: datetime, until: datetime | None = None) -> int:
    group, _ = Group.objects.get_or_create(
        code=group_code, defaults={"name": group_code, "revision": 1, "created_at": NOW}
    )
    values = application_values(name, username=f"{name}-{group_code}") | {"group_id": group.pk}
    row = Application.objects.create(**values, revision=1, created_at=since, removed_at=until)
    return int(row.pk)


def test_a_name_that_was_given_again_reaches_the_events_of_its_own_time() -> None:
    add_application("gate", "GRP_008", since=NOW - 9 * DAY, until=NOW - 5 * DAY)
    ours = add_application("gate", "GRP_009", since=NOW - 4 * DAY)
    for at, target in ((NOW - 6 * DAY, "theirs"), (NOW - 3 * DAY, "ours")):
        add_events(1, actor="gate", at=at, target=target)
        add_events(1, actor_kind="user", actor=f"of {target}", at=at, target="application:gate")
    reach = Reach(user="olga", application_names=("gate",), application_ids=(ours,))
    found = [stored.event for stored in search_events(AuditSearch(reach=reach)).events]
    assert {(event.actor, event.target) for event in found} == {
        ("gate", "ours"),
        ("of ours", "application:gate"),
    }


def test_a_reach_holds_ones_own_acts_and_ones_applications() -> None:
    ours = add_application("one", "GRP_009", since=NOW - DAY)
    (mine,) = store(application_id=ours)
    (other,) = store(application_id=ours + 1)
    add_events(1, actor="one", target="a")
    add_events(1, actor="two", target="b")
    add_events(1, actor_kind="user", actor="olga", target="c")
    add_events(1, actor_kind="user", actor="one", target="d")
    add_events(1, actor_kind="user", actor="x", target="application:one")
    for row in (mine, other):
        serial = serial_to_text(row.serial)
        add_events(1, kind="certificate.revoked", actor_kind="user", actor="x", target=serial)
    reach = Reach(user="olga", application_names=("one",), application_ids=(ours,))
    found = {stored.event.target for stored in search_events(AuditSearch(reach=reach)).events}
    assert found == {"a", "c", "application:one", serial_to_text(mine.serial)}


def test_the_request_and_the_events_of_a_certificate_are_found_among_others() -> None:
    for second in range(-20, 20):
        moment = NOW + timedelta(seconds=10 * second)
        Enrolment.objects.create(
            request_id=f"r{second}",
            at=moment,
            operation="simpleenroll",
            outcome="issued",
            reason="",
            application_id=1,
            label="",
            address="192.0.2.1",
            serial="00" if second else "ab".zfill(36),
        )
        add_events(1, at=moment, request_id=f"r{second}", target=f"t{second}")
    (row,) = store(serial=0xAB, issued_at=NOW)
    enrolment = enrolment_of(row)
    assert enrolment is not None
    assert enrolment.request_id == "r0"
    assert [stored.event.target for stored in events_of(row, "r0")] == ["t0"]
