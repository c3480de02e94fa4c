"""Which public keys we accept. Each refusal names its rule; `docs/keys.md` explains every one.

The rules that need only the encoding (type, curve, sizes) come before a key is loaded or used, since a
hostile exponent makes a single verification slow. RSA moduli are then tried against the known ways of
factoring them, with badkeys' checks taken by name: its default set ends the process when its downloaded
blocklist is absent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

from badkeys.rsakeys import fermat, roca, rsapoly, sharedprimes, smallfactors
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from certuary.core import der, oids
from certuary.core.blocklist import Blocklist
from certuary.errors import KeyRefused, MalformedCsr

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey

MIN_MODULUS_BITS = 2048
MAX_MODULUS_BITS = 8192
MIN_EXPONENT = 65537
MAX_EXPONENT = 1 << 64

_CURVES = {oids.SECP256R1: 32, oids.SECP384R1: 48, oids.SECP521R1: 66}
_ED25519_ALGORITHM = der.tlv(der.SEQUENCE, oids.ED25519)
_ED25519_PREFIX_OCTETS = 12


def _ec_prefix(curve: bytes, coordinate_octets: int) -> bytes:
    """What stands before the coordinates of an uncompressed point (RFC 5480 section 2)."""
    algorithm = der.tlv(der.SEQUENCE, oids.EC_PUBLIC_KEY, curve)
    bits = der.tlv(der.BIT_STRING, b"\x00\x04", bytes(2 * coordinate_octets))
    whole = der.tlv(der.SEQUENCE, algorithm, bits)
    return whole[: -2 * coordinate_octets]


# Length of a whole SubjectPublicKeyInfo -> how it must begin.
_USUAL_EC: Mapping[int, bytes] = {
    len(prefix) + 2 * octets: prefix
    for prefix, octets in ((_ec_prefix(curve, octets), octets) for curve, octets in _CURVES.items())
}

_RSA_CHECKS: tuple[tuple[str, str, Callable[[int], object]], ...] = (
    ("rsa-small-factor", "the modulus has a prime factor below 65538", smallfactors),
    ("rsa-fermat", "the modulus is the product of two primes that are close together", fermat),
    ("rsa-roca", "the modulus has the form of a faulty Infineon library (ROCA, CVE-2017-15361)", roca),
    ("rsa-shared-prime", "the modulus shares a prime with other keys in the world", sharedprimes),
    ("rsa-sparse-modulus", "the modulus has the zero octets of a faulty random generator", rsapoly),
)


def load_public_key(spki_der: bytes) -> tuple[PublicKey, bytes]:
    """Load a key that passes the rules on its encoding: the key, and its SubjectPublicKeyInfo in the one
    usual form.

    A compressed point or an RSA key without its NULL is another encoding of the same key; hashes are taken
    over the usual one, so that no spelling slips past the blocklist or the key-reuse rule.
    """
    usual = _is_usual_ec(spki_der)
    algorithm = oids.EC_PUBLIC_KEY if usual else _check_encoding(spki_der)
    try:
        key = load_der_public_key(spki_der)
    except (ValueError, UnsupportedAlgorithm):
        raise _unreadable(algorithm) from None
    assert isinstance(key, PublicKey), "the encoding of every other type was refused"
    if usual:
        return key, spki_der
    return key, key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def check_key(public_key: PublicKey, spki_der: bytes, blocklist: Blocklist) -> None:
    """Apply every rule to a loaded key and its usual SubjectPublicKeyInfo, or raise `KeyRefused` naming
    one."""
    if not _is_usual_ec(spki_der):
        _check_encoding(spki_der)
    if isinstance(public_key, rsa.RSAPublicKey):
        _check_modulus(public_key.public_numbers().n)
    if len(blocklist):
        _check_blocklist(public_key, spki_der, blocklist)


def _is_usual_ec(spki_der: bytes) -> bool:
    prefix = _USUAL_EC.get(len(spki_der))
    return prefix is not None and spki_der.startswith(prefix)


def _check_encoding(spki_der: bytes) -> bytes:
    """Check type, curve and sizes without loading the key; give back the algorithm's object identifier.

    SubjectPublicKeyInfo ::= SEQUENCE { SEQUENCE { algorithm OID, parameters ANY OPTIONAL }, BIT STRING }
    """
    try:
        return _walk(spki_der)
    except der.NotDer as problem:
        raise MalformedCsr(f"the public key is not DER: {problem.detail}") from None


def _walk(spki: bytes) -> bytes:
    at, end = der.enter(spki, 0, len(spki), der.SEQUENCE)
    at, algorithm_end = der.enter(spki, at, end, der.SEQUENCE)
    _, parameters = der.enter(spki, at, algorithm_end, der.OBJECT_IDENTIFIER)
    algorithm = spki[at:parameters]
    bits, bits_end = der.enter(spki, algorithm_end, end, der.BIT_STRING)
    if algorithm == oids.RSA_ENCRYPTION:
        _check_rsa_sizes(spki, bits + 1, bits_end)
    elif algorithm == oids.EC_PUBLIC_KEY:
        if spki[parameters:algorithm_end] not in _CURVES:
            raise KeyRefused("use P-256, P-384 or P-521, as a named curve", rule="curve-not-allowed")
    elif algorithm != oids.ED25519:
        raise _not_allowed()
    return algorithm


def _check_rsa_sizes(spki: bytes, at: int, end: int) -> None:
    """RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER } (RFC 8017 appendix A.1.1)."""
    at, end = der.enter(spki, at, end, der.SEQUENCE)
    at, modulus_end = der.enter(spki, at, end, der.INTEGER)
    modulus_bits = int.from_bytes(spki[at:modulus_end], "big").bit_length()
    if modulus_bits < MIN_MODULUS_BITS:
        raise KeyRefused(
            f"the RSA modulus has {modulus_bits} bits; {MIN_MODULUS_BITS} is the least",
            rule="rsa-modulus-too-small",
        )
    if modulus_bits > MAX_MODULUS_BITS:
        raise KeyRefused(
            f"the RSA modulus has {modulus_bits} bits; {MAX_MODULUS_BITS} is the most",
            rule="rsa-modulus-too-large",
        )
    at, exponent_end = der.enter(spki, modulus_end, end, der.INTEGER)
    _check_exponent(int.from_bytes(spki[at:exponent_end], "big"))


def _check_exponent(exponent: int) -> None:
    if exponent > MAX_EXPONENT:
        raise KeyRefused("the RSA exponent is above 2^64", rule="rsa-exponent-too-large")
    if exponent % 2 == 0:
        raise KeyRefused("the RSA exponent is even", rule="rsa-exponent-even")
    if exponent < MIN_EXPONENT:
        raise KeyRefused(
            f"the RSA exponent is {exponent}; {MIN_EXPONENT} is the least", rule="rsa-exponent-too-small"
        )


def _check_modulus(modulus: int) -> None:
    for rule, reason, is_weak in _RSA_CHECKS:
        if is_weak(modulus):
            raise KeyRefused(reason, rule=rule)


def _check_blocklist(public_key: PublicKey, spki_der: bytes, blocklist: Blocklist) -> None:
    number = _key_number(public_key, spki_der)
    for octets in (spki_der, number):
        if blocklist.contains(hashlib.sha256(octets).digest()):
            raise KeyRefused(
                "the private key of this public key is known to be compromised; make a new one",
                rule="key-on-blocklist",
            )


def _key_number(public_key: PublicKey, spki_der: bytes) -> bytes:
    """The number that badkeys hashes, without leading zero octets."""
    if isinstance(public_key, rsa.RSAPublicKey):
        modulus = public_key.public_numbers().n
        return modulus.to_bytes((modulus.bit_length() + 7) // 8, "big")
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        prefix_octets = len(_USUAL_EC[len(spki_der)])
        x_end = prefix_octets + (len(spki_der) - prefix_octets) // 2
        return spki_der[prefix_octets:x_end].lstrip(b"\x00")
    return spki_der[_ED25519_PREFIX_OCTETS:].lstrip(b"\x00")


def _unreadable(algorithm: bytes) -> KeyRefused | MalformedCsr:
    if algorithm == oids.EC_PUBLIC_KEY:
        return KeyRefused("the public key is not a point of its curve", rule="point-off-curve")
    return MalformedCsr("the public key cannot be read")


def _not_allowed() -> KeyRefused:
    return KeyRefused("use an EC, RSA or Ed25519 key", rule="key-type-not-allowed")
