"""The contract of `CrlStore` on both databases."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext

from certuary.core.values import serial_to_text
from certuary.errors import AlreadyExists, DatabaseDown
from certuary.services.ports import CrlRow
from certuary.store.audit import list_events
from certuary.store.crls import KEPT, DjangoCrlStore
from certuary.store.database import time_parameter
from certuary.store.event_stream import EventStream
from certuary.store.models import Crl
from certuary.store.records import DjangoRecordStore
from tests.contract.rows import NOW, audit_row, certificate_row, new_chain
from tests.memory_records import MARKER

pytestmark = pytest.mark.usefixtures("database_url")


@pytest.fixture
def crls() -> DjangoCrlStore:
    return DjangoCrlStore(EventStream(new_chain))


@pytest.fixture
def authority() -> int:
    values = {
        "name": "issuing", "kind": "issuing", "issuer_id": None, "key_name": "issuing", "key_type": "ec-p256",
        "subject": "CN=Issuing", "serial": "01", "certificate_der": b"\x00", "not_before": NOW,
        "not_after": NOW, "crl_lifetime_seconds": 60,
    }  # fmt: skip
    with DjangoRecordStore().transaction() as change:
        created = change.create("authority", values)
    assert isinstance(created.id, int)
    return created.id


def crl_row(authority: int, number: int = 1, **changes: Any) -> CrlRow:
    values: dict[str, Any] = {
        "authority_id": authority,
        "number": number,
        "covers_revision": 4,
        "this_update": NOW,
        "next_update": NOW + timedelta(hours=1),
        "der": b"\x30\x00\xff",
    }
    return CrlRow(**(values | changes))


def revoked_certificate(authority: int, *, reason: str = "superseded", **changes: Any) -> int:
    row = certificate_row(authority_id=authority, **changes)
    with DjangoRecordStore().transaction() as change:
        change.add_certificate(row)
        change.revoke_certificate(authority, row.serial, at=NOW, reason=reason, marker=MARKER)
    return row.serial


def serials(crls: DjangoCrlStore, authority: int, **since: Any) -> list[int]:
    moment = NOW + timedelta(**since)
    return list(crls.revoked_serials(authority, since=moment))


def test_a_stored_crl_is_read_as_it_was(crls: DjangoCrlStore, authority: int) -> None:
    row = crl_row(authority)
    crls.add(row, audit_row(kind="crl.published"))
    assert crls.latest(authority) == row
    assert crls.latest_number(authority) == 1
    assert list_events()[0].event.kind == "crl.published"


def test_the_latest_is_the_one_with_the_highest_number(crls: DjangoCrlStore, authority: int) -> None:
    for number in (2, 10, 9):
        crls.add(crl_row(authority, number), audit_row())
    newest = crls.latest(authority)
    assert newest is not None
    assert newest.number == crls.latest_number(authority) == 10


def test_an_authority_without_a_crl_has_none(crls: DjangoCrlStore, authority: int) -> None:
    crls.add(crl_row(authority), audit_row())
    assert crls.latest(authority + 1) is None
    assert crls.latest_number(authority + 1) is None


def test_a_number_is_stored_once_and_the_refused_one_leaves_no_event(
    crls: DjangoCrlStore, authority: int
) -> None:
    crls.add(crl_row(authority), audit_row(kind="crl.published"))
    with pytest.raises(AlreadyExists):
        crls.add(crl_row(authority, der=b"other"), audit_row(kind="crl.second"))
    kept = crls.latest(authority)
    assert kept is not None
    assert kept.der == b"\x30\x00\xff"
    assert "crl.second" not in [one.event.kind for one in list_events()]


def test_old_crls_go(crls: DjangoCrlStore, authority: int) -> None:
    for number in range(1, KEPT + 4):
        crls.add(crl_row(authority, number), audit_row())
    assert Crl.objects.count() == KEPT
    assert Crl.objects.order_by("number").values_list("number", flat=True)[0] == 4


def test_the_revision_rises_with_a_revocation_and_tells_it_from_other_changes(
    crls: DjangoCrlStore, authority: int
) -> None:
    before = crls.current_revision()
    with DjangoRecordStore().transaction() as change:
        change.create("group", {"code": "GRP_002", "name": "x"})
    between = crls.current_revision()
    assert not crls.has_revocation_after(authority, before)
    revoked_certificate(authority)
    assert crls.current_revision() > between > before
    assert crls.has_revocation_after(authority, between)
    assert not crls.has_revocation_after(authority, crls.current_revision())
    assert not crls.has_revocation_after(authority + 1, between)


def test_the_revoked_come_in_order_and_whole_when_asked_for(crls: DjangoCrlStore, authority: int) -> None:
    first = revoked_certificate(authority, reason="keyCompromise")
    second = revoked_certificate(authority)
    revoked_certificate(authority + 1)
    with DjangoRecordStore().transaction() as change:
        change.add_certificate(certificate_row(authority_id=authority))
    assert serials(crls, authority) == [first, second]
    rows = {row.serial: row for row in crls.certificates(authority, [first, second, second + 1])}
    assert {serial: row.revocation_reason for serial, row in rows.items()} == {
        first: "keyCompromise",
        second: "superseded",
    }
    assert rows[first].revoked_at == NOW


def test_what_expired_before_the_moment_is_left_out_unless_it_was_revoked_since(
    crls: DjangoCrlStore, authority: int
) -> None:
    expired = revoked_certificate(authority, not_after=NOW + timedelta(days=1))
    valid = revoked_certificate(authority, not_after=NOW + timedelta(days=9))
    assert serials(crls, authority, days=1) == [expired, valid]
    assert serials(crls, authority, days=1, seconds=1) == [valid]
    late = revoked_certificate(authority, not_after=NOW - timedelta(days=9))
    assert late in serials(crls, authority, seconds=0)
    assert late not in serials(crls, authority, seconds=1)


def test_more_entries_than_one_chunk_come_whole(crls: DjangoCrlStore, authority: int) -> None:
    add_certificates(authority, 4100, revoked=True)
    assert sorted(serials(crls, authority)) == list(range(1, 4101))


def test_revocations_are_found_without_reading_the_whole_table(crls: DjangoCrlStore, authority: int) -> None:
    add_certificates(authority, 20_000, revoked=False)
    revoked_certificate(authority)
    if connection.vendor == "postgresql":  # whose autovacuum counts rows; SQLite plans without having counted
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
    with CaptureQueriesContext(connection) as captured:
        crls.has_revocation_after(authority, 0)
        crls.revocations_seen()
        list(crls.revoked_serials(authority, since=NOW))
    plans = [_plan(query["sql"]) for query in captured.captured_queries if "certificates" in query["sql"]]
    assert len(plans) >= 3
    assert all("certificates_revocations" in plan for plan in plans)


def add_certificates(authority: int, count: int, *, revoked: bool) -> None:
    """Many at once, with serials from 1."""
    moment: Any = time_parameter(NOW)
    revocation = (moment, "superseded", 9) if revoked else (None, None, None)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO certificates (authority_id, serial, subject, subject_key, alternative_names, key_hash,"
            " not_before, not_after, der, source, issued_at, revoked_at, revocation_reason, revoked_revision)"
            " VALUES (%s, %s, '', 'cn=x', '', '', %s, %s, %s, 'est', %s, %s, %s, %s)",
            [
                (authority, serial_to_text(number), moment, moment, b"", moment, *revocation)
                for number in range(1, count + 1)
            ],
        )


def _plan(statement: str) -> str:
    """What the database would do; of a cursor's declaration, its query."""
    query = statement[statement.index("SELECT") :]
    explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
    with connection.cursor() as cursor:
        cursor.execute(f"{explain} {query}")
        return str(cursor.fetchall())


def test_two_publishers_of_one_number_end_with_one_crl(authority: int) -> None:
    outcomes: list[str] = []
    together = threading.Barrier(2)

    def publish(der: bytes) -> None:
        node = DjangoCrlStore(EventStream(lambda: new_chain(f"stream-{der.decode()}")))
        together.wait()
        try:
            node.add(crl_row(authority, der=der), audit_row())
            outcomes.append("stored")
        except AlreadyExists:
            outcomes.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=publish, args=(der,)) for der in (b"a", b"b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused", "stored"]


def test_a_database_that_is_gone_is_said_to_be(
    crls: DjangoCrlStore, authority: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **named: object) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(connection, "cursor", fail)
    monkeypatch.setattr(connection, "chunked_cursor", fail)
    with pytest.raises(DatabaseDown):
        crls.current_revision()
    with pytest.raises(DatabaseDown):
        list(crls.revoked_serials(authority, since=NOW))
