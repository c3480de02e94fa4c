"""Passwords: argon2id over HMAC(pepper, password), the pepper from the key store.

Without the pepper a stolen hash cannot be tested against guesses. 19 MiB, 2 passes, 1 lane: about 25 ms of one core.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type, hash_secret_raw
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from certuary.errors import InvalidValue

PEPPER_NAME = "pepper"
"""What the key store calls the secret."""

_TIME_COST = 2
_MEMORY_KIB = 19 * 1024
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # no characters that people confuse


@dataclass(frozen=True, slots=True)
class HashedPassword:
    """A password of which only the hash is left: it was typed, checked and hashed before the change was signed."""

    hash: str = field(repr=False)

    def __post_init__(self) -> None:
        if not self.hash.startswith("$argon2id$"):
            raise InvalidValue("this is not the hash of a password", rule="password")


class Passwords:
    def __init__(self, pepper: bytes) -> None:
        self._pepper = pepper
        self._hasher = PasswordHasher(time_cost=_TIME_COST, memory_cost=_MEMORY_KIB, parallelism=1)
        self._no_one = self._hasher.hash(secrets.token_bytes(32))

    def hash(self, password: str) -> str:
        return self._hasher.hash(self._peppered(password))

    def verify(self, stored_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored_hash, self._peppered(password))
        except (VerificationError, InvalidHashError):
            return False

    def verify_nobody(self, password: str) -> None:
        """Take the time that `verify` takes, for a caller whose answer is already a refusal."""
        self.verify(self._no_one, password)

    def wrapping_key(self, password: str, salt: bytes, info: bytes) -> bytes:
        """What wraps a user's signing key: HKDF over argon2id of the password, salted with the pepper. 32 octets."""
        stretched = hash_secret_raw(
            password.encode(),
            salt,
            time_cost=_TIME_COST,
            memory_cost=_MEMORY_KIB,
            parallelism=1,
            hash_len=32,
            type=Type.ID,
        )
        return HKDF(algorithm=hashes.SHA256(), length=32, salt=self._pepper, info=info).derive(stretched)

    def _peppered(self, password: str) -> bytes:
        return hmac.digest(self._pepper, password.encode(), "sha256")


def generate_password() -> str:
    """Five groups of five: 125 bits, typeable."""
    letters = [secrets.choice(_ALPHABET) for _ in range(25)]
    return "-".join("".join(letters[start : start + 5]) for start in range(0, 25, 5))
