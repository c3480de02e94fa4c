from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from certuary.core.certificate import build_root, sign_plan
from certuary.errors import ClockUnsafe
from certuary.services.ports import CrlRow, Record
from certuary.services.publish_crl import CrlDeps, CrlIssuer, is_due, publish_crl
from tests.memory_records import MARKER, MemoryCrls, revoked_certificate

NOW = datetime(2026, 11, 23, 12, 0, 0, 250_000, tzinfo=UTC)
LIFETIME = timedelta(hours=24)
KEY = ec.generate_private_key(ec.SECP256R1())
CERTIFICATE = sign_plan(
    build_root(KEY.public_key(), organization="Acme", serial=1, now=NOW - timedelta(days=30)), KEY
).certificate
ISSUER = CrlIssuer(id=2, name="issuing", certificate=CERTIFICATE, lifetime=LIFETIME)


class ReadCrls(MemoryCrls):
    """Remembers the order in which it was read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[str] = []

    def current_revision(self) -> int:
        self.reads.append("revision")
        return super().current_revision()

    def revoked_serials(self, authority_id: int, *, since: datetime) -> Iterator[int]:
        self.reads.append("revoked")
        return super().revoked_serials(authority_id, since=since)


class SettableClock:
    def __init__(self, now: datetime) -> None:
        self.moment = now

    def now(self) -> datetime:
        return self.moment


def _setting() -> tuple[ReadCrls, SettableClock, CrlDeps]:
    store, clock = ReadCrls(), SettableClock(NOW)
    return store, clock, CrlDeps(crls=store, clock=clock, marker=MARKER)


def _revoke(store: ReadCrls, serial: int, at: datetime, not_after: datetime) -> None:
    store.certificate_rows.append(revoked_certificate(serial, revoked_at=at, not_after=not_after))


def publish(deps: CrlDeps) -> CrlRow:
    return publish_crl(ISSUER, KEY, deps).crl


def _serials(row: CrlRow) -> set[int]:
    return {entry.serial_number for entry in x509.load_der_x509_crl(row.der)}


def test_the_first_crl_has_number_one_and_verifies_with_the_issuer() -> None:
    store, _, deps = _setting()
    _revoke(store, 7, NOW, NOW + timedelta(days=90))
    row = publish(deps)
    crl = x509.load_der_x509_crl(row.der)
    assert crl.is_signature_valid(KEY.public_key())
    assert crl.issuer == CERTIFICATE.subject
    assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == row.number == 1
    assert _serials(row) == {7}
    assert store.rows == [row]


def test_the_stored_dates_are_those_in_the_crl() -> None:
    _, _, deps = _setting()
    row = publish(deps)
    crl = x509.load_der_x509_crl(row.der)
    assert (row.this_update, row.next_update) == (crl.last_update_utc, crl.next_update_utc)
    assert row.next_update - row.this_update == LIFETIME


def test_publishing_is_audited_in_the_actor_s_name() -> None:
    store, clock, _ = _setting()
    _revoke(store, 7, NOW, NOW + timedelta(days=90))
    publish_crl(
        ISSUER,
        KEY,
        CrlDeps(crls=store, clock=clock, marker=MARKER, actor_kind="user", actor="eva", request_id="r"),
    )
    (event,) = store.audit
    assert (event.kind, event.actor_kind, event.actor, event.target) == (
        "crl.published", "user", "eva", "authority:issuing",
    )  # fmt: skip
    assert json.loads(event.detail) == {
        "number": 1,
        "entries": 1,
        "next_update": store.rows[0].next_update.isoformat(),
    }


def test_numbers_rise_by_one() -> None:
    _, clock, deps = _setting()
    numbers = []
    for _ in range(3):
        clock.moment += timedelta(minutes=1)
        numbers.append(publish(deps).number)
    assert numbers == [1, 2, 3]


def test_the_revision_is_read_before_the_entries() -> None:
    store, _, deps = _setting()
    store.revision = 41
    assert publish(deps).covers_revision == 41
    assert store.reads == ["revision", "revoked"]


def test_an_expired_certificate_is_on_one_crl_beyond_its_expiry_and_then_leaves() -> None:
    store, clock, deps = _setting()
    expiry = NOW + timedelta(hours=6)
    _revoke(store, 7, NOW, expiry)
    published = []
    for _ in range(8):
        published.append(publish(deps))
        clock.moment += LIFETIME / 2
    listed = [row for row in published if 7 in _serials(row)]
    assert listed == published[: len(listed)]
    assert 0 < sum(row.this_update > expiry for row in listed) <= 4
    assert 7 not in _serials(published[-1])


def test_a_crl_made_out_of_turn_does_not_count_as_the_one_beyond_expiry() -> None:
    store, clock, deps = _setting()
    publish(deps)
    _revoke(store, 7, NOW, NOW + timedelta(hours=6))
    clock.moment = NOW + timedelta(hours=6, minutes=1)  # for another certificate's revocation
    publish(deps)
    clock.moment += LIFETIME / 2
    assert _serials(publish(deps)) == {7}


def test_an_expired_certificate_stays_when_no_crl_was_published_since_it_expired() -> None:
    store, clock, deps = _setting()
    publish(deps)
    _revoke(store, 7, NOW + timedelta(hours=1), NOW + timedelta(hours=2))
    clock.moment = NOW + timedelta(days=60)  # the service was down
    assert _serials(publish(deps)) == {7}


def test_a_number_that_another_node_took_gives_back_that_node_s_crl() -> None:
    store, _, deps = _setting()
    first = publish(deps)
    other = publish(deps)
    store.latest_number = lambda authority_id: first.number  # type: ignore[method-assign]  # not yet seen
    assert publish_crl(ISSUER, KEY, deps, believed=first).crl is other
    assert len(store.rows) == 2


def test_a_clock_far_behind_the_last_crl_is_refused() -> None:
    store, clock, deps = _setting()
    publish(deps)
    clock.moment -= timedelta(hours=1)
    with pytest.raises(ClockUnsafe):
        publish(deps)
    assert len(store.rows) == 1


def test_a_clock_set_back_by_seconds_does_not_take_this_update_back() -> None:
    _, clock, deps = _setting()
    first = publish(deps)
    clock.moment -= timedelta(seconds=30)
    assert publish(deps).this_update == first.this_update


def test_a_crl_is_due_when_half_its_lifetime_is_over() -> None:
    _, _, deps = _setting()
    row = publish(deps)
    assert is_due(None, NOW)
    assert not is_due(row, row.this_update + LIFETIME / 2 - timedelta(seconds=1))
    assert is_due(row, row.this_update + LIFETIME / 2)


def test_an_issuer_is_read_from_its_record() -> None:
    der = sign_plan(build_root(KEY.public_key(), organization="A", serial=3, now=NOW), KEY).der
    record = Record(
        kind="authority",
        id=5,
        revision=1,
        values={"name": "x", "certificate_der": der, "crl_lifetime_seconds": 60},
    )
    issuer = CrlIssuer.from_record(record)
    assert (issuer.id, issuer.name, issuer.lifetime) == (5, "x", timedelta(seconds=60))
