"""Certificates: what a planned one holds, and how it is signed (RFC 5280 section 4).

A plan is complete before a key is touched: all that a linter wants to see is in it, signing adds nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from certuary.errors import MalformedCertificate

SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
SubjectKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey
AnyExtension = x509.Extension[x509.ExtensionType]
HashAlgorithm = hashes.SHA256 | hashes.SHA384

AUTHORITY_BACKDATE = timedelta(hours=1)
"""A new authority is valid since an hour ago, so that backdated certificates lie within its time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyType:
    """A kind of signing key. `curve` is for EC keys; `hash_algorithm` None where the scheme has its own."""

    name: str
    generate: Callable[[], SigningKey]
    hash_algorithm: HashAlgorithm | None
    curve: str | None = None


KEY_TYPES: dict[str, KeyType] = {
    kind.name: kind
    for kind in (
        KeyType(
            name="ec-p256",
            generate=lambda: ec.generate_private_key(ec.SECP256R1()),
            hash_algorithm=hashes.SHA256(),
            curve="secp256r1",
        ),
        KeyType(
            name="ec-p384",
            generate=lambda: ec.generate_private_key(ec.SECP384R1()),
            hash_algorithm=hashes.SHA384(),
            curve="secp384r1",
        ),
        KeyType(
            name="rsa-3072",
            generate=lambda: rsa.generate_private_key(65537, 3072),
            hash_algorithm=hashes.SHA256(),
        ),
        KeyType(
            name="rsa-4096",
            generate=lambda: rsa.generate_private_key(65537, 4096),
            hash_algorithm=hashes.SHA256(),
        ),
        KeyType(name="ed25519", generate=ed25519.Ed25519PrivateKey.generate, hash_algorithm=None),
    )
}
_HASH_OF_CURVE = {kind.curve: kind.hash_algorithm for kind in KEY_TYPES.values() if kind.curve}
_RSA_HASH = KEY_TYPES["rsa-3072"].hash_algorithm


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificatePlan:
    """A certificate but for its signature. Times are zone-aware and whole seconds.

    `planned_at` and `issuer_not_after` are not part of the certificate: the lints compare with them.
    """

    serial: int
    issuer: x509.Name
    subject: x509.Name
    alternative_names: tuple[x509.GeneralName, ...]
    public_key: SubjectKey
    not_before: datetime
    not_after: datetime
    extensions: tuple[AnyExtension, ...]
    planned_at: datetime
    issuer_not_after: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedCertificate:
    certificate: x509.Certificate
    der: bytes


def sign_plan(plan: CertificatePlan, key: SigningKey) -> IssuedCertificate:
    """Sign exactly what the plan says."""
    # The builder's setters each copy and check what the profile and the lints have checked already.
    certificate = x509.CertificateBuilder(
        plan.issuer,
        plan.subject,
        plan.public_key,
        plan.serial,
        _naive(plan.not_before),
        _naive(plan.not_after),
        list(plan.extensions),
    ).sign(key, hash_for(key))
    return IssuedCertificate(certificate=certificate, der=certificate.public_bytes(Encoding.DER))


def certificate_from_der(octets: bytes) -> x509.Certificate:
    """One whose names, dates and extensions can be read. `MalformedCertificate` for whatever else the octets are."""
    return _readable(x509.load_der_x509_certificate, octets)


def certificate_from_pem(octets: bytes) -> x509.Certificate:
    """The first one in it; else like `certificate_from_der`."""
    return _readable(x509.load_pem_x509_certificate, octets)


def _readable(load: Callable[[bytes], x509.Certificate], octets: bytes) -> x509.Certificate:
    try:
        certificate = load(octets)
        # `cryptography` parses these when they are first asked for.
        _ = certificate.subject, certificate.issuer, certificate.extensions
        _ = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    except Exception:
        # Not only ValueError: a version that X.509 does not have, an extension that occurs twice and a name of a kind
        # that is not supported are exceptions of their own, and an unknown TLS feature ends in a KeyError.
        raise MalformedCertificate("the certificate cannot be read") from None
    return certificate


def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """By name and signature; dates are another question."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def hash_for(key: SigningKey) -> HashAlgorithm | None:
    """The hash that this key signs with; None for Ed25519, which brings its own (RFC 8410)."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return _HASH_OF_CURVE[key.curve.name]
    if isinstance(key, rsa.RSAPrivateKey):
        return _RSA_HASH
    return None


def subject_key_identifier(spki_der: bytes) -> bytes:
    """Leftmost 160 bits of SHA-256 over the subjectPublicKey bits: RFC 7093 section 2, method 1."""
    _, algorithm = _contents(spki_der, 0)
    end_of_algorithm, _ = _contents(spki_der, algorithm)
    _, bits = _contents(spki_der, end_of_algorithm)
    return hashlib.sha256(spki_der[bits + 1 :]).digest()[:20]  # + 1: the count of unused bits


def _contents(der: bytes, start: int) -> tuple[int, int]:
    """Where the element at `start` ends and where its contents begin, in DER that was parsed before."""
    length = der[start + 1]
    begin = start + 2
    if length & 0x80:
        octets = length & 0x7F
        length = int.from_bytes(der[begin : begin + octets], "big")
        begin += octets
    return begin + length, begin


