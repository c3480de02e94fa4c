"""An authority that issues people's certificates, for tests: good ones, and such as open nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certuary.core import der

CLIENT: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.CLIENT_AUTH,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def write(self, directory: Path) -> tuple[Path, Path]:
        name = self.certificate.serial_number
        files = directory / f"{name:x}.pem", directory / f"{name:x}.key"
        files[0].write_bytes(self.pem)
        files[1].write_bytes(self.key_pem)
        return files


class PeopleCa:
    def __init__(self, name: str = "Acme People", *, days: tuple[int, int] = (-30, 300)) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        basic = x509.BasicConstraints(ca=True, path_length=0)
        self.certificate = _certificate(self._name, self._name, self._key, self._key, days, (basic,))

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def issue(
        self,
        name: str,
        *,
        days: tuple[int, int] = (-1, 30),
        usages: Sequence[x509.ObjectIdentifier] = CLIENT,
        more: Sequence[x509.ExtensionType] = (),
    ) -> Person:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        extensions = [x509.ExtendedKeyUsage(usages)] if usages else []
        certificate = _certificate(subject, self._name, key, self._key, days, (*extensions, *more))
        return Person(certificate=certificate, key=key)


def unreadable(certificate_der: bytes) -> dict[str, bytes]:
    """That certificate, altered as octets: each is DER, and `cryptography` reads none without an exception that is no
    ValueError."""
    at, end = der.enter(certificate_der, 0, len(certificate_der), der.SEQUENCE)
    _, _, at, tbs_end = der.elements(certificate_der, at, end)[0]
    version, *_, extensions = der.elements(certificate_der, at, tbs_end)
    known = certificate_der[version[3] : extensions[1]]
    octets, more = der.enter(certificate_der, extensions[2], extensions[3], der.SEQUENCE)
    twice = der.tlv(0xA3, der.tlv(der.SEQUENCE, 2 * certificate_der[octets:more]))

    def rebuilt(*tbs: bytes) -> bytes:
        return der.tlv(der.SEQUENCE, der.tlv(der.SEQUENCE, *tbs), certificate_der[tbs_end:end])

    return {
        "version": rebuilt(der.tlv(der.CONTEXT_0, der.integer(6)), certificate_der[version[3] : tbs_end]),
        "extension": rebuilt(certificate_der[version[1] : version[3]], known, twice),
    }


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
    days: tuple[int, int],
    extensions: Sequence[x509.ExtensionType],
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
    return builder.sign(issuer_key, hashes.SHA256())
