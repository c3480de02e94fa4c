"""Key types, signing, and the plans of authorities and of the EST listener."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from certuary.core.certificate import (
    KEY_TYPES,
    build_issuing,
    build_root,
    certificate_from_der,
    certificate_from_pem,
    hash_for,
    is_issued_by,
    pointer_extensions,
    sign_plan,
    subject_key_identifier,
    tls_listener_plan,
)
from certuary.errors import MalformedCertificate
from tests.people_ca import unreadable
from tests.unit.core.issuing import (
    NOW,
    SERIAL,
    asked,
    issuing,
    planned,
    public_key,
    root,
    rsa_key,
    signing_key,
)


@pytest.mark.parametrize(
    ("key_type", "kind", "size", "algorithm"),
    [
        ("ec-p256", ec.EllipticCurvePrivateKey, 256, hashes.SHA256),
        ("ec-p384", ec.EllipticCurvePrivateKey, 384, hashes.SHA384),
        ("ed25519", ed25519.Ed25519PrivateKey, None, type(None)),
    ],
)
def test_a_key_type_generates_its_key_and_names_its_hash(
    key_type: str, kind: type, size: int | None, algorithm: type
) -> None:
    key = KEY_TYPES[key_type].generate()
    assert isinstance(key, kind)
    assert size is None or key.key_size == size  # type: ignore[union-attr]  # Ed25519 has one size and no name for it
    assert isinstance(hash_for(key), algorithm)
    assert isinstance(KEY_TYPES[key_type].hash_algorithm, algorithm)


def test_rsa_key_types_generate_their_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked_for: list[tuple[int, int]] = []
    made_before = rsa_key()

    def record(exponent: int, bits: int) -> rsa.RSAPrivateKey:
        asked_for.append((exponent, bits))
        return made_before

    monkeypatch.setattr(rsa, "generate_private_key", record)
    key = KEY_TYPES["rsa-3072"].generate()
    KEY_TYPES["rsa-4096"].generate()
    assert asked_for == [(65537, 3072), (65537, 4096)]
    assert isinstance(hash_for(key), hashes.SHA256)


@pytest.mark.parametrize("key_type", ["ec-p256", "ec-p384", "ed25519"])
def test_a_signed_plan_verifies_and_says_what_the_plan_says(key_type: str) -> None:
    key = signing_key("signer", key_type)
    authority = sign_plan(build_root(key.public_key(), organization="Acme", serial=SERIAL, now=NOW), key)
    plan = planned(asked())
    issued = sign_plan(replace(plan, issuer=authority.certificate.subject), key)
    issued.certificate.verify_directly_issued_by(authority.certificate)
    read = x509.load_der_x509_certificate(issued.der)
    assert read.serial_number == plan.serial
    assert read.subject == plan.subject
    assert read.not_valid_before_utc == plan.not_before
    assert read.not_valid_after_utc == plan.not_after
    assert tuple(read.extensions) == plan.extensions
    assert read.public_key() == plan.public_key


def test_signing_with_rsa_uses_sha256() -> None:
    certificate = sign_plan(planned(), rsa_key()).certificate
    assert isinstance(certificate.signature_hash_algorithm, hashes.SHA256)


def test_times_of_another_zone_are_signed_as_utc() -> None:
    zone = timezone(timedelta(hours=5))
    plan = planned()
    moved = replace(plan, not_before=plan.not_before.astimezone(zone))
    assert sign_plan(moved, signing_key("issuing")).certificate.not_valid_before_utc == plan.not_before


def test_a_certificate_beyond_2049_carries_its_year() -> None:
    plan = replace(planned(), not_after=datetime(2051, 1, 2, 3, 4, 5, tzinfo=UTC))
    certificate = sign_plan(plan, signing_key("issuing")).certificate
    assert certificate.not_valid_after_utc == datetime(2051, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_the_root_is_a_self_issued_ca_without_a_path_limit() -> None:
    certificate = root()
    certificate.verify_directly_issued_by(certificate)
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert constraints.value == x509.BasicConstraints(ca=True, path_length=None)
    assert certificate.not_valid_after_utc == NOW.replace(microsecond=0) + timedelta(days=20 * 365)
    assert certificate.subject.rfc4514_string() == "CN=Acme Root CA,O=Acme"


def test_the_issuing_authority_signs_end_entities_only() -> None:
    certificate = issuing()
    certificate.verify_directly_issued_by(root())
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.value == x509.BasicConstraints(ca=True, path_length=0)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.key_cert_sign
    assert usage.value.crl_sign
    assert not usage.value.digital_signature
    assert certificate.not_valid_after_utc == NOW.replace(microsecond=0) + timedelta(days=10 * 365)


def test_the_chain_is_linked_by_key_identifiers() -> None:
    def identifiers(certificate: x509.Certificate) -> tuple[bytes, bytes | None]:
        own = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
        above = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
        return own, above.key_identifier

    root_own, root_above = identifiers(root())
    _, issuing_above = identifiers(issuing())
    assert root_own == root_above == issuing_above
    assert len(root_own) == 20


def test_the_issuing_authority_does_not_outlive_its_root() -> None:
    plan = build_issuing(
        public_key("ec-p256"), issuer=root(), organization="Acme", serial=SERIAL, now=NOW, years=40
    )
    assert plan.not_after == root().not_valid_after_utc == plan.issuer_not_after


def test_the_issuing_authority_points_at_the_roots_crl_and_certificate() -> None:
    points = issuing().extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    access = issuing().extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    assert points[0].full_name == [x509.UniformResourceIdentifier("http://ca.example:8080/crl/root.crl")]
    assert access[0].access_method == AuthorityInformationAccessOID.CA_ISSUERS
    assert access[0].access_location.value == "http://ca.example:8080/ca/root.crt"


def test_a_pointer_without_an_address_is_left_out() -> None:
    assert pointer_extensions("", "") == ()
    assert [type(each.value) for each in pointer_extensions("http://a.example/x.crl", "")] == [
        x509.CRLDistributionPoints
    ]
    assert [type(each.value) for each in pointer_extensions("", "http://a.example/x.crt")] == [
        x509.AuthorityInformationAccess
    ]


@pytest.mark.parametrize("kind", ["ec-p256", "ec-p384", "ed25519", "rsa-2048"])
def test_the_subject_key_identifier_is_sha256_over_the_key_bits_cut_to_160(kind: str) -> None:
    # RFC 7093 section 2 method 1, computed with cryptography's own view of the key's bits.
    request = asked(key=kind)
    bits = x509.SubjectKeyIdentifier.from_public_key(request.public_key)  # SHA-1 over the same bits
    digest = hashes.Hash(hashes.SHA1())
    raw = _key_bits(request.spki_der)
    digest.update(raw)
    assert digest.finalize() == bits.digest
    ours = hashes.Hash(hashes.SHA256())
    ours.update(raw)
    assert subject_key_identifier(request.spki_der) == ours.finalize()[:20]


def _key_bits(spki_der: bytes) -> bytes:
    """The last so many octets of the SPKI: all of the BIT STRING but its header and its count of unused bits."""
    lengths = {91: 65, 120: 97, 44: 32, 294: 270}
    return spki_der[-lengths[len(spki_der)] :]


def _listener(hostnames: list[str], kind: str = "ec-p256") -> x509.Certificate:
    plan = tls_listener_plan(
        public_key(kind),
        issuer=issuing(),
        hostnames=hostnames,
        serial=SERIAL,
        now=NOW,
        crl_url="http://ca.example/crl/issuing.crl",
    )
    return sign_plan(plan, signing_key("issuing")).certificate


def test_the_listeners_certificate_names_every_host_and_address() -> None:
    certificate = _listener(["est.example", "10.0.0.1", "2001:db8::1"])
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["est.example"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.1", "2001:db8::1"]
    assert certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "est.example"
    purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert certificate.not_valid_after_utc - NOW.replace(microsecond=0) == timedelta(days=90)


def test_the_listeners_certificate_does_not_outlive_its_issuer() -> None:
    plan = tls_listener_plan(
        public_key("ec-p256"),
        issuer=issuing(),
        hostnames=["est.example"],
        serial=SERIAL,
        now=NOW,
        days=36_500,
    )
    assert plan.not_after == plan.issuer_not_after == issuing().not_valid_after_utc


@pytest.mark.parametrize(("kind", "enciphers"), [("ec-p256", False), ("rsa-2048", True)])
def test_only_an_rsa_listener_key_enciphers(kind: str, enciphers: bool) -> None:
    usage = _listener(["est.example"], kind).extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert usage.key_encipherment is enciphers


def test_a_long_host_name_is_cut_in_the_common_name_alone() -> None:
    host = ".".join(["a" * 40, "b" * 40, "example"])
    certificate = _listener([host])
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [host]
    assert certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == host[:64]


def test_signing_gives_the_same_der_that_the_certificate_holds() -> None:
    issued = sign_plan(planned(), signing_key("issuing"))
    assert issued.certificate.public_bytes(Encoding.DER) == issued.der


def test_a_certificate_is_issued_by_who_signed_it_under_that_name() -> None:
    assert is_issued_by(issuing(), root())
    assert is_issued_by(root(), root())
    assert not is_issued_by(root(), issuing())


def test_a_name_alone_makes_no_issuer() -> None:
    plan = build_root(signing_key("stranger").public_key(), organization="Acme", serial=1, now=NOW)
    imposter = sign_plan(plan, signing_key("stranger")).certificate
    assert imposter.subject == root().subject
    assert not is_issued_by(issuing(), imposter)


def test_a_certificate_is_read_from_der_and_pem() -> None:
    certificate = root()
    assert certificate_from_der(certificate.public_bytes(Encoding.DER)) == certificate
    assert certificate_from_pem(certificate.public_bytes(Encoding.PEM)) == certificate


UNREADABLE = {
    "nothing": b"",
    "no certificate": b"0",
    **unreadable(root().public_bytes(Encoding.DER)),
}


@pytest.mark.parametrize("octets", UNREADABLE.values(), ids=UNREADABLE)
def test_whatever_is_wrong_with_a_certificate_is_one_error_of_ours(octets: bytes) -> None:
    pem = b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(octets) + b"-----END CERTIFICATE-----\n"
    with pytest.raises(MalformedCertificate):
        certificate_from_der(octets)
    with pytest.raises(MalformedCertificate):
        certificate_from_pem(pem)
