"""A person's client certificate, as a connection presents it: may it open anything now?

The verdict of the TLS handshake is not asked: a resumed session verifies nothing again. So the certificate is looked at
on every request: who issued it, its dates, what it is for, and, where an authority of ours issued it, whether it is
revoked. Which user it opens the portal for, if any, is another question: `services.authenticate_identity`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from certuary.core.certificate import certificate_from_der, is_issued_by
from certuary.core.identity import BoundCertificate, identity_of_certificate
from certuary.core.mark import Marker
from certuary.errors import InvalidMark, InvalidSeal, MalformedCertificate, NotAuthenticated
from certuary.services.certificate_directory import IsListed
from certuary.services.ports import CertificateReader, Record

E = TypeVar("E", bound=x509.ExtensionType)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserCertificates:
    """`issuers` are the authorities whose certificates may open the portal, each of which issues them itself.
    `own_authorities` gives every authority of ours, or `InvalidSeal`: were one left out that plain SQL altered, what it
    issued would count as foreign, and nobody would ask whether it is revoked."""

    issuers: Sequence[x509.Certificate]
    own_authorities: Callable[[], Sequence[Record]]
    reader: CertificateReader
    marker: Marker = field(repr=False)
    is_listed: IsListed

    def check(self, certificate_der: bytes, now: datetime) -> BoundCertificate:
        """`NotAuthenticated` says why not."""
        try:
            certificate = certificate_from_der(certificate_der)
        except MalformedCertificate:
            raise NotAuthenticated("the client certificate cannot be read") from None
        _refuse_other_uses(certificate)
        _refuse_outside_its_dates(certificate, "the client certificate", now)
        _refuse_outside_its_dates(self._issuer_of(certificate), "the client certificate's issuer", now)
        self._refuse_revoked(certificate, certificate_der)
        return identity_of_certificate(certificate)

    def _issuer_of(self, certificate: x509.Certificate) -> x509.Certificate:
        for issuer in self.issuers:
            if is_issued_by(certificate, issuer):
                return issuer
        raise NotAuthenticated("the client certificate is of no authority that portal_client_ca_file names")

    def _refuse_revoked(self, certificate: x509.Certificate, certificate_der: bytes) -> None:
        """Of ours only: a foreign authority's lists are not read, and its certificates are unbound instead."""
        try:
            authorities = self.own_authorities()
        except InvalidSeal as problem:
            raise NotAuthenticated(f"the authorities cannot be believed: {problem.detail}") from None
        for authority in authorities:
            if is_issued_by(certificate, _certificate_of(authority)):
                assert isinstance(authority.id, int)
                self._refuse_revoked_by_us(authority.id, certificate.serial_number, certificate_der)

    def _refuse_revoked_by_us(self, authority_id: int, serial: int, certificate_der: bytes) -> None:
        row = self.reader.by_serial(authority_id, serial)
        if row is None or row.der != certificate_der:
            raise NotAuthenticated("the client certificate is not one that this installation knows")
        try:
            self.marker.check_certificate(row)
        except InvalidMark:
            raise NotAuthenticated("the record of the client certificate was altered") from None
        if row.revoked_at is not None or self.is_listed(authority_id, serial):
            raise NotAuthenticated("the client certificate is revoked")


def _refuse_outside_its_dates(certificate: x509.Certificate, what: str, now: datetime) -> None:
    if now < certificate.not_valid_before_utc:
        raise NotAuthenticated(f"{what} is not yet valid")
    if now >= certificate.not_valid_after_utc:
        raise NotAuthenticated(f"{what} has expired")


def _refuse_other_uses(certificate: x509.Certificate) -> None:
    """RFC 5280 section 4.2.1.12: id-kp-clientAuth must be named. One that says nothing was not made for this."""
    usages = _extension(certificate, x509.ExtendedKeyUsage)
    if usages is None or ExtendedKeyUsageOID.CLIENT_AUTH not in usages:
        raise NotAuthenticated("the client certificate is not for client authentication (extended key usage)")
    key_usage = _extension(certificate, x509.KeyUsage)
    if key_usage is not None and not key_usage.digital_signature:
        raise NotAuthenticated("the client certificate is not for signatures (key usage)")
    constraints = _extension(certificate, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        raise NotAuthenticated("the client certificate is an authority's")


def _extension(certificate: x509.Certificate, kind: type[E]) -> E | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _certificate_of(authority: Record) -> x509.Certificate:
    """Of a record that holds its seal."""
    der = authority.values["certificate_der"]
    assert isinstance(der, bytes)
    return x509.load_der_x509_certificate(der)
