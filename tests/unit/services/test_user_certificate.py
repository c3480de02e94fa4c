from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from certuary.errors import NotAuthenticated
from certuary.services.believed_records import BelievedRecords
from certuary.services.change_record import change_records
from certuary.services.ports import CertificateRow, Record, RecordKind
from certuary.services.user_certificate import UserCertificates
from tests.memory_records import MARKER, MemoryRecords
from tests.people_ca import PeopleCa, Person, unreadable
from tests.unit.services.change_fixtures import ROOT_USER, installation
from tests.unit.services.sealing import gate_of

PEOPLE = PeopleCa()
NOW = datetime.now(UTC)


class Rows:
    """The certificates that this installation knows, by serial."""

    def __init__(self, *rows: CertificateRow) -> None:
        self._rows = {(row.authority_id, row.serial): row for row in rows}

    def by_serial(self, authority_id: int, serial: int) -> CertificateRow | None:
        return self._rows.get((authority_id, serial))


def certificates(
    *rows: CertificateRow,
    ca: PeopleCa = PEOPLE,
    own: bytes | None = None,
    listed: frozenset[int] = frozenset(),
) -> UserCertificates:
    """`own`: the certificate of an authority of this installation."""
    authority = Record(kind="authority", id=1, revision=1, values={"certificate_der": own})
    return UserCertificates(
        issuers=(ca.certificate,),
        own_authorities=lambda: () if own is None else (authority,),
        reader=Rows(*rows),  # type: ignore[arg-type]  # the one method that is used
        marker=MARKER,
        is_listed=lambda authority_id, serial: serial in listed,
    )


def why_not(found: UserCertificates, der: bytes, now: datetime = NOW) -> str:
    with pytest.raises(NotAuthenticated) as refusal:
        found.check(der, now)
    return refusal.value.reason


def test_a_good_certificate_is_known_by_its_fingerprint_and_shown_by_its_subject() -> None:
    olga = PEOPLE.issue("olga")
    identity = certificates().check(olga.der, NOW)
    assert identity.sha256 == hashlib.sha256(olga.der).hexdigest()
    assert identity.subject == "CN=olga"


@pytest.mark.parametrize(
    ("person", "reason"),
    [
        (PEOPLE.issue("olga", days=(-9, -1)), "the client certificate has expired"),
        (PEOPLE.issue("olga", days=(1, 9)), "the client certificate is not yet valid"),
        (PEOPLE.issue("olga", usages=()), "not for client authentication"),
        (PEOPLE.issue("olga", usages=(ExtendedKeyUsageOID.SERVER_AUTH,)), "not for client authentication"),
        (PEOPLE.issue("olga", usages=(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)), "not for client"),
        (PEOPLE.issue("olga", more=(x509.BasicConstraints(ca=True, path_length=None),)), "an authority's"),
        (PEOPLE.issue("olga", more=(x509.KeyUsage(*([False] * 2 + [True] + [False] * 6)),)), "signatures"),
        (PeopleCa("Elsewhere").issue("olga"), "of no authority that portal_client_ca_file names"),
        (PeopleCa().issue("olga"), "of no authority that portal_client_ca_file names"),
    ],
)
def test_one_that_opens_nothing_now_says_why(person: Person, reason: str) -> None:
    assert reason in why_not(certificates(), person.der)


def test_a_usage_for_signatures_is_taken() -> None:
    usage = x509.KeyUsage(*([True] + [False] * 8))
    assert certificates().check(PEOPLE.issue("olga", more=(usage,)).der, NOW)


def test_an_authority_that_has_expired_lets_nobody_in() -> None:
    ca = PeopleCa(days=(-30, -1))
    assert "issuer has expired" in why_not(certificates(ca=ca), ca.issue("olga").der)


@pytest.mark.parametrize(
    "der", [b"", b"0", b"\x30\x03\x02\x01\x01", *unreadable(PEOPLE.issue("olga").der).values()]
)
def test_octets_that_are_no_certificate_are_refused(der: bytes) -> None:
    assert "cannot be read" in why_not(certificates(), der)


OWN = PEOPLE.certificate.public_bytes(Encoding.DER)
OLGA = PEOPLE.issue("olga")
ROW = CertificateRow(
    serial=OLGA.certificate.serial_number,
    authority_id=1,
    application_id=None,
    profile_version_id=None,
    subject="CN=olga",
    subject_key="cn=olga",
    alternative_names="",
    key_hash="",
    not_before=OLGA.certificate.not_valid_before_utc,
    not_after=OLGA.certificate.not_valid_after_utc,
    der=OLGA.der,
    source="est",
    replaces=None,
    issued_at=NOW,
    marker=MARKER,
)
FORGED = PEOPLE.issue("olga").der
OWN_KEY: tuple[RecordKind, int] = ("authority", 1)


@pytest.mark.parametrize(
    ("row", "listed", "reason"),
    [
        (None, False, "not one that this installation knows"),
        (replace(ROW, der=FORGED, marker=MARKER), False, "not one that this installation knows"),
        (replace(ROW, application_id=7), False, "was altered"),
        (replace(ROW, revoked_at=NOW, revocation_reason="unspecified", marker=MARKER), False, "is revoked"),
        (ROW, True, "is revoked"),
    ],
)
def test_one_of_our_own_must_be_known_unaltered_and_not_revoked(
    row: CertificateRow | None, listed: bool, reason: str
) -> None:
    rows = () if row is None else (row,)
    serials = frozenset({ROW.serial}) if listed else frozenset[int]()
    assert reason in why_not(certificates(*rows, own=OWN, listed=serials), OLGA.der)


def test_one_of_our_own_that_is_good_is_taken() -> None:
    assert certificates(ROW, own=OWN).check(OLGA.der, NOW)


def set_certificate(records: MemoryRecords) -> None:
    row = records.rows[OWN_KEY]
    records.rows[OWN_KEY] = replace(row, values={**row.values, "certificate_der": OWN})


def mark_as_removed(records: MemoryRecords) -> None:
    records.gone[OWN_KEY] = records.rows.pop(OWN_KEY)


@pytest.mark.parametrize(
    ("alter", "reason"),
    [(set_certificate, "certificate_der: not what"), (mark_as_removed, "authority 'own' is missing")],
)
def test_while_an_authority_is_altered_or_missing_no_certificate_opens_anything(
    alter: Callable[[MemoryRecords], None], reason: str
) -> None:
    """Not even another authority's: whether it is ours cannot be told."""
    records, deps = installation()
    with change_records(ROOT_USER, deps) as changes:
        der = PeopleCa("Own").certificate.public_bytes(Encoding.DER)
        changes.create("authority", {"name": "own", "certificate_der": der})
    found = replace(
        certificates(),
        own_authorities=lambda: BelievedRecords(records, gate_of(records, deps)).complete("authority"),
    )
    assert found.check(OLGA.der, NOW)
    alter(records)
    assert reason in why_not(found, OLGA.der)


def test_the_dates_are_those_of_the_moment_that_is_asked_about() -> None:
    assert "expired" in why_not(certificates(), OLGA.der, NOW + timedelta(days=31))
