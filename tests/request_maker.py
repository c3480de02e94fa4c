"""Make certification requests, well-formed and not, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import AttributeOID, NameOID

from certuary.core import der, oids
from certuary.core.csr import Csr
from certuary.core.keypolicy import PublicKey

SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

KEY = ec.generate_private_key(ec.SECP256R1())
ECDSA_SHA256 = der.tlv(der.SEQUENCE, oids.ECDSA_WITH_SHA256)
EMPTY_ATTRIBUTES = der.tlv(der.CONTEXT_0)


def name(*parts: tuple[x509.ObjectIdentifier, str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(kind, text) for kind, text in parts])


COMMON_NAME_DER = name((NameOID.COMMON_NAME, "dev-1")).public_bytes()


def spki(key: SigningKey | PublicKey) -> bytes:
    public = cast(PublicKey, key.public_key() if hasattr(key, "public_key") else key)
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def usual_request(
    key: SigningKey = KEY,
    *,
    common_name: str = "dev-1",
    alternative_names: Sequence[x509.GeneralName] = (),
    challenge: str | None = None,
) -> bytes:
    """What `openssl req` would make."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(name((NameOID.COMMON_NAME, common_name)))
    if alternative_names:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternative_names), critical=False)
    if challenge is not None:
        builder = builder.add_attribute(AttributeOID.CHALLENGE_PASSWORD, challenge.encode())
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(Encoding.DER)


def info(
    *,
    version: bytes = b"\x02\x01\x00",
    subject_der: bytes = COMMON_NAME_DER,
    spki_der: bytes | None = None,
    attributes: bytes = EMPTY_ATTRIBUTES,
) -> bytes:
    return der.tlv(der.SEQUENCE, version, subject_der, spki_der or spki(KEY), attributes)


def request(info_der: bytes, *, algorithm: bytes = ECDSA_SHA256, signature: bytes | None = None) -> bytes:
    """Wrap an info of any shape; signed with `KEY` unless a signature is given."""
    made = KEY.sign(info_der, ec.ECDSA(hashes.SHA256())) if signature is None else signature
    return der.tlv(der.SEQUENCE, info_der, algorithm, der.tlv(der.BIT_STRING, b"\x00", made))


def attribute(oid: bytes, *values: bytes) -> bytes:
    return der.tlv(der.SEQUENCE, oid, der.tlv(der.SET, *values))


def attributes(*each: bytes) -> bytes:
    return der.tlv(der.CONTEXT_0, *sorted(each))


def extension_request(*extensions: x509.ExtensionType, oid: bytes = oids.EXTENSION_REQUEST) -> bytes:
    return attribute(oid, der.tlv(der.SEQUENCE, *map(_extension, extensions)))


def _extension(value: x509.ExtensionType) -> bytes:
    identifier = _oid(value.oid)
    return der.tlv(der.SEQUENCE, identifier, der.tlv(der.OCTET_STRING, value.public_bytes()))


def _oid(oid: x509.ObjectIdentifier) -> bytes:
    """Encode an identifier by letting `cryptography` write it into an extension and cutting it out again."""
    usage = x509.ExtendedKeyUsage([oid]).public_bytes()
    _, start, stop = der.read(usage, 0, len(usage))
    return usage[start:stop]


def public_key_of(csr: Csr) -> bytes:
    return csr.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
