"""Verify marks: go through every row that carries one and name those that cannot be believed.

A certificate's DER must also be what its record says, signed by its authority.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from certuary.core.certificate import certificate_from_der, is_issued_by
from certuary.core.mark import Marker
from certuary.core.values import key_hash, serial_to_text
from certuary.errors import InvalidMark, MalformedCertificate
from certuary.services.ports import (
    CertificateRow,
    CrlRow,
    MarkedRows,
    ProfileVersionRow,
    Record,
    UnreadableRow,
)
from certuary.services.verify_seals import Finding

MarkedKind = Literal["certificate", "crl", "profile-version"]
Progress = Callable[[int, int], None]
Row = TypeVar("Row", CertificateRow, CrlRow, ProfileVersionRow)

_TELL_EVERY = 500


def verify_marks(
    rows: MarkedRows, marker: Marker, authorities: Iterable[Record], progress: Progress
) -> Iterator[Finding]:
    """`authorities` are the records of that kind. `progress` is told how many certificates of how many are done."""
    issuers = {authority.id: _certificate(authority) for authority in authorities}
    yield from _verify_certificates(rows, marker, issuers, progress)
    for crl in rows.crls():
        yield from _finding("crl", crl, _crl_name, marker.check_crl)
    for version in rows.profile_versions():
        yield from _finding("profile-version", version, _version_name, marker.check_profile_version)


def _verify_certificates(
    rows: MarkedRows, marker: Marker, issuers: Mapping[int | str, x509.Certificate | None], progress: Progress
) -> Iterator[Finding]:
    def check(row: CertificateRow) -> None:
        marker.check_certificate(row)
        check_certificate_der(row, issuers.get(row.authority_id))

    total = rows.count_certificates()
    done = 0
    for done, row in enumerate(rows.certificates(), start=1):
        yield from _finding("certificate", row, _certificate_name, check)
        if done % _TELL_EVERY == 0:
            progress(done, total)
    progress(done, max(done, total))


def _finding(
    kind: MarkedKind, row: Row | UnreadableRow, name_of: Callable[[Row], str], check: Callable[[Row], None]
) -> Iterator[Finding]:
    if isinstance(row, UnreadableRow):
        yield Finding(kind=kind, name=f"row {row.id}", reason="it holds a value that cannot be read")
        return
    try:
        check(row)
    except InvalidMark as problem:
        yield Finding(kind=kind, name=name_of(row), reason=problem.detail)


def check_certificate_der(row: CertificateRow, issuer: x509.Certificate | None) -> None:
    """`InvalidMark` when the DER is not that of the certificate which the record describes."""
    if issuer is None:
        raise InvalidMark(f"there is no authority {row.authority_id} whose certificate can be read")
    try:
        certificate = certificate_from_der(row.der)
        spki_der = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        same = (
            certificate.serial_number == row.serial
            and key_hash(spki_der) == row.key_hash
            and certificate.not_valid_after_utc == row.not_after
        )
    except (MalformedCertificate, ValueError, UnsupportedAlgorithm):
        raise InvalidMark("its DER was altered: it cannot be parsed") from None
    if not same:
        raise InvalidMark("its DER was altered: it is another certificate than its record describes")
    if not is_issued_by(certificate, issuer):
        raise InvalidMark("its DER was altered: its authority has not signed it")


def _certificate_name(row: CertificateRow) -> str:
    return serial_to_text(row.serial)


def _crl_name(row: CrlRow) -> str:
    return f"{row.number} of authority {row.authority_id}"


def _version_name(row: ProfileVersionRow) -> str:
    return f"{row.number} of profile {row.profile_id}"


def _certificate(authority: Record) -> x509.Certificate | None:
    """None for a row that plain SQL altered."""
    der = authority.values["certificate_der"]
    try:
        return certificate_from_der(der) if isinstance(der, bytes) else None
    except MalformedCertificate:
        return None
