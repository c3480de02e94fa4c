from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from certuary.core import crl
from certuary.core.mark import Marker
from certuary.errors import AlreadyRevoked, InvalidMark, InvalidValue, NotFound
from certuary.services.ports import AuditRow, CertificateRow, RecordStore, RecordTransaction
from certuary.services.revoke import REASONS, Revocation, parse_reason, revoke
from tests.memory_records import MARKER

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


class FixedClock:
    def now(self) -> datetime:
        return NOW


class OneCertificate:
    """A record store that holds one certificate; what a transaction wrote counts only when it ended well."""

    def __init__(self, row: CertificateRow) -> None:
        self.row = row
        self.audit: list[AuditRow] = []

    @contextmanager
    def transaction(self) -> Iterator[RecordTransaction]:
        before, events = self.row, list(self.audit)
        try:
            yield cast(RecordTransaction, self)
        except BaseException:
            self.row, self.audit = before, events
            raise

    def revoke_certificate(
        self, authority_id: int, serial: int, *, at: datetime, reason: str, marker: Marker
    ) -> CertificateRow:
        if (authority_id, serial) != (self.row.authority_id, self.row.serial):
            raise NotFound("no such certificate")
        marker.check_certificate(self.row)
        if self.row.revoked_at is not None:
            raise AlreadyRevoked("it is")
        self.row = replace(
            self.row, revoked_at=at, revocation_reason=reason, revoked_revision=5, marker=marker
        )
        return self.row

    def add_audit(self, row: AuditRow) -> None:
        self.audit.append(row)


def _row() -> CertificateRow:
    return CertificateRow(
        authority_id=2,
        serial=0xABC,
        profile_version_id=1,
        application_id=1,
        subject="CN=dev-1",
        subject_key="cn=dev-1",
        alternative_names="[]",
        key_hash="00",
        not_before=NOW,
        not_after=NOW,
        der=b"",
        source="est",
        replaces=None,
        issued_at=NOW,
        marker=MARKER,
    )


def _revocation(**changes: Any) -> Revocation:
    values: dict[str, Any] = {
        "authority_id": 2,
        "serial": 0xABC,
        "reason": "keyCompromise",
        "actor_kind": "user",
        "actor": "eva",
    }
    return Revocation(**(values | changes))


def test_revoke_writes_the_revocation_and_its_audit_event() -> None:
    store = OneCertificate(_row())
    revoked = revoke(_revocation(request_id="r1"), cast(RecordStore, store), FixedClock(), MARKER)
    assert (revoked.revoked_at, revoked.revocation_reason) == (NOW, "keyCompromise")
    (event,) = store.audit
    assert (event.kind, event.actor, event.request_id) == ("certificate.revoked", "eva", "r1")
    assert event.target == f"{0xABC:036x}"
    assert json.loads(event.detail) == {"authority_id": 2, "reason": "keyCompromise", "subject": "CN=dev-1"}


@pytest.mark.parametrize(("serial", "error"), [(0xABC, AlreadyRevoked), (1, NotFound)])
def test_a_refused_revocation_leaves_no_audit_event(serial: int, error: type[Exception]) -> None:
    store = OneCertificate(replace(_row(), revoked_at=NOW, revocation_reason="superseded", marker=MARKER))
    with pytest.raises(error):
        revoke(_revocation(serial=serial), cast(RecordStore, store), FixedClock(), MARKER)
    assert store.audit == []
    assert store.row.revocation_reason == "superseded"


def test_a_failing_audit_event_undoes_the_revocation() -> None:
    store = OneCertificate(_row())

    def fail(row: AuditRow) -> None:
        raise NotFound("no room")

    store.add_audit = fail  # type: ignore[method-assign]  # the fault under test
    with pytest.raises(NotFound):
        revoke(_revocation(), cast(RecordStore, store), FixedClock(), MARKER)
    assert store.row.revoked_at is None


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("keyCompromise", "keyCompromise"),
        ("key-compromise", "keyCompromise"),
        ("KEY_COMPROMISE", "keyCompromise"),
        ("cessation of operation", "cessationOfOperation"),
        ("unspecified", "unspecified"),
    ],
)
def test_a_reason_is_read_as_people_type_it(typed: str, reason: str) -> None:
    assert parse_reason(typed) == reason


@pytest.mark.parametrize("typed", ["certificateHold", "removeFromCRL", "", "lost", "7"])
def test_what_is_no_reason_is_refused_with_the_known_ones(typed: str) -> None:
    with pytest.raises(InvalidValue, match="superseded"):
        parse_reason(typed)


def test_the_nearest_reason_is_named() -> None:
    with pytest.raises(InvalidValue, match="did you mean 'superseded'"):
        parse_reason("supersede")


def test_a_revocation_with_another_reason_cannot_exist() -> None:
    with pytest.raises(InvalidValue):
        _revocation(reason="certificateHold")


def test_every_reason_has_a_code_on_the_crl() -> None:
    assert set(REASONS) <= set(crl.REASONS)
    assert len(REASONS) == 8


def test_a_record_that_was_altered_is_not_given_a_fresh_mark() -> None:
    store = OneCertificate(replace(_row(), application_id=2))
    with pytest.raises(InvalidMark, match="seal verify"):
        revoke(_revocation(), cast(RecordStore, store), FixedClock(), MARKER)
    assert store.row.revoked_at is None
    assert store.audit == []


def test_a_revoked_record_holds_its_mark() -> None:
    store = OneCertificate(_row())
    revoke(_revocation(), cast(RecordStore, store), FixedClock(), MARKER)
    MARKER.check_certificate(store.row)
