from __future__ import annotations

import hashlib
import random
import sys
from collections.abc import Callable
from math import gcd, isqrt, prod
from pathlib import Path
from typing import Any, cast

import gmpy2
import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from certuary.core import der, oids
from certuary.core.blocklist import EMPTY, Blocklist
from certuary.core.keypolicy import PublicKey, check_key, load_public_key
from certuary.errors import KeyRefused, MalformedCsr
from tests.request_maker import SigningKey, spki

GENERATED: dict[str, Callable[[], SigningKey]] = {
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "P-521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "RSA-2048": lambda: rsa.generate_private_key(65537, 2048),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
}
RANDOM = random.Random(7)


def rsa_spki(modulus: int, exponent: int = 65537, *, null: bytes = der.NULL) -> bytes:
    numbers = der.tlv(der.SEQUENCE, der.integer(modulus), der.integer(exponent))
    algorithm = der.tlv(der.SEQUENCE, oids.RSA_ENCRYPTION, null)
    return der.tlv(der.SEQUENCE, algorithm, der.tlv(der.BIT_STRING, b"\x00", numbers))


def ec_spki(curve: bytes, point: bytes) -> bytes:
    algorithm = der.tlv(der.SEQUENCE, oids.EC_PUBLIC_KEY, curve)
    return der.tlv(der.SEQUENCE, algorithm, der.tlv(der.BIT_STRING, b"\x00", point))


def refusal(spki_der: bytes, blocklist: Blocklist = EMPTY) -> str:
    """The rule that a key breaks."""
    with pytest.raises(KeyRefused) as caught:
        check_key(*load_public_key(spki_der), blocklist)
    return caught.value.rule


def prime(bits: int) -> int:
    return int(gmpy2.next_prime(RANDOM.getrandbits(bits) | (3 << (bits - 2))))


@pytest.mark.parametrize("generate", GENERATED.values(), ids=GENERATED.keys())
def test_a_fresh_key_is_accepted(generate: Callable[[], SigningKey]) -> None:
    public_key, spki_der = load_public_key(spki(generate()))
    assert spki(public_key) == spki_der
    check_key(public_key, spki_der, EMPTY)


# --- RSA: sizes


def odd(bits: int) -> int:
    return (1 << (bits - 1)) + 1


SIZES = {
    "rsa-modulus-too-small": [rsa_spki(odd(2047)), rsa_spki(odd(512)), rsa_spki(0)],
    "rsa-modulus-too-large": [rsa_spki(odd(8193)), rsa_spki(odd(131_072))],
    "rsa-exponent-even": [rsa_spki(odd(2048), 65538), rsa_spki(odd(2048), 0), rsa_spki(odd(2048), 1 << 64)],
    "rsa-exponent-too-small": [rsa_spki(odd(2048), 1), rsa_spki(odd(2048), 3), rsa_spki(odd(2048), 65535)],
    "rsa-exponent-too-large": [rsa_spki(odd(2048), (1 << 64) + 1), rsa_spki(odd(2048), odd(2048))],
}


@pytest.mark.parametrize(("rule", "encoded"), [(rule, each) for rule, all_ in SIZES.items() for each in all_])
def test_an_rsa_key_is_refused_by_its_sizes(rule: str, encoded: bytes) -> None:
    assert refusal(encoded) == rule


def sound_modulus(bits: int) -> int:
    """Looks like the product of two large primes to everything but a factorisation, which would take longer."""
    while True:
        modulus = RANDOM.getrandbits(bits) | (1 << (bits - 1)) | 1
        if gcd(modulus, SMALL_PRIMES) == 1:
            return modulus


@pytest.mark.parametrize(("bits", "exponent"), [(2048, 65537), (8192, 65537), (2048, (1 << 64) - 1)])
def test_an_rsa_key_is_accepted_at_the_bounds_of_its_sizes(bits: int, exponent: int) -> None:
    check_key(*load_public_key(rsa_spki(sound_modulus(bits), exponent)), EMPTY)


# --- RSA: moduli that can be factored


def fermat_modulus() -> int:
    first = prime(1024)
    return first * int(gmpy2.next_prime(first + (1 << 300)))


def roca_modulus() -> int:
    """A number of the fingerprint: 65537 to some power, modulo the product of the first primes."""
    primorial = 0x924CBA6AE99DFA084537FACC54948DF0C23DA044D8CABE0EDD75BC6
    while True:
        modulus = pow(65537, 123_456, primorial) + primorial * (RANDOM.getrandbits(1829) | (1 << 1828))
        if modulus % 2 and modulus.bit_length() == 2048 and gcd(modulus, SMALL_PRIMES) == 1:
            return modulus


