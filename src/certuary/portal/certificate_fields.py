"""A certificate as people read it: its fields in groups, from its DER alone. RFC 5280 section 4."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from certuary.core.names import ATTRIBUTE_NAMES, general_name_text, subject_text
from certuary.core.values import key_hash
from certuary.portal.visible import visible

_USAGES: Final = (
    ("digital_signature", "Digital signature"),
    ("content_commitment", "Content commitment"),
    ("key_encipherment", "Key encipherment"),
    ("data_encipherment", "Data encipherment"),
    ("key_agreement", "Key agreement"),
    ("key_cert_sign", "Signing certificates"),
    ("crl_sign", "Signing CRLs"),
)
_PURPOSES: Final = {
    ExtendedKeyUsageOID.SERVER_AUTH: "TLS server",
    ExtendedKeyUsageOID.CLIENT_AUTH: "TLS client",
    ExtendedKeyUsageOID.CODE_SIGNING: "Code signing",
    ExtendedKeyUsageOID.EMAIL_PROTECTION: "Mail protection",
    ExtendedKeyUsageOID.TIME_STAMPING: "Time stamping",
    ExtendedKeyUsageOID.OCSP_SIGNING: "OCSP signing",
    ExtendedKeyUsageOID.IPSEC_IKE: "IPsec IKE",
}
_ATTRIBUTES: Final = {
    "CN": "Common name",
    "C": "Country",
    "O": "Organization",
    "OU": "Organizational unit",
    "L": "Locality",
    "ST": "State or province",
    "serialNumber": "Serial number (of the device)",
}
_SHOWN: Final = (
    x509.SubjectAlternativeName,
    x509.KeyUsage,
    x509.ExtendedKeyUsage,
    x509.BasicConstraints,
    x509.CRLDistributionPoints,
    x509.AuthorityInformationAccess,
    x509.SubjectKeyIdentifier,
    x509.AuthorityKeyIdentifier,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    label: str
    value: str
    is_code: bool = False
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    title: str
    fields: tuple[Field, ...]


def decode(der: bytes) -> tuple[Section, ...]:
    """Empty when the DER is no certificate."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        extensions = certificate.extensions
    except (ValueError, TypeError):
        return ()
    sections = (
        ("Subject", _subject(certificate)),
        ("Names", _names(extensions)),
        ("Key", _key(certificate)),
        ("Usage", _usage(extensions)),
        ("Where to check it", _pointers(extensions)),
        ("Issuer and signature", _issuer(certificate, extensions)),
    )
    return tuple(Section(title=title, fields=tuple(fields)) for title, fields in sections)


def key_text(public_key: object) -> str:
    if isinstance(public_key, rsa.RSAPublicKey):
        return f"RSA, {public_key.key_size} bits"
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        return f"Elliptic curve, {_CURVES.get(public_key.curve.name, public_key.curve.name)}"
    if isinstance(public_key, ed25519.Ed25519PublicKey):
        return "Ed25519"
    if isinstance(public_key, ed448.Ed448PublicKey):
        return "Ed448"
    return type(public_key).__name__.removesuffix("PublicKey").replace("MLDSA", "ML-DSA-")


_CURVES: Final = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}


def _subject(certificate: x509.Certificate) -> Iterator[Field]:
    if not list(certificate.subject):
        yield Field(label="Subject", value="none: the names below are all there is")
    for attribute in certificate.subject:
        short = ATTRIBUTE_NAMES.get(attribute.oid, attribute.oid.dotted_string)
        yield Field(label=_ATTRIBUTES.get(short, short), value=_attribute_text(attribute))


def _attribute_text(attribute: x509.NameAttribute[Any]) -> str:
    value = attribute.value
    return value.hex() if isinstance(value, bytes) else visible(value)


