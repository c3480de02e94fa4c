"""The sealed form of a key or secret, and the keys that seal it.

    passphrase --scrypt--> wrapping key --opens--> master key
    master key --HKDF, one per role--> role key --opens--> a sealed value

A sealed value is

    "CERTUARY"  version (1 octet)  length of role (1 octet)  role  nonce (12 octets)  AES-256-GCM output

and everything before the nonce, with the value's name, is authenticated: a file renamed to another key's
name, or carrying another role in its header, does not open.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from certuary.errors import KeyStoreDown

MASTER_KEY_OCTETS = 32
SALT_OCTETS = 16
DAMAGED = "key-store-damaged"

_MAGIC = b"CERTUARY"
_VERSION = 1
_NONCE_OCTETS = 12
_TAG_OCTETS = 16
_LONGEST_ROLE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class ScryptCost:
    """What one guess at the passphrase costs: by default 128 MiB and about 0.4 s of one core."""

    n: int = 2**17
    r: int = 8
    p: int = 1

    def __post_init__(self) -> None:
        # The bounds keep a damaged file from asking for all the memory there is. A small n cannot be smuggled
        # in: the master key opens only under the cost it was wrapped with.
        power_of_two = self.n & (self.n - 1) == 0
        if not (power_of_two and 2**10 <= self.n <= 2**20 and 1 <= self.r <= 16 and 1 <= self.p <= 4):
            raise KeyStoreDown("keystore.json names an impossible scrypt cost", rule=DAMAGED)


def derive_wrapping_key(passphrase: bytes, salt: bytes, cost: ScryptCost) -> bytes:
    return Scrypt(salt=salt, length=MASTER_KEY_OCTETS, n=cost.n, r=cost.r, p=cost.p).derive(passphrase)


def derive_role_key(master_key: bytes, role: str) -> bytes:
    info = b"role:" + role.encode()
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info).derive(master_key)


def seal(plaintext: bytes, key: bytes, *, name: str, role: str) -> bytes:
    header = _MAGIC + bytes([_VERSION, len(role)]) + role.encode("ascii")
    # Keys are few and never sealed by the billion, so a random 96-bit nonce never repeats under one role key.
    nonce = os.urandom(_NONCE_OCTETS)
    return header + nonce + AESGCM(key).encrypt(nonce, plaintext, header + name.encode())


def unseal(sealed: bytes, key: bytes, *, name: str, role: str) -> bytes:
    """`KeyStoreDown` when it is damaged, or was sealed under another name or role."""
    found = role_of(sealed, name=name)
    if found != role:
        raise KeyStoreDown(f"{name!r} has the role {found!r}, not {role!r}", rule="key-role")
    header_end = len(_MAGIC) + 2 + len(role)
    nonce_end = header_end + _NONCE_OCTETS
    header, nonce = sealed[:header_end], sealed[header_end:nonce_end]
    try:
        return AESGCM(key).decrypt(nonce, sealed[nonce_end:], header + name.encode())
    except InvalidTag:
        raise KeyStoreDown(
            f"{name!r} does not open: it is damaged, or was sealed under another name or by another store",
            rule=DAMAGED,
        ) from None


def role_of(sealed: bytes, *, name: str) -> str:
    """The role that the header names: true only once the value has been opened."""
    fixed = len(_MAGIC) + 2
    if len(sealed) < fixed or not sealed.startswith(_MAGIC):
        raise KeyStoreDown(f"{name!r} is not a sealed key", rule=DAMAGED)
    version, role_octets = sealed[fixed - 2], sealed[fixed - 1]
    if version != _VERSION:
        raise KeyStoreDown(
            f"{name!r} has form {version}, and this release reads form {_VERSION}", rule=DAMAGED
        )
    role = sealed[fixed : fixed + role_octets]
    shortest = fixed + role_octets + _NONCE_OCTETS + _TAG_OCTETS
    if not 1 <= role_octets <= _LONGEST_ROLE or len(sealed) < shortest or not role.isascii():
        raise KeyStoreDown(f"{name!r} is cut short", rule=DAMAGED)
    return role.decode("ascii")
