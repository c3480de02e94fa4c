"""Marks on both databases: they survive the round trip, and each altered row is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from certuary.core.certificate import build_root, sign_plan
from certuary.core.values import key_hash, serial_to_text
from certuary.errors import InvalidMark
from certuary.services.ports import CertificateRow, Record
from certuary.services.verify_marks import verify_marks
from certuary.services.verify_seals import Finding
from certuary.store.batch_rows import CERTIFICATE_COLUMNS
from certuary.store.certificates import DjangoCertificateReader
from certuary.store.crls import DjangoCrlStore
from certuary.store.event_stream import EventStream
from certuary.store.marked_rows import DjangoMarkedRows
from certuary.store.records import DjangoRecordStore
from certuary.store.writer import GroupCommitWriter
from tests.contract.rows import (
    NOW,
    audit_row,
    certificate_row,
    issued_item,
    new_chain,
    profile_version_row,
    sql,
)
from tests.contract.test_crls import crl_row
from tests.memory_records import MARKER
from tests.unit.core.issuing import asked, issuing, planned, signing_key, subject

pytestmark = pytest.mark.usefixtures("database_url")

AUTHORITY = Record(
    kind="authority", id=2, revision=1, values={"certificate_der": issuing().public_bytes(Encoding.DER)}
)


def real_certificate(name: str = "dev-1", **changes: Any) -> CertificateRow:
    """With the DER that belongs to it."""
    issued = sign_plan(planned(asked(subject(("CN", name)))), signing_key("issuing")).certificate
    spki_der = issued.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    values: dict[str, Any] = {
        "serial": issued.serial_number,
        "key_hash": key_hash(spki_der),
        "not_after": issued.not_valid_after_utc,
        "der": issued.public_bytes(Encoding.DER),
    }
    return certificate_row(**(values | changes))


def add(row: CertificateRow) -> CertificateRow:
    with DjangoRecordStore().transaction() as transaction:
        transaction.add_certificate(row)
    return read(row)


def read(row: CertificateRow) -> CertificateRow:
    found = DjangoCertificateReader().by_serial(row.authority_id, row.serial)
    assert found is not None
    return found


def findings(progress: Callable[[int, int], None] = lambda done, total: None) -> list[Finding]:
    return list(verify_marks(DjangoMarkedRows(), MARKER, [AUTHORITY], progress))


def test_a_certificate_that_the_batch_writer_stored_holds_its_mark() -> None:
    writer = GroupCommitWriter(new_chain())
    item = issued_item(replaces="00ab", issued_at=NOW + timedelta(microseconds=3))
    writer.submit(item).result(10)
    writer.close()
    assert item.certificate is not None
    found = read(item.certificate)
    assert found.mark == item.certificate.mark
    MARKER.check_certificate(found)


def test_the_batch_writer_stores_every_column_that_a_mark_covers() -> None:
    marked = {
        column for column in CertificateRow.__slots__
        if column not in ("id", "revoked_at", "revocation_reason", "revoked_revision")
    }  # fmt: skip
    assert set(CERTIFICATE_COLUMNS) == marked


def test_a_revocation_gives_a_fresh_mark() -> None:
    before = add(certificate_row(profile_version_id=None, application_id=None))
    MARKER.check_certificate(before)
    with DjangoRecordStore().transaction() as transaction:
        revoked = transaction.revoke_certificate(2, before.serial, at=NOW, reason="superseded", marker=MARKER)
    found = read(before)
    assert found == revoked
    assert found.revoked_revision is not None
    assert found.mark != before.mark
    MARKER.check_certificate(found)


@pytest.mark.parametrize("assignment", ["application_id = 9", "mark = NULL", "revoked_at = issued_at"])
def test_a_record_that_was_altered_is_not_revoked(assignment: str) -> None:
    before = add(certificate_row())
    sql(f"UPDATE certificates SET {assignment}")
    with pytest.raises(InvalidMark), DjangoRecordStore().transaction() as transaction:
        transaction.revoke_certificate(2, before.serial, at=NOW, reason="superseded", marker=MARKER)
    assert read(before).revocation_reason is None


def test_a_crl_and_a_profile_version_hold_their_marks() -> None:
    add_crl_and_version()
    assert findings() == []


def add_crl_and_version() -> None:
    store = DjangoRecordStore()
    values = {
        "name": "issuing", "kind": "issuing", "issuer_id": None, "key_name": "issuing", "key_type": "ec-p256",
        "subject": "CN=Issuing", "serial": "01", "certificate_der": b"\x00", "not_before": NOW,
        "not_after": NOW, "crl_lifetime_seconds": 60,
    }  # fmt: skip
    with store.transaction() as transaction:
        authority = transaction.create("authority", values)
        profile = transaction.create("profile", {"name": "tls-device"})
        assert isinstance(profile.id, int)
        transaction.add_profile_version(profile_version_row(profile.id))
        transaction.add_profile_version(profile_version_row(profile.id, number=2))
    assert isinstance(authority.id, int)
    crls = DjangoCrlStore(EventStream(new_chain))
    for number in (1, 2):
        crls.add(replace(crl_row(authority.id, number), marker=MARKER), audit_row())


@pytest.mark.parametrize(
    ("assignment", "reason"),
    [
        ("application_id = 9", "was altered: its mark does not hold"),
        ("revoked_at = issued_at, revoked_revision = 1", "was altered: its mark does not hold"),
        ("not_after = issued_at", "was altered: its mark does not hold"),
        ("mark = NULL", "has no mark"),
        ("der = (SELECT der FROM certificates WHERE subject = 'other')", "another certificate"),
    ],
)
def test_an_altered_certificate_is_found_and_named(assignment: str, reason: str) -> None:
    altered, other = real_certificate(), real_certificate("dev-2", serial=99, subject="other")
    good = sign_plan(
        replace(planned(asked(subject(("CN", "dev-2")))), serial=99), signing_key("issuing")
    ).certificate
    add(altered)
    add(replace(other, der=good.public_bytes(Encoding.DER), marker=MARKER))
    assert findings() == []
    sql(f"UPDATE certificates SET {assignment} WHERE serial = %s", [serial_to_text(altered.serial)])
    (finding,) = findings()
    assert (finding.kind, finding.name) == ("certificate", serial_to_text(altered.serial))
    assert reason in finding.reason


def test_a_der_that_the_authority_did_not_sign_is_found() -> None:
    row = real_certificate()
    forged = sign_plan(planned(asked(subject(("CN", "dev-1")))), signing_key("stranger"))
    add(replace(row, der=forged.der))
    assert "has not signed it" in findings()[0].reason


@pytest.mark.parametrize("der", [b"", b"\x30\x00", b"\x30\x03\x02\x01\x01"])
def test_a_der_that_is_none_is_found(der: bytes) -> None:
    add(replace(real_certificate(), der=der))
    assert "cannot be parsed" in findings()[0].reason


def test_a_certificate_of_no_authority_is_found() -> None:
    add(real_certificate(authority_id=5))
    assert "no authority 5" in findings()[0].reason


@pytest.mark.parametrize(
    ("statement", "kind", "name"),
    [
        ("UPDATE crls SET der = '\\x01' WHERE number = 2", "crl", "2 of authority 1"),
        ("UPDATE crls SET covers_revision = 99 WHERE number = 1", "crl", "1 of authority 1"),
        ("UPDATE profile_versions SET toml = 'b = 2' WHERE number = 1", "profile-version", "1 of profile 1"),
        ("UPDATE profile_versions SET mark = NULL WHERE number = 2", "profile-version", "2 of profile 1"),
    ],
)
def test_an_altered_crl_or_profile_version_is_found_and_named(statement: str, kind: str, name: str) -> None:
    add_crl_and_version()
    sql(statement)
    (finding,) = findings()
    assert (finding.kind, finding.name) == (kind, name)


def test_all_pages_are_gone_through_and_progress_is_told() -> None:
    template = add(real_certificate())
    columns = ", ".join(column for column in CERTIFICATE_COLUMNS if column != "serial")
    for number in range(1, 1101):
        sql(
            f"INSERT INTO certificates (serial, {columns}) SELECT %s, {columns} FROM certificates"
            " WHERE serial = %s",
            [serial_to_text(number), serial_to_text(template.serial)],
        )
    told: list[tuple[int, int]] = []
    assert len(findings(lambda done, total: told.append((done, total)))) == 1100
    assert told == [(500, 1101), (1000, 1101), (1101, 1101)]


# PostgreSQL takes no such times.
@pytest.mark.parametrize(
    ("database_url", "assignment"),
    [
        ("sqlite", "not_after = 'never'"),
        ("sqlite", "not_after = '2026-13-45 00:00:00'"),
        ("sqlite", "serial = 'xyz'"),
        ("postgresql", "serial = 'xyz'"),
    ],
    indirect=["database_url"],
)
def test_a_row_that_cannot_be_read_is_found_and_hides_no_other(assignment: str) -> None:
    add(certificate_row())
    altered = add(certificate_row())
    add(certificate_row())
    sql(f"UPDATE certificates SET {assignment} WHERE id = {altered.id}")
    found = findings()
    assert len(found) == 3
    assert any("cannot be read" in one.reason or "altered" in one.reason for one in found)


# PostgreSQL takes no text there.
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_mark_that_is_text_is_an_altered_row() -> None:
    add(real_certificate())
    sql("UPDATE certificates SET mark = 'text', der = 'text'")
    assert "altered" in findings()[0].reason


@pytest.mark.parametrize("octets", [b"0", "none"])
def test_without_a_certificate_of_its_authority_none_can_be_believed(octets: object) -> None:
    add(real_certificate())
    altered = replace(AUTHORITY, values={"certificate_der": octets})
    (found,) = verify_marks(DjangoMarkedRows(), MARKER, [altered], lambda done, total: None)
    assert found.reason == "there is no authority 2 whose certificate can be read"


def test_a_root_of_the_same_name_is_no_issuer() -> None:
    add(real_certificate())
    imposter = sign_plan(
        build_root(signing_key("stranger").public_key(), organization="x", serial=1, now=NOW),
        signing_key("stranger"),
    )
    other = replace(AUTHORITY, values={"certificate_der": imposter.der})
    assert len(list(verify_marks(DjangoMarkedRows(), MARKER, [other], lambda done, total: None))) == 1