def _names(extensions: x509.Extensions) -> Iterator[Field]:
    found = _extension(extensions, x509.SubjectAlternativeName)
    if found is None:
        yield Field(label="Alternative names", value="none")
        return
    for name in found.value:
        kind, _, value = general_name_text(name).partition(":")
        yield Field(label=kind, value=visible(value))


def _key(certificate: x509.Certificate) -> Iterator[Field]:
    try:
        public_key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        yield Field(label="Key", value="of a kind that this release cannot read")
        return
    yield Field(label="Key", value=key_text(public_key))
    spki = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    yield Field(label="SHA-256 of the key", value=key_hash(spki), is_code=True)
    if isinstance(public_key, rsa.RSAPublicKey):
        yield Field(label="Exponent", value=str(public_key.public_numbers().e))


def _usage(extensions: x509.Extensions) -> Iterator[Field]:
    usage = _extension(extensions, x509.KeyUsage)
    if usage is not None:
        words = [text for name, text in _USAGES if getattr(usage.value, name)]
        yield Field(label="Key usage", value=", ".join(words) + _critical(usage))
    purposes = _extension(extensions, x509.ExtendedKeyUsage)
    if purposes is not None:
        words = [_PURPOSES.get(oid, oid.dotted_string) for oid in purposes.value]
        yield Field(label="Purposes", value=", ".join(words) + _critical(purposes))
    basic = _extension(extensions, x509.BasicConstraints)
    if basic is not None:
        yield Field(label="Authority", value=_authority_text(basic.value) + _critical(basic))
    others = [
        extension.oid.dotted_string + _critical(extension)
        for extension in extensions
        if not isinstance(extension.value, _SHOWN)
    ]
    if others:
        yield Field(label="Other extensions", value=", ".join(others), is_code=True)


def _authority_text(basic: x509.BasicConstraints) -> str:
    if not basic.ca:
        return "no: it signs no certificates"
    return "yes" if basic.path_length is None else f"yes, {basic.path_length} authorities below it"


def _pointers(extensions: x509.Extensions) -> Iterator[Field]:
    points = _extension(extensions, x509.CRLDistributionPoints)
    if points is not None:
        for name in (name for point in points.value for name in point.full_name or ()):
            yield _link("CRL", name)
    access = _extension(extensions, x509.AuthorityInformationAccess)
    if access is not None:
        for description in access.value:
            is_ocsp = description.access_method == x509.oid.AuthorityInformationAccessOID.OCSP
            yield _link("OCSP" if is_ocsp else "Issuer's certificate", description.access_location)
    if points is None and access is None:
        yield Field(label="Pointers", value="none")


def _link(label: str, name: x509.GeneralName) -> Field:
    value = str(name.value)
    is_web = value.startswith(("http://", "https://"))
    return Field(label=label, value=visible(value), url=value if is_web else "", is_code=True)


def _issuer(certificate: x509.Certificate, extensions: x509.Extensions) -> Iterator[Field]:
    yield Field(label="Issuer", value=visible(subject_text(certificate.issuer)))
    algorithm = certificate.signature_algorithm_oid
    yield Field(label="Signature", value=getattr(algorithm, "_name", "") or algorithm.dotted_string)
    yield Field(
        label="SHA-256 of the certificate",
        value=hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest(),
        is_code=True,
    )
    own = _extension(extensions, x509.SubjectKeyIdentifier)
    if own is not None:
        yield Field(label="Key identifier", value=own.value.digest.hex(), is_code=True)
    above = _extension(extensions, x509.AuthorityKeyIdentifier)
    if above is not None and above.value.key_identifier is not None:
        yield Field(label="Issuer's key identifier", value=above.value.key_identifier.hex(), is_code=True)


def _extension(extensions: x509.Extensions, kind: Callable[..., Any]) -> x509.Extension[Any] | None:
    return next((extension for extension in extensions if isinstance(extension.value, kind)), None)  # type: ignore[arg-type]  # kinds are classes


def _critical(extension: x509.Extension[Any]) -> str:
    return " (critical)" if extension.critical else ""
