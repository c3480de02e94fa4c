"""Certificates and requests as people read them: their fields in groups. RFC 5280 section 4, RFC 2986."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from certuary.core.certificate import certificate_from_der
from certuary.core.csr import Csr
from certuary.core.names import ATTRIBUTE_NAMES, general_name_text, subject_text
from certuary.core.values import key_hash
from certuary.errors import MalformedCertificate
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


Extensions = Iterable[x509.Extension[x509.ExtensionType]]


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
        return _certificate_sections(certificate_from_der(der))
    except (MalformedCertificate, ValueError, TypeError):
        return ()


def _certificate_sections(certificate: x509.Certificate) -> tuple[Section, ...]:
    extensions = certificate.extensions
    return _sections(
        ("Subject", _subject(certificate.subject)),
        ("Names", _names(_alternative_names(extensions))),
        ("Key", _key(certificate)),
        ("Usage", _usage(extensions)),
        ("Where to check it", _pointers(extensions)),
        ("Issuer and signature", _issuer(certificate, extensions)),
    )


def decode_sample(certificate: x509.Certificate) -> tuple[Section, ...]:
    """What a profile would make, with how long it would be valid."""
    _, names, *rest = decode(certificate.public_bytes(Encoding.DER))
    subject, validity = _sections(
        ("Subject", _whole(certificate.subject)), ("Validity", _validity(certificate))
    )
    return (subject, names, validity, *rest)


def decode_csr(csr: Csr) -> tuple[Section, ...]:
    """As it was asked for; an extension that we do not know is named by its number."""
    asked = tuple(_usage(csr.extensions)) or (Field(label="Extensions", value="none"),)
    return _sections(
        ("Subject", _whole(csr.subject)),
        ("Names", _names(csr.alternative_names)),
        ("Key", _key_fields(csr.public_key, csr.key_hash)),
        ("Asks for", asked),
    )


def _sections(*sections: tuple[str, Iterable[Field]]) -> tuple[Section, ...]:
    return tuple(Section(title=title, fields=tuple(fields)) for title, fields in sections)


def names_in_words(alternative_names: str) -> str:
    """Of a certificate's row: its JSON as words, without the kind where it goes without saying."""
    try:
        names = [str(name).removeprefix("DNS:") for name in json.loads(alternative_names or "[]")]
    except (ValueError, TypeError):
        names = [alternative_names]
    return visible(", ".join(names))


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


def _whole(subject: x509.Name) -> Iterator[Field]:
    """In one line, as subject rules have it."""
    yield Field(label="Subject", value=visible(subject_text(subject)) or "none", is_code=True)


def _subject(subject: x509.Name) -> Iterator[Field]:
    if not list(subject):
        yield Field(label="Subject", value="none: the names below are all there is")
    for attribute in subject:
        short = ATTRIBUTE_NAMES.get(attribute.oid, attribute.oid.dotted_string)
        yield Field(label=_ATTRIBUTES.get(short, short), value=_attribute_text(attribute))


def _attribute_text(attribute: x509.NameAttribute[Any]) -> str:
    value = attribute.value
    return value.hex() if isinstance(value, bytes) else visible(value)


def _alternative_names(extensions: Extensions) -> tuple[x509.GeneralName, ...]:
    found = _extension(extensions, x509.SubjectAlternativeName)
    return () if found is None else tuple(found.value)


def _validity(certificate: x509.Certificate) -> Iterator[Field]:
    yield Field(label="From", value=f"{certificate.not_valid_before_utc:%Y-%m-%d %H:%M:%S} UTC")
    yield Field(label="Until", value=f"{certificate.not_valid_after_utc:%Y-%m-%d %H:%M:%S} UTC")


def _names(names: Sequence[x509.GeneralName]) -> Iterator[Field]:
    if not names:
        yield Field(label="Alternative names", value="none")
    for name in names:
        kind, _, value = general_name_text(name).partition(":")
        yield Field(label=kind, value=visible(value))


def _key(certificate: x509.Certificate) -> Iterator[Field]:
    try:
        public_key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        yield Field(label="Key", value="of a kind that this release cannot read")
        return
    spki = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    yield from _key_fields(public_key, key_hash(spki))


def _key_fields(public_key: object, digest: str) -> Iterator[Field]:
    yield Field(label="Key", value=key_text(public_key))
    yield Field(label="SHA-256 of the key", value=digest, is_code=True)
    if isinstance(public_key, rsa.RSAPublicKey):
        yield Field(label="Exponent", value=str(public_key.public_numbers().e))


def _usage(extensions: Extensions) -> Iterator[Field]:
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


def _pointers(extensions: Extensions) -> Iterator[Field]:
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


def _issuer(certificate: x509.Certificate, extensions: Extensions) -> Iterator[Field]:
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


def _extension(extensions: Extensions, kind: Callable[..., Any]) -> x509.Extension[Any] | None:
    return next((extension for extension in extensions if isinstance(extension.value, kind)), None)  # type: ignore[arg-type]  # kinds are classes


def _critical(extension: x509.Extension[Any]) -> str:
    return " (critical)" if extension.critical else ""