def sparse_modulus() -> int:
    """Every fourth group of 16 bits only, as some hardware's random generators left it."""
    while True:
        groups = (RANDOM.getrandbits(16) for _ in range(16))
        modulus = sum(group << (128 * place) for place, group in enumerate(groups)) | (1 << 2047) | 1
        if gcd(modulus, SMALL_PRIMES) == 1:
            return modulus


SMALL_PRIMES = prod(n for n in range(3, 65538) if gmpy2.is_prime(n))

WEAK: dict[str, Callable[[], int]] = {
    "rsa-small-factor": lambda: prime(2035) * 8191,
    "rsa-fermat": fermat_modulus,
    "rsa-roca": roca_modulus,
    "rsa-sparse-modulus": sparse_modulus,
}


@pytest.mark.parametrize(("rule", "make"), WEAK.items())
def test_an_rsa_modulus_is_refused_that_can_be_factored(rule: str, make: Callable[[], int]) -> None:
    modulus = make()
    assert modulus.bit_length() == 2048
    assert refusal(rsa_spki(modulus)) == rule


def test_a_modulus_that_is_a_square_is_refused() -> None:
    modulus = prime(1024) ** 2
    assert isqrt(modulus) ** 2 == modulus
    assert refusal(rsa_spki(modulus)) == "rsa-fermat"


def test_an_even_modulus_is_refused() -> None:
    assert refusal(rsa_spki(2 * prime(2047))) == "rsa-small-factor"


def test_a_modulus_that_shares_a_prime_with_known_keys_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = prime(1024)
    moduli = cast(Any, sys.modules["badkeys.rsakeys.sharedprimes"])._moduli
    monkeypatch.setitem(moduli, 2048, gmpy2.mpz(shared * prime(1024)))
    assert refusal(rsa_spki(shared * prime(1024))) == "rsa-shared-prime"


# --- types and curves


def _explicit_parameters() -> bytes:
    return ec_spki(der.tlv(der.SEQUENCE, der.integer(1)), b"\x04" + bytes(64))


def _other(key: x25519.X25519PublicKey | ed448.Ed448PublicKey | dsa.DSAPublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


OTHER = {
    "secp256k1": ("curve-not-allowed", spki(ec.generate_private_key(ec.SECP256K1()))),
    "P-224": ("curve-not-allowed", spki(ec.generate_private_key(ec.SECP224R1()))),
    "P-192": ("curve-not-allowed", ec_spki(bytes.fromhex("06082a8648ce3d030101"), b"\x04" + bytes(48))),
    "brainpoolP256r1": ("curve-not-allowed", spki(ec.generate_private_key(ec.BrainpoolP256R1()))),
    "explicit curve parameters": ("curve-not-allowed", _explicit_parameters()),
    "no curve": ("curve-not-allowed", ec_spki(b"", b"\x04" + bytes(64))),
    "X25519": ("key-type-not-allowed", _other(x25519.X25519PrivateKey.generate().public_key())),
    "Ed448": ("key-type-not-allowed", _other(ed448.Ed448PrivateKey.generate().public_key())),
    "DSA": ("key-type-not-allowed", _other(dsa.generate_private_key(2048).public_key())),
    "RSA-PSS only": (
        "key-type-not-allowed",
        spki(rsa.generate_private_key(65537, 2048)).replace(oids.RSA_ENCRYPTION, oids.RSASSA_PSS),
    ),
    "a point off its curve": ("point-off-curve", ec_spki(oids.SECP256R1, b"\x04" + bytes(63) + b"\x01")),
    "a point at infinity": ("point-off-curve", ec_spki(oids.SECP256R1, b"\x00")),
    "a point cut short": ("point-off-curve", ec_spki(oids.SECP256R1, b"\x04" + bytes(63))),
    "a P-256 point on P-384": (
        "point-off-curve",
        ec_spki(oids.SECP384R1, spki(ec.generate_private_key(ec.SECP256R1()))[-65:]),
    ),
    "no point": ("point-off-curve", ec_spki(oids.SECP256R1, b"")),
}


@pytest.mark.parametrize(("rule", "encoded"), OTHER.values(), ids=OTHER.keys())
def test_a_key_is_refused_for(rule: str, encoded: bytes) -> None:
    assert refusal(encoded) == rule


@pytest.mark.parametrize(
    "encoded",
    [
        b"\x30\x00",
        b"\x30\x02\x30\x00",
        der.tlv(der.SEQUENCE, der.tlv(der.SEQUENCE, oids.ED25519), der.tlv(der.BIT_STRING, bytes(32))),
        der.tlv(der.SEQUENCE, der.tlv(der.SEQUENCE, oids.RSA_ENCRYPTION, der.NULL), b"\x03\x01\x00"),
        der.tlv(der.SEQUENCE, der.tlv(der.SEQUENCE, oids.RSA_ENCRYPTION, der.NULL), b"\x03\x00"),
        rsa_spki(odd(2048))[:-1],
        rsa_spki(odd(2048)) + b"\x00",
    ],
)
def test_a_key_that_cannot_be_read_is_malformed(encoded: bytes) -> None:
    with pytest.raises(MalformedCsr):
        load_public_key(encoded)


def test_a_negative_modulus_is_refused() -> None:
    """Read without its sign it would pass the size rules."""
    numbers = der.tlv(der.SEQUENCE, der.tlv(der.INTEGER, b"\xff" * 256), der.integer(65537))
    algorithm = der.tlv(der.SEQUENCE, oids.RSA_ENCRYPTION, der.NULL)
    with pytest.raises(MalformedCsr):
        load_public_key(der.tlv(der.SEQUENCE, algorithm, der.tlv(der.BIT_STRING, b"\x00", numbers)))


# --- one key, one encoding


def test_a_compressed_point_is_given_its_usual_encoding() -> None:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    compressed = ec_spki(oids.SECP256R1, key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint))
    loaded, spki_der = load_public_key(compressed)
    assert loaded == key
    assert spki_der == spki(key)


