from __future__ import annotations

import base64

import pytest
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from certuary.core.operator_ca import user_key
from certuary.errors import InvalidSeal
from certuary.services.passwords import Passwords
from certuary.services.signing_key import unwrap
from tests.unit.services.sealing import PASSWORD, PASSWORDS, password_hash, signing_key, trust


def wrapped() -> str:
    return str(signing_key("olga").columns["signing_key"])


def test_the_password_opens_the_key_that_the_certificate_names() -> None:
    made = signing_key("olga")
    key = unwrap(wrapped(), "olga", PASSWORD, PASSWORDS)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.public_key() == user_key(made.certificate, user="olga", issuer=trust().operator_certificate)
    assert base64.b64decode(str(made.columns["signing_certificate"])) == made.certificate
    assert "key=" not in repr(made)


@pytest.mark.parametrize(
    ("user", "password", "passwords"),
    [
        ("olga", "another password", PASSWORDS),
        ("mallory", PASSWORD, PASSWORDS),
        ("olga", PASSWORD, Passwords(b"another pepper")),
    ],
    ids=["another password", "another user", "another pepper"],
)
def test_nothing_else_opens_it(user: str, password: str, passwords: Passwords) -> None:
    with pytest.raises(InvalidSeal, match="does not open"):
        unwrap(wrapped(), user, password, passwords)


@pytest.mark.parametrize("text", ["", "*", "AAAA", "\u00e4", "AQ=="])
def test_what_is_no_wrapped_key_does_not_open(text: str) -> None:
    with pytest.raises(InvalidSeal):
        unwrap(text, "olga", PASSWORD, PASSWORDS)


@pytest.mark.parametrize("index", [0, 1, 17, 29, -1])
def test_a_damaged_key_does_not_open(index: int) -> None:
    octets = bytearray(base64.b64decode(wrapped()))
    octets[index] ^= 1
    with pytest.raises(InvalidSeal):
        unwrap(base64.b64encode(octets).decode(), "olga", PASSWORD, PASSWORDS)


def test_two_wrappings_of_one_password_have_nothing_in_common() -> None:
    one, other = (
        base64.b64decode(str(signing_key(name).columns["signing_key"])) for name in ("olga", "anna")
    )
    assert one[1:17] != other[1:17]
    assert one[29:] != other[29:]


# Whoever reads the database has the hash and the wrapped key, and knows how both are made. They lack the pepper. Even
# the right password, once guessed, is not told from a wrong one.


@pytest.mark.parametrize("guess", [PASSWORD, "a wrong guess"])
def test_a_reader_of_the_database_cannot_test_a_guess_against_the_hash(guess: str) -> None:
    with pytest.raises(VerifyMismatchError):
        PasswordHasher().verify(password_hash(), guess)
    assert not Passwords(b"").verify(password_hash(), guess)


@pytest.mark.parametrize("guess", [PASSWORD, "a wrong guess"])
@pytest.mark.parametrize("pepper", [None, b"", b"\0" * 32], ids=["no pepper", "an empty one", "zeros"])
def test_a_reader_of_the_database_cannot_test_a_guess_against_the_wrapped_key(
    guess: str, pepper: bytes | None
) -> None:
    octets = base64.b64decode(wrapped())
    salt, nonce, sealed = octets[1:17], octets[17:29], octets[29:]
    stretched = hash_secret_raw(
        guess.encode(), salt, time_cost=2, memory_cost=19 * 1024, parallelism=1, hash_len=32, type=Type.ID
    )
    info = b"certuary signing key 1:olga"
    kdf = HKDF(algorithm=hashes.SHA256(), length=32, salt=pepper, info=info)
    for key in (kdf.derive(stretched), stretched):
        with pytest.raises(InvalidTag):
            AESGCM(key).decrypt(nonce, sealed, b"\x01olga")


def test_the_same_computation_with_the_pepper_does_open_it() -> None:
    """Else the two tests above would say nothing."""
    octets = base64.b64decode(wrapped())
    key = Passwords(b"pepper").wrapping_key(PASSWORD, octets[1:17], b"certuary signing key 1:olga")
    AESGCM(key).decrypt(octets[17:29], octets[29:], b"\x01olga")
