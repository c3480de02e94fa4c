"""Whose certificate is this? Our own record decides, never the TLS layer's verdict.

A resumed TLS session or an open connection may carry a certificate that has expired or been revoked since, so the
certificate is looked at on every request: the whole of it must be what we issued, its dates must hold now, and it
must not be revoked. Its record must hold its mark, so that plain SQL hands no certificate to another application and
takes no revocation back. What cannot change is kept in memory; revocations drop their entry within the reload interval.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from certuary.core.certificate import certificate_from_der, is_issued_by
from certuary.core.mark import Marker
from certuary.core.names import certificate_alternative_names
from certuary.errors import InvalidMark, MalformedCertificate, NotAuthenticated
from certuary.services.ports import APPLICATION_SOURCE, CertificateReader, CertificateRow
from certuary.services.snapshot import Authority

CAPACITY = 4096
IsListed = Callable[[int, int], bool]
"""Whether a CRL lists the certificate: authority's id, serial."""

_CMC_RA = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.28")


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateIdentity:
    """An unrevoked certificate of ours. `is_ra`: it holds id-kp-cmcRA (RFC 7030 section 3.7). `speaks_for_application`:
    a user ordered it as an application certificate, so that it may ask for what the application's password may."""

    authority_id: int
    serial: int
    application_id: int
    not_before: datetime
    not_after: datetime
    subject: x509.Name
    alternative_names: tuple[x509.GeneralName, ...]
    is_ra: bool
    speaks_for_application: bool


class CertificateDirectory:
    def __init__(self, reader: CertificateReader, marker: Marker, is_listed: IsListed) -> None:
        self._reader = reader
        self._marker = marker
        self._is_listed = is_listed
        self._known: OrderedDict[bytes, CertificateIdentity] = OrderedDict()
        self._digests: dict[tuple[int, int], bytes] = {}
        self._generation = 0
        self._lock = threading.Lock()

    def remembered(self, certificate_der: bytes) -> CertificateIdentity | None:
        return self._known.get(hashlib.sha256(certificate_der).digest())

    def look_up(self, certificate_der: bytes, authorities: Iterable[Authority]) -> CertificateIdentity:
        """Ask the database. Blocking. `NotAuthenticated` for a certificate that is not a good one of ours."""
        generation = self._generation
        identity = self._read(certificate_der, authorities)
        with self._lock:
            # A revocation since the read has not seen this entry; then it is not kept.
            if generation == self._generation:
                self._remember(hashlib.sha256(certificate_der).digest(), identity)
        return identity

    def forget_revoked(self, revoked: Iterable[tuple[int, int]]) -> None:
        with self._lock:
            for name in revoked:
                self._generation += 1
                digest = self._digests.pop(name, None)
                if digest is not None:
                    self._known.pop(digest, None)

    def forget_all(self) -> None:
        with self._lock:
            self._generation += 1
            self._known.clear()
            self._digests.clear()

    def _remember(self, digest: bytes, identity: CertificateIdentity) -> None:
        self._known[digest] = identity
        self._digests[identity.authority_id, identity.serial] = digest
        if len(self._known) > CAPACITY:
            _, oldest = self._known.popitem(last=False)
            self._digests.pop((oldest.authority_id, oldest.serial), None)

    def _read(self, certificate_der: bytes, authorities: Iterable[Authority]) -> CertificateIdentity:
        try:
            certificate = certificate_from_der(certificate_der)
        except MalformedCertificate:
            raise NotAuthenticated("the client certificate cannot be parsed") from None
        issuer, serial = certificate.issuer, certificate.serial_number
        for authority in authorities:
            if authority.certificate.subject == issuer:
                row = self._reader.by_serial(authority.id, serial)
                if row is not None and row.der == certificate_der:
                    break
        else:
            raise NotAuthenticated("the client certificate is not one of ours")
        self._check(row, certificate, authority)
        if row.revoked_at is not None or self._is_listed(authority.id, serial):
            raise NotAuthenticated("the client certificate is revoked")
        if row.application_id is None:
            raise NotAuthenticated("the client certificate belongs to no application")
        return CertificateIdentity(
            authority_id=authority.id,
            serial=serial,
            application_id=row.application_id,
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            subject=certificate.subject,
            alternative_names=certificate_alternative_names(certificate),
            is_ra=_is_ra(certificate),
            speaks_for_application=row.source == APPLICATION_SOURCE,
        )

    def _check(self, row: CertificateRow, certificate: x509.Certificate, authority: Authority) -> None:
        try:
            self._marker.check_certificate(row)
        except InvalidMark:
            raise NotAuthenticated("the record of the client certificate was altered") from None
        # The mark leaves the DER out: another one, with the same issuer and serial, could stand in its place.
        if not is_issued_by(certificate, authority.certificate):
            raise NotAuthenticated("the client certificate is not one of ours")


def _is_ra(certificate: x509.Certificate) -> bool:
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return _CMC_RA in usages