def test_an_rsa_key_without_its_null_is_given_its_usual_encoding() -> None:
    modulus = sound_modulus(2048)
    _, spki_der = load_public_key(rsa_spki(modulus, null=b""))
    assert spki_der == rsa_spki(modulus)


# --- blocklist


def _number(key: PublicKey) -> bytes:
    """What badkeys hashes, computed from the key's own numbers."""
    if isinstance(key, rsa.RSAPublicKey):
        value = key.public_numbers().n
    elif isinstance(key, ec.EllipticCurvePublicKey):
        value = key.public_numbers().x
    else:
        value = int.from_bytes(key.public_bytes_raw(), "big")
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


@pytest.mark.parametrize("generate", GENERATED.values(), ids=GENERATED.keys())
@pytest.mark.parametrize("hashed", [_number, spki])
def test_a_key_on_the_blocklist_is_refused(
    generate: Callable[[], SigningKey], hashed: Callable[[PublicKey], bytes]
) -> None:
    key = generate().public_key()
    record = hashlib.sha256(hashed(key)).digest()[:15] + b"\x01"
    assert refusal(spki(key), Blocklist(record)) == "key-on-blocklist"
    other = generate().public_key()
    check_key(*load_public_key(spki(other)), Blocklist(record))


def test_a_key_whose_number_begins_with_a_zero_octet_is_found_on_the_blocklist() -> None:
    while True:
        key = ec.generate_private_key(ec.SECP256R1()).public_key()
        if key.public_numbers().x < 1 << 248:
            break
    record = hashlib.sha256(_number(key)).digest()[:15] + b"\x01"
    assert refusal(spki(key), Blocklist(record)) == "key-on-blocklist"


def test_a_compressed_point_does_not_slip_past_the_blocklist() -> None:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    record = hashlib.sha256(spki(key)).digest()[:15] + b"\xff"
    compressed = ec_spki(oids.SECP256R1, key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint))
    assert refusal(compressed, Blocklist(record)) == "key-on-blocklist"


def test_each_rule_of_refusal_is_explained_in_the_documentation() -> None:
    source = Path(sys.modules["certuary.core.keypolicy"].__file__ or "").read_text()
    documented = (Path(__file__).parents[3] / "docs" / "keys.md").read_text()
    rules = [*SIZES, *WEAK, "rsa-shared-prime", "key-on-blocklist", *{rule for rule, _ in OTHER.values()}]
    assert all(f'"{rule}"' in source for rule in rules)
    assert [rule for rule in rules if f"`{rule}`" not in documented] == []
