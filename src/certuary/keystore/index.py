"""`keystore.json`: the master key, wrapped under the passphrase, and where the passphrase comes from."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from certuary.errors import ConfigError, KeyStoreDown
from certuary.keystore import envelope
from certuary.keystore.directory import is_there, read_private
from certuary.keystore.passphrase import PassphraseSource, refuse_lax_permissions

INDEX_NAME = "keystore.json"

_VERSION = 1
_ASSOCIATED = b"certuary keystore 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """What `keystore.json` says."""

    cost: envelope.ScryptCost
    salt: bytes
    nonce: bytes
    wrapped_master_key: bytes
    source: PassphraseSource

    @classmethod
    def wrap(
        cls, master_key: bytes, passphrase: bytes, source: PassphraseSource, cost: envelope.ScryptCost
    ) -> Index:
        salt, nonce = os.urandom(envelope.SALT_OCTETS), os.urandom(12)
        wrapping_key = envelope.derive_wrapping_key(passphrase, salt, cost)
        wrapped = AESGCM(wrapping_key).encrypt(nonce, master_key, _ASSOCIATED)
        return cls(cost=cost, salt=salt, nonce=nonce, wrapped_master_key=wrapped, source=source)

    def unwrap(self, passphrase: bytes, source: PassphraseSource, directory: Path) -> bytes:
        wrapping_key = envelope.derive_wrapping_key(passphrase, self.salt, self.cost)
        try:
            return AESGCM(wrapping_key).decrypt(self.nonce, self.wrapped_master_key, _ASSOCIATED)
        except InvalidTag:
            raise ConfigError(
                f"the passphrase from {source} does not open {directory / INDEX_NAME}: "
                "it is another store's, or the file is damaged",
                rule="passphrase",
            ) from None

    @classmethod
    def read(cls, directory: Path) -> Index:
        path = directory / INDEX_NAME
        if not is_there(path):
            raise ConfigError(
                f"there is no key store in {directory}; certuary init makes one", rule="no-key-store"
            )
        refuse_lax_permissions(directory)
        try:
            return cls._from_json(json.loads(read_private(path)))
        except (ValueError, KeyError, TypeError):
            raise KeyStoreDown(
                f"{path} is damaged; restore it from a backup", rule=envelope.DAMAGED
            ) from None

    @classmethod
    def _from_json(cls, value: dict[str, object]) -> Index:
        if value["version"] != _VERSION:
            raise KeyStoreDown(
                f"keystore.json has form {value['version']}, and this release reads form {_VERSION}",
                rule=envelope.DAMAGED,
            )
        scrypt = value["scrypt"]
        if not isinstance(scrypt, dict):
            raise TypeError
        cost = envelope.ScryptCost(n=int(scrypt["n"]), r=int(scrypt["r"]), p=int(scrypt["p"]))
        return cls(
            cost=cost,
            salt=_octets(scrypt["salt"]),
            nonce=_octets(value["nonce"]),
            wrapped_master_key=_octets(value["wrapped_master_key"]),
            source=PassphraseSource.from_json(value["passphrase"]),
        )

    def to_bytes(self) -> bytes:
        scrypt = {"n": self.cost.n, "r": self.cost.r, "p": self.cost.p, "salt": _text(self.salt)}
        value = {
            "version": _VERSION,
            "scrypt": scrypt,
            "nonce": _text(self.nonce),
            "wrapped_master_key": _text(self.wrapped_master_key),
            "passphrase": self.source.to_json(),
        }
        return json.dumps(value, indent=2).encode() + b"\n"


def _octets(value: object) -> bytes:
    if not isinstance(value, str):
        raise TypeError
    return base64.b64decode(value, validate=True)


def _text(octets: bytes) -> str:
    return base64.b64encode(octets).decode("ascii")
