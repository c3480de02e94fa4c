"""Keys in memory, for tests and throwaway authorities: the contract of the file store, without a disk."""

from __future__ import annotations

import os
from collections.abc import Collection

from certuary.core.certificate import SigningKey
from certuary.errors import AlreadyExists, KeyStoreDown, NotFound
from certuary.keystore import envelope
from certuary.keystore.keys import (
    ROLES,
    SECRET_ROLE,
    check_key_role,
    check_role,
    check_secret_role,
    checked_name,
    generate,
    key_from_der,
    key_to_der,
)


class MemoryKeyStore:
    """A `services.ports.KeyStore` that forgets everything with its process."""

    def __init__(self) -> None:
        self._values: dict[str, tuple[str, bytes]] = {}
        self._roles = frozenset(ROLES)
        self._sealing_key = os.urandom(envelope.MASTER_KEY_OCTETS)

    def with_roles(self, roles: Collection[str]) -> MemoryKeyStore:
        """The same store, opening fewer roles."""
        narrowed = MemoryKeyStore()
        narrowed._values = self._values
        narrowed._roles = self._roles.intersection(roles)
        narrowed._sealing_key = self._sealing_key
        return narrowed

    def generate_key(self, name: str, *, role: str, key_type: str) -> SigningKey:
        check_key_role(role)
        self._check_held(role)
        key = generate(key_type)
        self._add(name, key_to_der(key), role)
        return key

    def load_key(self, name: str, *, role: str) -> SigningKey:
        check_key_role(role)
        return key_from_der(self._get(name, role), name)

    def put_secret(self, name: str, value: bytes, *, role: str = SECRET_ROLE) -> None:
        self._add(name, value, check_secret_role(role))

    def load_secret(self, name: str, *, role: str = SECRET_ROLE) -> bytes:
        return self._get(name, check_secret_role(role))

    def seal(self, name: str, value: bytes, *, role: str) -> bytes:
        self._check_held(role)
        return envelope.seal(value, self._sealing_key, name=checked_name(name), role=role)

    def unseal(self, name: str, sealed: bytes, *, role: str) -> bytes:
        self._check_held(role)
        return envelope.unseal(sealed, self._sealing_key, name=checked_name(name), role=role)

    def names(self) -> tuple[tuple[str, str], ...]:
        return tuple(sorted((name, role) for name, (role, _value) in self._values.items()))

    def _check_held(self, role: str) -> None:
        if check_role(role) not in self._roles:
            raise KeyStoreDown(f"this process does not hold the keys of role {role!r}", rule="key-role")

    def _add(self, name: str, value: bytes, role: str) -> None:
        self._check_held(role)
        if checked_name(name) in self._values:
            raise AlreadyExists(f"the key store has a {name!r} already")
        self._values[name] = (role, value)

    def _get(self, name: str, role: str) -> bytes:
        self._check_held(role)
        if checked_name(name) not in self._values:
            raise NotFound(f"the key store has no {name!r}")
        found, value = self._values[name]
        if found != role:
            raise KeyStoreDown(f"{name!r} has the role {found!r}, not {role!r}", rule="key-role")
        return value
