"""Keys in encrypted files: `keystore.json`, and one `<name>.key` for each key or secret.

`keystore.json` holds the random master key, wrapped under the passphrase. Everything else is sealed under
role keys derived from the master key, so a change of passphrase rewrites one small file, and a process that
was given the role keys of its roles can open those and no others (`envelope` says how; `docs/keystore.md`
tells the whole).

Files are 0600 in a directory of 0700; laxer ones are refused with the command that mends them.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from certuary.core.certificate import SigningKey
from certuary.errors import AlreadyExists, ConfigError, KeyStoreDown, NotFound
from certuary.keystore import envelope
from certuary.keystore.directory import (
    KEY_SUFFIX,
    is_there,
    key_files,
    locked,
    make_directory,
    read_private,
    write_private,
)
from certuary.keystore.index import INDEX_NAME, Index
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
from certuary.keystore.passphrase import (
    PassphraseSource,
    beside_the_keys,
    file_source,
    generate_passphrase,
    is_beside_keys,
    overriding_source,
    read_passphrase,
    refuse_lax_permissions,
)


class FileKeyStore:
    """A `services.ports.KeyStore` over a directory, opening the roles whose keys it was given."""

    def __init__(self, directory: Path, role_keys: Mapping[str, bytes]) -> None:
        self._directory = directory
        self._role_keys = dict(role_keys)

    @classmethod
    def from_role_keys(cls, directory: Path, role_keys: Mapping[str, bytes]) -> FileKeyStore:
        """Open a store in a process that never sees the passphrase; without role keys it only lists names."""
        return cls(directory, role_keys)

    @classmethod
    def create(
        cls,
        directory: Path,
        passphrase: bytes,
        source: PassphraseSource,
        *,
        cost: envelope.ScryptCost | None = None,
    ) -> UnlockedKeys:
        """Make an empty store. `AlreadyExists` when there is one."""
        make_directory(directory)
        master_key = os.urandom(envelope.MASTER_KEY_OCTETS)
        index = Index.wrap(master_key, passphrase, source, cost or envelope.ScryptCost())
        with locked(directory):
            _refuse_used_directory(directory)
            write_private(directory / INDEX_NAME, index.to_bytes())
        return UnlockedKeys(directory=directory, source=source, master_key=master_key)

    @classmethod
    def unlock(cls, directory: Path, environ: Mapping[str, str] | None = None) -> UnlockedKeys:
        """Read the passphrase and derive the master key: 0.4 s, once per start."""
        environ = os.environ if environ is None else environ
        source = overriding_source(environ) or recorded_source(directory)
        return cls.unlock_with(directory, read_passphrase(source, directory, environ), source)

    @classmethod
    def unlock_with(cls, directory: Path, passphrase: bytes, source: PassphraseSource) -> UnlockedKeys:
        """Open with a passphrase at hand; `source` is named when it is the wrong one."""
        master_key = Index.read(directory).unwrap(passphrase, source, directory)
        return UnlockedKeys(directory=directory, source=source, master_key=master_key)

    @property
    def passphrase_is_beside_keys(self) -> bool:
        return passphrase_is_beside_keys(self._directory)

    def with_roles(self, roles: Collection[str]) -> FileKeyStore:
        """The same store, opening fewer roles."""
        return FileKeyStore(
            self._directory, {role: key for role, key in self._role_keys.items() if role in roles}
        )

    def generate_key(self, name: str, *, role: str, key_type: str) -> SigningKey:
        role_key = self._role_key(check_key_role(role))
        key = generate(key_type)
        self._add(name, key_to_der(key), role=role, role_key=role_key)
        return key

    def load_key(self, name: str, *, role: str) -> SigningKey:
        return key_from_der(self._open(name, role=check_key_role(role)), name)

    def put_secret(self, name: str, value: bytes, *, role: str = SECRET_ROLE) -> None:
        self._add(name, value, role=role, role_key=self._role_key(check_secret_role(role)))

    def load_secret(self, name: str, *, role: str = SECRET_ROLE) -> bytes:
        return self._open(name, role=check_secret_role(role))

    def seal(self, name: str, value: bytes, *, role: str) -> bytes:
        return envelope.seal(value, self._role_key(role), name=_sealed_name(name), role=role)

    def unseal(self, name: str, sealed: bytes, *, role: str) -> bytes:
        return envelope.unseal(sealed, self._role_key(role), name=_sealed_name(name), role=role)

    def names(self) -> tuple[tuple[str, str], ...]:
        refuse_lax_permissions(self._directory)
        names = sorted(path.name.removesuffix(KEY_SUFFIX) for path in key_files(self._directory))
        return tuple((name, envelope.role_of(self._read(name), name=name)) for name in names)

    def _role_key(self, role: str) -> bytes:
        if check_role(role) not in self._role_keys:
            raise KeyStoreDown(f"this process does not hold the keys of role {role!r}", rule="key-role")
        return self._role_keys[role]

    def _path(self, name: str) -> Path:
        return self._directory / (checked_name(name) + KEY_SUFFIX)

    def _add(self, name: str, value: bytes, *, role: str, role_key: bytes) -> None:
        path = self._path(name)
        sealed = envelope.seal(value, role_key, name=name, role=role)
        refuse_lax_permissions(self._directory)
        with locked(self._directory):
            if is_there(path):
                raise AlreadyExists(f"the key store has a {name!r} already")
            write_private(path, sealed)

    def _open(self, name: str, *, role: str) -> bytes:
        role_key = self._role_key(role)
        refuse_lax_permissions(self._directory)
        return envelope.unseal(self._read(name), role_key, name=name, role=role)

    def _read(self, name: str) -> bytes:
        path = self._path(name)
        if not is_there(path):
            raise NotFound(f"the key store has no {name!r}")
        return read_private(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlockedKeys:
    """The master key, held by commands and by the process that starts the others; `source` opened it."""

    directory: Path
    source: PassphraseSource
    master_key: bytes

    def __repr__(self) -> str:
        return f"UnlockedKeys({str(self.directory)!r})"

    @property
    def passphrase_is_beside_keys(self) -> bool:
        return passphrase_is_beside_keys(self.directory)

    def role_keys(self, roles: Collection[str]) -> dict[str, bytes]:
        """What a child process needs to open these roles, as plain bytes: for a pipe, never for a disk."""
        return {role: envelope.derive_role_key(self.master_key, role) for role in roles}

    def store(self, roles: Collection[str] = ROLES) -> FileKeyStore:
        return FileKeyStore(self.directory, self.role_keys(roles))

    def change_passphrase(
        self, passphrase: bytes, source: PassphraseSource, *, cost: envelope.ScryptCost | None = None
    ) -> None:
        """Wrap the master key anew and record the new source, by one rename. No key file is touched."""
        with locked(self.directory):
            cost = cost or Index.read(self.directory).cost
            index = Index.wrap(self.master_key, passphrase, source, cost)
            write_private(self.directory / INDEX_NAME, index.to_bytes())


def create_key_store(
    directory: Path,
    passphrase_file: Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    cost: envelope.ScryptCost | None = None,
) -> UnlockedKeys:
    """Make a store as `certuary init` does.

    The passphrase comes from the file given, else from the environment, else it is made up and kept beside
    the keys.
    """
    environ = os.environ if environ is None else environ
    source = file_source(passphrase_file) if passphrase_file else overriding_source(environ)
    if source is not None:
        passphrase = read_passphrase(source, directory, environ)
        return FileKeyStore.create(directory, passphrase, source, cost=cost)
    source = beside_the_keys()
    passphrase = generate_passphrase()
    make_directory(directory)
    with locked(directory):
        _refuse_used_directory(directory)  # before the passphrase of a store that is there is overwritten
        write_private(source.path(directory), passphrase + b"\n")
    return FileKeyStore.create(directory, passphrase, source, cost=cost)


def recorded_source(directory: Path) -> PassphraseSource:
    return Index.read(directory).source


def passphrase_is_beside_keys(directory: Path) -> bool:
    """Whether who copies the directory can open it: worth a warning at each start."""
    return is_beside_keys(recorded_source(directory), directory)


def _sealed_name(name: str) -> str:
    """Apart from the names of stored keys, so that a sealed value copied to a key's file does not open."""
    return "sealed/" + checked_name(name)


def _refuse_used_directory(directory: Path) -> None:
    if is_there(directory / INDEX_NAME):
        raise AlreadyExists(f"there is a key store in {directory} already")
    if any(key_files(directory)):
        raise ConfigError(
            f"{directory} holds keys but no {INDEX_NAME}, without which they do not open; "
            "restore it from a backup",
            rule="no-key-store",
        )