def build_root(
    public_key: SubjectKey, *, organization: str, serial: int, now: datetime, years: int = 20
) -> CertificatePlan:
    """A self-issued trust anchor (RFC 5280 section 3.2); sign it with the key it certifies."""
    name = authority_name(f"{organization} Root CA", organization)
    not_after = _whole_second(now) + timedelta(days=365 * years)
    return _plan_authority(
        public_key, name, name, None, serial=serial, now=now, not_after=not_after, path_length=None
    )


def build_issuing(
    public_key: SubjectKey,
    *,
    issuer: x509.Certificate,
    organization: str,
    serial: int,
    now: datetime,
    years: int = 10,
    crl_url: str = "",
    ca_url: str = "",
) -> CertificatePlan:
    """An authority below `issuer` that signs end-entity certificates only; never valid beyond its issuer."""
    name = authority_name(f"{organization} Issuing CA", organization)
    not_after = min(_whole_second(now) + timedelta(days=365 * years), issuer.not_valid_after_utc)
    return _plan_authority(
        public_key, name, issuer.subject, issuer, serial=serial, now=now, not_after=not_after, path_length=0,
        pointers=pointer_extensions(crl_url, ca_url),
    )  # fmt: skip


def authority_name(common_name: str, organization: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def tls_listener_plan(
    public_key: SubjectKey,
    *,
    issuer: x509.Certificate,
    hostnames: Sequence[str],
    serial: int,
    now: datetime,
    days: int = 90,
    crl_url: str = "",
    ca_url: str = "",
) -> CertificatePlan:
    """The EST listener's own certificate; `hostnames` are DNS names and IP addresses."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostnames[0][:64])])
    names = tuple(_listener_name(hostname) for hostname in hostnames)
    start = _whole_second(now)
    usages = (
        {"digital_signature", "key_encipherment"}
        if isinstance(public_key, rsa.RSAPublicKey)
        else {"digital_signature"}
    )
    extensions = (
        extension(x509.BasicConstraints(ca=False, path_length=None), critical=True),
        key_usage_extension(usages),
        extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])),
        extension(x509.SubjectAlternativeName(names)),
        extension(x509.SubjectKeyIdentifier(subject_key_identifier(_spki(public_key)))),
        authority_key_identifier(issuer),
        *pointer_extensions(crl_url, ca_url),
    )
    return CertificatePlan(
        serial=serial,
        issuer=issuer.subject,
        subject=subject,
        alternative_names=names,
        public_key=public_key,
        not_before=start - timedelta(minutes=5),
        not_after=min(start + timedelta(days=days), issuer.not_valid_after_utc),
        extensions=extensions,
        planned_at=start,
        issuer_not_after=issuer.not_valid_after_utc,
    )


def _listener_name(hostname: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(hostname))
    except ValueError:
        return x509.DNSName(hostname)


def _plan_authority(
    public_key: SubjectKey,
    subject: x509.Name,
    issuer_name: x509.Name,
    issuer: x509.Certificate | None,
    *,
    serial: int,
    now: datetime,
    not_after: datetime,
    path_length: int | None,
    pointers: Sequence[AnyExtension] = (),
) -> CertificatePlan:
    identifier = x509.SubjectKeyIdentifier(subject_key_identifier(_spki(public_key)))
    # RFC 5280 section 4.2.1.1: a self-signed certificate may leave the authority key identifier out; ours
    # has it, equal to its own identifier, which every client accepts.
    issuer_identifier = (
        authority_key_identifier(issuer)
        if issuer
        else extension(x509.AuthorityKeyIdentifier(identifier.digest, None, None))
    )
    start = _whole_second(now)
    return CertificatePlan(
        serial=serial,
        issuer=issuer_name,
        subject=subject,
        alternative_names=(),
        public_key=public_key,
        not_before=start - AUTHORITY_BACKDATE,
        not_after=not_after,
        extensions=(
            extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True),
            key_usage_extension({"key_cert_sign", "crl_sign"}),
            extension(identifier),
            issuer_identifier,
            *pointers,
        ),
        planned_at=start,
        issuer_not_after=issuer.not_valid_after_utc if issuer else not_after,
    )


_KEY_USAGE_BITS = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


def extension(value: x509.ExtensionType, *, critical: bool = False) -> AnyExtension:
    return x509.Extension(value.oid, critical, value)


def key_usage_extension(bits: set[str] | frozenset[str], *, critical: bool = True) -> AnyExtension:
    """`bits` are named as `x509.KeyUsage` names them."""
    return extension(x509.KeyUsage(**{bit: bit in bits for bit in _KEY_USAGE_BITS}), critical=critical)


def authority_key_identifier(issuer: x509.Certificate) -> AnyExtension:
    """RFC 5280 section 4.2.1.1: the issuer's own subject key identifier, whatever method made it."""
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return extension(x509.AuthorityKeyIdentifier(identifier.digest, None, None))


def pointer_extensions(crl_url: str, ca_url: str) -> tuple[AnyExtension, ...]:
    """Where the issuer's CRL and certificate are (RFC 5280 sections 4.2.1.13, 4.2.2.1); "" leaves one out."""
    found: list[AnyExtension] = []
    if crl_url:
        point = x509.DistributionPoint([x509.UniformResourceIdentifier(crl_url)], None, None, None)
        found.append(extension(x509.CRLDistributionPoints([point])))
    if ca_url:
        location = x509.UniformResourceIdentifier(ca_url)
        access = x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, location)
        found.append(extension(x509.AuthorityInformationAccess([access])))
    return tuple(found)


def _spki(public_key: SubjectKey) -> bytes:
    return public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _whole_second(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
