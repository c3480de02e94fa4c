from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from certuary.core.operator_ca import build_operator_certificate, certify_user, user_key
from certuary.errors import InvalidSeal
from tests.people_ca import unreadable

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@cache
def operator() -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    return key, build_operator_certificate(key, instance="i-1", serial=7, now=NOW)


def certify(user: str = "olga") -> tuple[ec.EllipticCurvePublicKey, bytes]:
    issuer_key, issuer = operator()
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    return key, certify_user(key, user=user, issuer=issuer, issuer_key=issuer_key, serial=8, now=NOW)


def test_the_operator_ca_certifies_users_and_nothing_below() -> None:
    _, certificate = operator()
    certificate.verify_directly_issued_by(certificate)
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (constraints.ca, constraints.path_length) == (True, 0)
    assert (usage.key_cert_sign, usage.digital_signature) == (True, False)
    assert certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)[0].value == "i-1"


def test_a_users_certificate_signs_and_certifies_nobody() -> None:
    certificate = x509.load_der_x509_certificate(certify()[1])
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert constraints.ca is False
    assert (usage.key_cert_sign, usage.digital_signature) == (False, True)


@pytest.mark.parametrize("user", ["olga", "W\u00e4rmeamt, Werk 1", "a=b+c"])
def test_the_key_of_a_certificate_is_the_users(user: str) -> None:
    key, certificate = certify(user)
    assert user_key(certificate, user=user, issuer=operator()[1]) == key


def test_a_certificate_is_for_its_own_user_only() -> None:
    with pytest.raises(InvalidSeal, match="not that of 'mallory'"):
        user_key(certify()[1], user="mallory", issuer=operator()[1])


def test_the_operator_cas_own_certificate_is_no_users() -> None:
    _, certificate = operator()
    with pytest.raises(InvalidSeal):
        user_key(certificate.public_bytes(Encoding.DER), user="Certuary Operator CA", issuer=certificate)


@pytest.mark.parametrize("instance", ["i-1", "i-2"])
def test_a_certificate_of_another_operator_ca_is_refused(instance: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    other = build_operator_certificate(key, instance=instance, serial=7, now=NOW)
    public_key = ec.generate_private_key(ec.SECP256R1()).public_key()
    certificate = certify_user(public_key, user="olga", issuer=other, issuer_key=key, serial=8, now=NOW)
    with pytest.raises(InvalidSeal, match="not one of the operator CA"):
        user_key(certificate, user="olga", issuer=operator()[1])


def test_a_key_of_another_algorithm_is_refused() -> None:
    issuer_key, issuer = operator()
    builder = x509.CertificateBuilder(
        subject_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "olga")]),
        issuer_name=issuer.subject,
        public_key=ed25519.Ed25519PrivateKey.generate().public_key(),
        serial_number=9,
        not_valid_before=NOW,
        not_valid_after=NOW.replace(year=2027),
    )
    certificate = builder.sign(issuer_key, hashes.SHA256()).public_bytes(Encoding.DER)
    with pytest.raises(InvalidSeal, match="not that of 'olga'"):
        user_key(certificate, user="olga", issuer=issuer)


def hostile() -> list[bytes]:
    der = certify()[1]
    return [
        b"",
        b"\x30\x80",
        b"\x00" * 100,
        der[:-1],
        der + b"\x00",
        der[:40] + bytes([der[40] ^ 1]) + der[41:],
        *unreadable(der).values(),
    ]


@pytest.mark.parametrize("octets", hostile())
def test_octets_that_are_no_certificate_are_an_invalid_seal(octets: bytes) -> None:
    with pytest.raises(InvalidSeal):
        user_key(octets, user="olga", issuer=operator()[1])


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
def test_every_altered_octet_of_a_certificate_is_an_invalid_seal_and_nothing_else() -> None:
    _, certificate = certify()
    for index in range(len(certificate)):
        altered = bytearray(certificate)
        altered[index] ^= 0xFF
        with pytest.raises(InvalidSeal):
            user_key(bytes(altered), user="olga", issuer=operator()[1])
