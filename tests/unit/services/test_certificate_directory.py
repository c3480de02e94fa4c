"""Whose certificate is this? Only what the database says counts, and a revocation is not forgotten."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certuary.core.certificate import sign_plan
from certuary.errors import NotAuthenticated
from certuary.services import certificate_directory
from certuary.services.certificate_directory import CertificateDirectory
from certuary.services.ports import CertificateRow
from tests.memory_records import MARKER, nothing_listed
from tests.people_ca import unreadable
from tests.unit.core.issuing import asked, planned, root, signing_key, subject
from tests.unit.services.builders import NOW
from tests.unit.services.enrolling import AUTHORITY, MemoryCertificates, issued_row

ROOT = replace(AUTHORITY, id=1, name="root", certificate=root())
AUTHORITIES = (ROOT, AUTHORITY)


def directory(*rows: CertificateRow) -> CertificateDirectory:
    return CertificateDirectory(MemoryCertificates(*rows), MARKER, nothing_listed)


def reason(each: CertificateDirectory, certificate_der: bytes) -> str:
    with pytest.raises(NotAuthenticated) as refused:
        each.look_up(certificate_der, AUTHORITIES)
    return refused.value.reason


def test_a_certificate_of_ours_is_known_by_its_row() -> None:
    row = issued_row(alternative_names=(x509.DNSName("dev-1.example"),), application_id=7)
    found = directory(row).look_up(row.der, AUTHORITIES)
    assert (found.authority_id, found.serial, found.application_id) == (AUTHORITY.id, row.serial, 7)
    assert found.subject.rfc4514_string() == "CN=dev-1"
    assert found.alternative_names == (x509.DNSName("dev-1.example"),)
    assert not found.is_ra


def test_its_dates_are_those_of_the_certificate_itself() -> None:
    row = issued_row(not_after=NOW)
    certificate = x509.load_der_x509_certificate(row.der)
    found = directory(row).look_up(row.der, AUTHORITIES)
    assert (found.not_before, found.not_after) == (
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
    )


def test_the_purpose_cmc_ra_makes_a_registration_authority() -> None:
    row = issued_row(as_ra=True)
    assert directory(row).look_up(row.der, AUTHORITIES).is_ra


def test_a_certificate_without_purposes_is_no_registration_authority() -> None:
    found = x509.load_der_x509_certificate(root().public_bytes(Encoding.DER))
    row = issued_row(authority_id=ROOT.id, der=root().public_bytes(Encoding.DER), serial=found.serial_number)
    assert not directory(row).look_up(row.der, AUTHORITIES).is_ra


@pytest.mark.parametrize("octets", [b"\x30\x00", *unreadable(root().public_bytes(Encoding.DER)).values()])
def test_octets_that_are_no_certificate_are_refused(octets: bytes) -> None:
    assert reason(directory(), octets) == "the client certificate cannot be parsed"


def test_a_certificate_that_the_database_does_not_have_is_not_ours() -> None:
    assert reason(directory(), issued_row().der) == "the client certificate is not one of ours"


def test_the_same_issuer_and_serial_are_not_enough() -> None:
    """The whole certificate must be what we issued, or a forged one with a known serial would do."""
    row = issued_row()
    forged = sign_plan(planned(asked(subject(("CN", "dev-1")))), signing_key("stranger"))
    certificate = x509.load_der_x509_certificate(forged.der)
    assert (certificate.issuer, certificate.serial_number) == (AUTHORITY.certificate.subject, row.serial)
    assert reason(directory(row), forged.der) == "the client certificate is not one of ours"


def test_a_self_signed_authority_is_nobodys_certificate() -> None:
    assert (
        reason(directory(), root().public_bytes(Encoding.DER)) == "the client certificate is not one of ours"
    )


def test_a_revoked_certificate_is_refused() -> None:
    assert (
        reason(directory(row := issued_row(revoked_at=NOW)), row.der) == "the client certificate is revoked"
    )


def test_a_certificate_of_no_application_speaks_for_nobody() -> None:
    row = issued_row(application_id=None)
    assert reason(directory(row), row.der) == "the client certificate belongs to no application"


def test_a_certificate_is_looked_up_once() -> None:
    row = issued_row()
    each = directory(row)
    assert each.remembered(row.der) is None
    found = each.look_up(row.der, AUTHORITIES)
    assert each.remembered(row.der) is found


def test_a_revocation_makes_it_forgotten() -> None:
    row, other = issued_row(), issued_row("dev-2", serial=99)
    each = directory(row)
    each.look_up(row.der, AUTHORITIES)
    each.forget_revoked([(other.authority_id, other.serial)])
    assert each.remembered(row.der) is not None
    each.forget_revoked([(row.authority_id, row.serial)])
    assert each.remembered(row.der) is None


def test_a_revocation_during_the_look_up_is_not_overwritten() -> None:
    row = issued_row()

    class RevokedMeanwhile(MemoryCertificates):
        def by_serial(self, authority_id: int, serial: int) -> CertificateRow | None:
            each.forget_revoked([(row.authority_id, row.serial)])
            return super().by_serial(authority_id, serial)

    each = CertificateDirectory(RevokedMeanwhile(row), MARKER, nothing_listed)
    each.look_up(row.der, AUTHORITIES)
    assert each.remembered(row.der) is None


def test_only_so_many_are_remembered_the_oldest_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificate_directory, "CAPACITY", 1)
    older, newer = issued_row(), issued_row("dev-2")
    newer = replace(newer, authority_id=AUTHORITY.id, serial=older.serial)
    each = CertificateDirectory(_Exactly(older, newer), MARKER, nothing_listed)
    each.look_up(older.der, AUTHORITIES)
    each.look_up(newer.der, AUTHORITIES)
    assert each.remembered(older.der) is None
    assert each.remembered(newer.der) is not None


class _Exactly(MemoryCertificates):
    """Gives out its rows one after the other, since the samples share a serial."""

    def by_serial(self, authority_id: int, serial: int) -> CertificateRow | None:
        return self.rows.pop(0) if authority_id == AUTHORITY.id else None


@pytest.mark.parametrize(
    "changes",
    [{"application_id": 2}, {"mark": None}, {"profile_version_id": 5}, {"revoked_revision": 4}],
    ids=repr,
)
def test_a_record_that_was_altered_lets_nobody_in(changes: dict[str, Any]) -> None:
    row = replace(issued_row(), **changes)
    assert reason(directory(row), row.der) == "the record of the client certificate was altered"


def test_a_revocation_that_plain_sql_took_back_lets_nobody_in() -> None:
    revoked = issued_row(revoked_at=NOW, revocation_reason="superseded", revoked_revision=3)
    row = replace(revoked, revoked_at=None, revocation_reason=None, revoked_revision=None)
    assert reason(directory(row), row.der) == "the record of the client certificate was altered"


def test_a_forged_certificate_put_into_a_marked_record_is_not_ours() -> None:
    """The mark leaves the DER out: the authority's signature is what speaks for it."""
    forged = sign_plan(planned(asked(subject(("CN", "dev-1")))), signing_key("stranger"))
    row = replace(issued_row(), der=forged.der)
    assert reason(directory(row), forged.der) == "the client certificate is not one of ours"


def test_a_certificate_on_its_authoritys_list_is_revoked_whatever_its_row_says() -> None:
    row = issued_row(application_id=7)

    def is_listed(authority_id: int, serial: int) -> bool:
        return (authority_id, serial) == (row.authority_id, row.serial)

    each = CertificateDirectory(MemoryCertificates(row), MARKER, is_listed)
    assert reason(each, row.der) == "the client certificate is revoked"
