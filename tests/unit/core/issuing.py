"""What the tests of profiles, plans and certificates share: an authority, keys, requests."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from certuary.core.certificate import (
    KEY_TYPES,
    AnyExtension,
    CertificatePlan,
    SigningKey,
    SubjectKey,
    build_issuing,
    build_root,
    extension,
    sign_plan,
)
from certuary.core.names import ATTRIBUTES
from certuary.core.profile import (
    CompiledProfile,
    NamesAndKey,
    Profile,
    compile_profile,
    issuer_facts,
    plan_certificate,
)

NOW = datetime(2026, 11, 23, 12, 0, 0, 250_000, tzinfo=UTC)
SERIAL = (1 << 140) + 7

MINIMAL = """\
name = "minimal"

[validity]
lifetime = "90d"

[keys]
allow = ["ec-p256", "rsa-2048+", "ed25519"]

[subject]
required = ["CN"]
optional = ["C", "O", "OU", "DC", "L", "serialNumber", "emailAddress", "unstructuredName"]

[alternative_names]
allow = ["dns", "ip", "email", "uri"]

[key_usage]
allow = ["digitalSignature", "keyEncipherment"]

[extended_key_usage]
allow = ["clientAuth", "serverAuth"]
"""

SHIPPED = {
    entry.name.removesuffix(".toml"): entry.read_text()
    for entry in files("certuary").joinpath("profiles").iterdir()
    if entry.name.endswith(".toml")
}


@cache
def signing_key(name: str, key_type: str = "ec-p256") -> SigningKey:
    """The same key for the same name, for as long as the tests run."""
    return KEY_TYPES[key_type].generate()


@cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@cache
def public_key(kind: str) -> SubjectKey:
    if kind.startswith("rsa-"):
        return rsa_key(int(kind[4:])).public_key()
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate().public_key()
    curves = {"ec-p256": ec.SECP256R1(), "ec-p384": ec.SECP384R1(), "ec-p521": ec.SECP521R1()}
    return ec.generate_private_key(curves[kind]).public_key()


@cache
def root() -> x509.Certificate:
    key = signing_key("root")
    plan = build_root(key.public_key(), organization="Acme", serial=SERIAL, now=NOW)
    return sign_plan(plan, key).certificate


@cache
def issuing() -> x509.Certificate:
    plan = build_issuing(
        signing_key("issuing").public_key(),
        issuer=root(),
        organization="Acme",
        serial=SERIAL + 1,
        now=NOW,
        crl_url="http://ca.example:8080/crl/root.crl",
        ca_url="http://ca.example:8080/ca/root.crt",
    )
    return sign_plan(plan, signing_key("root")).certificate


def compiled(toml_text: str = MINIMAL) -> CompiledProfile:
    facts = issuer_facts(issuing(), name="issuing", status_url="http://ca.example:8080")
    return compile_profile(Profile.from_toml(toml_text), facts)


def subject(*pairs: tuple[str, str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(ATTRIBUTES[word], value) for word, value in pairs])


def dns(*names: str) -> tuple[x509.GeneralName, ...]:
    return tuple(x509.DNSName(name) for name in names)


def address(text: str) -> x509.GeneralName:
    return x509.IPAddress(ip_address(text))


def mailbox(text: str) -> x509.GeneralName:
    """As a request's DER would give it: cryptography checks only what it is asked to make."""
    return x509.RFC822Name._init_without_validation(text)


def uri(text: str) -> x509.GeneralName:
    return x509.UniformResourceIdentifier._init_without_validation(text)


def host(text: str) -> x509.GeneralName:
    return x509.DNSName._init_without_validation(text)


def asked(
    name: x509.Name | None = None,
    alternative_names: Iterable[x509.GeneralName] = (),
    *,
    key: str = "ec-p256",
    extensions: Iterable[AnyExtension] = (),
) -> NamesAndKey:
    subject_key = public_key(key)
    return NamesAndKey(
        subject=subject(("CN", "dev-1")) if name is None else name,
        alternative_names=tuple(alternative_names),
        public_key=subject_key,
        spki_der=subject_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        extensions=tuple(extensions),
    )


def planned(request: NamesAndKey | None = None, toml_text: str = MINIMAL) -> CertificatePlan:
    return plan_certificate(request or asked(), compiled(toml_text), serial=SERIAL, now=NOW)


def changed(toml_text: str, old: str, new: str) -> str:
    """A profile's text with one thing in it replaced; it must have been there."""
    assert toml_text.count(old) == 1, old
    return toml_text.replace(old, new)


def key_usage(*bits: str, critical: bool = True) -> AnyExtension:
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return extension(x509.KeyUsage(**{name: name in bits for name in names}), critical=critical)


def purposes(*dotted: str, critical: bool = False) -> AnyExtension:
    value = x509.ExtendedKeyUsage([x509.ObjectIdentifier(each) for each in dotted])
    return extension(value, critical=critical)
