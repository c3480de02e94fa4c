"""Certificates and requests decoded for reading: groups of lines, in plain words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from certuary.core.csr import Csr
from certuary.core.names import general_name_text, subject_text
from certuary.core.profile_words import purpose_text
from certuary.core.values import serial_to_text

_USAGES: Final = (
    ("digital_signature", "digitalSignature"),
    ("content_commitment", "contentCommitment"),
    ("key_encipherment", "keyEncipherment"),
    ("data_encipherment", "dataEncipherment"),
    ("key_agreement", "keyAgreement"),
    ("key_cert_sign", "keyCertSign"),
    ("crl_sign", "cRLSign"),
)


@dataclass(frozen=True, slots=True)
class DecodedLine:
    label: str
    value: str


@dataclass(frozen=True, slots=True)
class DecodedGroup:
    title: str
    lines: tuple[DecodedLine, ...]


def decode_certificate(certificate: x509.Certificate) -> tuple[DecodedGroup, ...]:
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return (
        _group(
            "Subject",
            ("Subject", subject_text(certificate.subject) or "empty"),
            ("Issuer", subject_text(certificate.issuer)),
            ("Serial number", serial_to_text(certificate.serial_number)),
        ),
        _names(certificate.extensions),
        _group(
            "Validity",
            ("From", f"{start:%Y-%m-%d %H:%M:%S} UTC"),
            ("Until", f"{end:%Y-%m-%d %H:%M:%S} UTC"),
        ),
        _group("Key", ("Key", key_text(certificate.public_key()))),
        DecodedGroup("Usage", tuple(_extension_lines(certificate.extensions))),
    )


def decode_csr(csr: Csr) -> tuple[DecodedGroup, ...]:
    """As it was asked for; an extension that we do not know is named by its number."""
    names = [DecodedLine("Name", general_name_text(name)) for name in csr.alternative_names]
    return (
        _group("Subject", ("Subject", subject_text(csr.subject) or "empty")),
        DecodedGroup("Names", tuple(names) or (DecodedLine("Names", "none"),)),
        _group("Key", ("Key", key_text(csr.public_key)), ("SHA-256 of the key", csr.key_hash)),
        DecodedGroup(
            "Asks for", tuple(_extension_lines(csr.extensions)) or (DecodedLine("Extensions", "none"),)
        ),
    )


def certificate_pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex()


def key_text(key: object) -> str:
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {key.curve.name}"
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA, {key.key_size} bits"
    return type(key).__name__.removesuffix("PublicKey").removeprefix("_")


def _group(title: str, *pairs: tuple[str, str]) -> DecodedGroup:
    return DecodedGroup(title, tuple(DecodedLine(label, value) for label, value in pairs))


def _names(extensions: x509.Extensions) -> DecodedGroup:
    for extension in extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            lines = tuple(DecodedLine("Name", general_name_text(name)) for name in extension.value)
            return DecodedGroup("Names", lines)
    return DecodedGroup("Names", (DecodedLine("Names", "none"),))


def _extension_lines(extensions: Iterable[x509.Extension[x509.ExtensionType]]) -> Iterator[DecodedLine]:
    for extension in extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            continue
        label, value = _extension_text(extension.value)
        yield DecodedLine(label, f"{value} (critical)" if extension.critical else value)


def _extension_text(value: x509.ExtensionType) -> tuple[str, str]:
    if isinstance(value, x509.KeyUsage):
        return "Key usage", ", ".join(word for name, word in _USAGES if getattr(value, name)) or "none"
    if isinstance(value, x509.ExtendedKeyUsage):
        return "Purposes", ", ".join(purpose_text(oid.dotted_string) for oid in value)
    if isinstance(value, x509.BasicConstraints):
        return "Basic constraints", f"CA:{'TRUE' if value.ca else 'FALSE'}"
    if isinstance(value, x509.SubjectKeyIdentifier):
        return "Subject key identifier", value.digest.hex()
    if isinstance(value, x509.AuthorityKeyIdentifier):
        return "Authority key identifier", (value.key_identifier or b"").hex()
    if isinstance(value, x509.CertificatePolicies):
        return "Policies", ", ".join(policy.policy_identifier.dotted_string for policy in value)
    if isinstance(value, x509.CRLDistributionPoints):
        urls = [general_name_text(name) for point in value for name in point.full_name or ()]
        return "CRL", ", ".join(urls)
    if isinstance(value, x509.AuthorityInformationAccess):
        return "Authority", ", ".join(general_name_text(each.access_location) for each in value)
    return "Extension", value.oid.dotted_string
