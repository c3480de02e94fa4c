"""The contract of `CertificateReader`, and the pages that people read, on both databases."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from django.db import connection

from certuary.services.ports import CertificateRow
from certuary.store.certificates import (
    EVERY_CERTIFICATE,
    CertificateFilter,
    DjangoCertificateReader,
    list_certificates,
)
from certuary.store.records import DjangoRecordStore
from tests.contract.rows import NOW, certificate_row
from tests.memory_records import MARKER

pytestmark = pytest.mark.usefixtures("database_url")

DAY = timedelta(days=1)


@pytest.fixture
def reader() -> DjangoCertificateReader:
    return DjangoCertificateReader()


def store(*rows: CertificateRow) -> None:
    with DjangoRecordStore().transaction() as transaction:
        for row in rows:
            transaction.add_certificate(row)


def revoke(row: CertificateRow) -> None:
    with DjangoRecordStore().transaction() as transaction:
        transaction.revoke_certificate(
            row.authority_id, row.serial, at=NOW, reason="superseded", marker=MARKER
        )


def without_id(row: CertificateRow | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {name: getattr(row, name) for name in CertificateRow.__slots__ if name != "id"}


def serials(rows: Iterable[CertificateRow]) -> list[int]:
    return [row.serial for row in rows]


def test_a_certificate_is_read_as_it_was_stored(reader: DjangoCertificateReader) -> None:
    row = certificate_row(replaces="01ab", subject="CN=Zoë", profile_version_id=None, application_id=None)
    store(row)
    found = reader.by_serial(2, row.serial)
    assert without_id(found) == without_id(row)
    assert found is not None
    assert found.id is not None


def test_a_serial_belongs_to_its_authority(reader: DjangoCertificateReader) -> None:
    row = certificate_row()
    store(row)
    assert reader.by_serial(3, row.serial) is None
    assert reader.by_serial(2, row.serial + 1) is None


@pytest.mark.parametrize(
    ("subject_key", "names"), [("cn=dev-1", '["DNS:a"]'), ("", '["DNS:a"]'), ("cn=x", "[]")]
)
def test_the_newest_valid_certificate_of_the_names_is_found(
    reader: DjangoCertificateReader, subject_key: str, names: str
) -> None:
    older, newer = (certificate_row(subject_key=subject_key, alternative_names=names) for _ in range(2))
    store(older, newer)
    found = reader.newest_valid(1, subject_key, names, NOW)
    assert found is not None
    assert found.serial == newer.serial


def test_names_that_begin_alike_are_told_apart(reader: DjangoCertificateReader) -> None:
    shared = '["DNS:' + "a" * 300
    store(certificate_row(subject_key="", alternative_names=shared + '1"]'))
    assert reader.newest_valid(1, "", shared + '2"]', NOW) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"application_id": 2},
        {"subject_key": "cn=dev-10,o=acme"},
        {"alternative_names": "[]"},
        {"not_before": NOW + timedelta(seconds=1)},
        {"not_after": NOW},
    ],
)
def test_a_certificate_that_is_anothers_or_not_valid_now_is_not_renewed(
    reader: DjangoCertificateReader, changes: dict[str, Any]
) -> None:
    row = certificate_row()
    store(certificate_row(**changes))
    assert reader.newest_valid(1, row.subject_key, row.alternative_names, NOW) is None


def test_a_revoked_certificate_is_not_renewed(reader: DjangoCertificateReader) -> None:
    older, newer = certificate_row(), certificate_row()
    store(older, newer)
    revoke(newer)
    found = reader.newest_valid(1, newer.subject_key, newer.alternative_names, NOW)
    assert found is not None
    assert found.serial == older.serial


def test_all_certificates_of_a_key_are_found(reader: DjangoCertificateReader) -> None:
    rows = [certificate_row(key_hash=key_hash) for key_hash in ("aa", "bb", "aa")]
    store(*rows)
    assert serials(reader.by_key_hash("aa")) == [rows[0].serial, rows[2].serial]
    assert reader.by_key_hash("cc") == ()


def pages(wanted: CertificateFilter, limit: int) -> list[list[int]]:
    found, after = [], None
    while True:
        page = list_certificates(wanted, after=after, limit=limit)
        found.append(serials(page.certificates))
        after = page.after
        if after is None:
            return found


@pytest.mark.parametrize(
    "wanted",
    [
        EVERY_CERTIFICATE,
        CertificateFilter(subject_prefix="cn=dev"),
        CertificateFilter(expiring_from=NOW),
        CertificateFilter(application_ids=(1,)),
    ],
)
def test_pages_hold_every_certificate_once_in_one_order(wanted: CertificateFilter) -> None:
    # Many share a subject or an expiry: the page's edge falls between equals.
    rows = [
        certificate_row(subject_key=f"cn=dev-{number % 3}", not_after=NOW + DAY * (number % 2))
        for number in range(7)
    ]
    store(*rows)
    in_twos, at_once = pages(wanted, 2), pages(wanted, 100)
    assert [len(page) for page in in_twos] == [2, 2, 2, 1]
    assert [serial for page in in_twos for serial in page] == at_once[0]
    assert sorted(at_once[0]) == sorted(serials(rows))


def test_certificates_come_newest_first() -> None:
    rows = [certificate_row() for _ in range(3)]
    store(*rows)
    assert serials(list_certificates().certificates) == serials(reversed(rows))


def test_a_subject_prefix_is_taken_literally() -> None:
    matching = [certificate_row(subject_key=key) for key in ("cn=dev_1", "cn=dev_2é", "cn=dev_")]
    others = [certificate_row(subject_key=key) for key in ("cn=devx1", "cn=de", "cn=dew", "CN=dev_1", "")]
    store(*matching, *others)
    found = list_certificates(CertificateFilter(subject_prefix="cn=dev_")).certificates
    assert sorted(serials(found)) == sorted(serials(matching))


def test_very_long_subjects_are_told_apart_and_paged(reader: DjangoCertificateReader) -> None:
    # 3 octets a character: more than a PostgreSQL index entry holds, and not to be compressed.
    random = Random(7)
    shared = "cn=" + "".join(chr(random.randrange(0x4E00, 0x9FFF)) for _ in range(1000))
    rows = [certificate_row(subject_key=f"{shared}{number}") for number in range(5)]
    store(*rows, certificate_row(subject_key=shared[:-1]))
    found = reader.newest_valid(1, f"{shared}3", rows[3].alternative_names, NOW)
    assert found is not None
    assert found.serial == rows[3].serial
    assert [len(page) for page in pages(CertificateFilter(subject_prefix=shared), 2)] == [2, 2, 1]


def test_the_next_to_expire_comes_first() -> None:
    rows = [certificate_row(not_after=NOW + DAY * days) for days in (5, -1, 2, 40)]
    store(*rows)
    wanted = CertificateFilter(expiring_from=NOW, expiring_before=NOW + DAY * 30)
    assert serials(list_certificates(wanted).certificates) == [rows[2].serial, rows[0].serial]


def test_filters_must_all_hold() -> None:
    revoked, valid, other = certificate_row(), certificate_row(), certificate_row(application_id=2)
    store(revoked, valid, other)
    revoke(revoked)
    for wanted, expected in (
        (CertificateFilter(revoked=True), [revoked]),
        (CertificateFilter(revoked=False, application_ids=(1,)), [valid]),
        (CertificateFilter(serial=valid.serial), [valid]),
        (CertificateFilter(serial=valid.serial, application_ids=(2,)), []),
        (CertificateFilter(application_ids=()), []),
        (CertificateFilter(key_hash="ab" * 32, application_ids=(2, 3)), [other]),
    ):
        assert serials(list_certificates(wanted).certificates) == serials(expected), wanted


PLANS = {
    "serial": "SELECT id FROM certificates WHERE serial = '1'",
    "subject": "SELECT id FROM certificates WHERE substr(subject_key, 1, 300) >= 'a'"
    " AND substr(subject_key, 1, 300) < 'b' AND (substr(subject_key, 1, 300), id) > ('a', 7)"
    " ORDER BY substr(subject_key, 1, 300), id LIMIT 10",
    "application": "SELECT id FROM certificates WHERE application_id IN (7) AND id < 9 ORDER BY id DESC LIMIT 10",
    "key": "SELECT id FROM certificates WHERE key_hash = 'a'",
    "expiry": "SELECT id FROM certificates WHERE not_after >= '2026-01-01' ORDER BY not_after, id LIMIT 10",
    "names": "SELECT id FROM certificates WHERE subject_key = ''"
    " AND substr(alternative_names, 1, 200) = 'x' ORDER BY id DESC LIMIT 1",
}


@pytest.mark.parametrize("index", PLANS)
def test_each_search_goes_by_its_index(index: str) -> None:
    assert f"certificates_{index}" in explained(PLANS[index])


def explained(statement: str) -> str:
    """The plan. PostgreSQL reads a small table whole unless that is forbidden."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET enable_seqscan = off; SET enable_sort = off")
            cursor.execute(f"EXPLAIN {statement}")
        else:
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}")
        plan = " ".join(str(column) for row in cursor.fetchall() for column in row)
    # SQLite calls the index behind a unique constraint by a name of its own making.
    return plan.replace("sqlite_autoindex_certificates_1", "certificates_serial")
