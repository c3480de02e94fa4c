"""Keys in encrypted files: `keystore.json`, and one `<name>.key` for each key or secret.

`keystore.json` holds the random master key, wrapped under the passphrase. Everything else is sealed under
role keys derived from the master key, so a change of passphrase rewrites one small file, and a process that
was given the role keys of its roles can open those and no others (`envelope` says how; `docs/keystore.md`
tells the whole).

Files are 0600 in a directory of 0700; laxer ones are refused with the command that mends them.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from certuary.core.certificate import KEY_TYPES, SigningKey
from certuary.errors import AlreadyExists, ConfigError, KeyStoreDown, NotFound
from certuary.keystore import envelope
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
from certuary.services.durable_file import TEMPORARY_SUFFIX, replace_durably

KEY_ROLES = ("root", "issuing", "tls")
SECRET_ROLE = "secret"  # noqa: S105 (a role's name)
ROLES = (*KEY_ROLES, SECRET_ROLE)

INDEX_NAME = "keystore.json"
KEY_SUFFIX = ".key"

_VERSION = 1
_ASSOCIATED = b"certuary keystore 1"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_LARGEST_FILE = 65536


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
        _make_directory(directory)
        master_key = os.urandom(envelope.MASTER_KEY_OCTETS)
        index = _Index.wrap(master_key, passphrase, source, cost or envelope.ScryptCost())
        with _locked(directory):
            _refuse_used_directory(directory)
            _write(directory / INDEX_NAME, index.to_bytes())
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
        master_key = _Index.read(directory).unwrap(passphrase, source, directory)
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

    def put_secret(self, name: str, value: bytes) -> None:
        self._add(name, value, role=SECRET_ROLE, role_key=self._role_key(SECRET_ROLE))

    def load_secret(self, name: str) -> bytes:
        return self._open(name, role=SECRET_ROLE)

    def seal(self, name: str, value: bytes, *, role: str) -> bytes:
        return envelope.seal(value, self._role_key(role), name=_sealed_name(name), role=role)

    def unseal(self, name: str, sealed: bytes, *, role: str) -> bytes:
        return envelope.unseal(sealed, self._role_key(role), name=_sealed_name(name), role=role)

    def names(self) -> tuple[tuple[str, str], ...]:
        _check_directory(self._directory)
        names = sorted(path.name.removesuffix(KEY_SUFFIX) for path in _key_files(self._directory))
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
        _check_directory(self._directory)
        with _locked(self._directory):
            if path.exists():
                raise AlreadyExists(f"the key store has a {name!r} already")
            _write(path, sealed)

    def _open(self, name: str, *, role: str) -> bytes:
        role_key = self._role_key(role)
        _check_directory(self._directory)
        return envelope.unseal(self._read(name), role_key, name=name, role=role)

    def _read(self, name: str) -> bytes:
        path = self._path(name)
        if not path.exists():
            raise NotFound(f"the key store has no {name!r}")
        return _read_private(path)


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
        with _locked(self.directory):
            cost = cost or _Index.read(self.directory).cost
            index = _Index.wrap(self.master_key, passphrase, source, cost)
            _write(self.directory / INDEX_NAME, index.to_bytes())


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
    _make_directory(directory)
    with _locked(directory):
        _refuse_used_directory(directory)  # before the passphrase of a store that is there is overwritten
        _write(source.path(directory), passphrase + b"\n")
    return FileKeyStore.create(directory, passphrase, source, cost=cost)


def recorded_source(directory: Path) -> PassphraseSource:
    return _Index.read(directory).source


def passphrase_is_beside_keys(directory: Path) -> bool:
    """Whether who copies the directory can open it: worth a warning at each start."""
    return is_beside_keys(recorded_source(directory), directory)


def checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} cannot name a key: up to 64 lower-case letters, digits, '.', '_' and '-'",
            rule="key-name",
        )
    return name


def generate(key_type: str) -> SigningKey:
    if key_type not in KEY_TYPES:
        raise ConfigError(
            f"there is no key type {key_type!r}; types are {', '.join(KEY_TYPES)}", rule="key-type"
        )
    return KEY_TYPES[key_type].generate()


def key_to_der(key: SigningKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def key_from_der(der: bytes, name: str) -> SigningKey:
    # The bytes were authenticated when they were opened, so RSA's slow consistency check would prove nothing
    # new.
    key = serialization.load_der_private_key(der, password=None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, SigningKey):
        raise KeyStoreDown(f"{name!r} holds a kind of key that cannot sign", rule=envelope.DAMAGED)
    return key


def check_role(role: str) -> str:
    if role not in ROLES:
        raise ConfigError(f"there is no key role {role!r}; roles are {', '.join(ROLES)}", rule="key-role")
    return role


def check_key_role(role: str) -> str:
    if role not in KEY_ROLES:
        raise ConfigError(f"a key's role is one of {', '.join(KEY_ROLES)}, not {role!r}", rule="key-role")
    return role


def _sealed_name(name: str) -> str:
    """Apart from the names of stored keys, so that a sealed value copied to a key's file does not open."""
    return "sealed/" + checked_name(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Index:
    """`keystore.json`."""

    cost: envelope.ScryptCost
    salt: bytes
    nonce: bytes
    wrapped_master_key: bytes
    source: PassphraseSource

    @classmethod
    def wrap(
        cls, master_key: bytes, passphrase: bytes, source: PassphraseSource, cost: envelope.ScryptCost
    ) -> _Index:
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
    def read(cls, directory: Path) -> _Index:
        path = directory / INDEX_NAME
        if not path.exists():
            raise ConfigError(
                f"there is no key store in {directory}; certuary init makes one", rule="no-key-store"
            )
        _check_directory(directory)
        try:
            return cls._from_json(json.loads(_read_private(path)))
        except (ValueError, KeyError, TypeError):
            raise KeyStoreDown(
                f"{path} is damaged; restore it from a backup", rule=envelope.DAMAGED
            ) from None

    @classmethod
    def _from_json(cls, value: dict[str, object]) -> _Index:
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


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as problem:
        raise KeyStoreDown(f"{directory} cannot be made: {problem.strerror}") from problem
    refuse_lax_permissions(directory)


def _check_directory(directory: Path) -> None:
    refuse_lax_permissions(directory)


def _refuse_used_directory(directory: Path) -> None:
    if (directory / INDEX_NAME).exists():
        raise AlreadyExists(f"there is a key store in {directory} already")
    if any(_key_files(directory)):
        raise ConfigError(
            f"{directory} holds keys but no {INDEX_NAME}, without which they do not open; "
            "restore it from a backup",
            rule="no-key-store",
        )


def _key_files(directory: Path) -> list[Path]:
    try:
        return [
            path
            for path in directory.iterdir()
            if path.name.endswith(KEY_SUFFIX) and _NAME.fullmatch(path.name.removesuffix(KEY_SUFFIX))
        ]
    except OSError as problem:
        raise KeyStoreDown(f"{directory} cannot be read: {problem.strerror}") from problem


def _read_private(path: Path) -> bytes:
    refuse_lax_permissions(path)
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST_FILE)
    except OSError as problem:
        raise KeyStoreDown(f"{path} cannot be read: {problem.strerror}") from problem


def _write(path: Path, content: bytes) -> None:
    try:
        replace_durably(path, content)
    except OSError as problem:
        raise KeyStoreDown(f"{path} cannot be written: {problem.strerror}") from problem


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """One writer at a time, across processes; what an earlier one left half-written is swept away."""
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as problem:
        raise KeyStoreDown(f"{directory} cannot be opened: {problem.strerror}") from problem
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        for leftover in directory.glob(f".*{TEMPORARY_SUFFIX}"):
            leftover.unlink(missing_ok=True)
        yield
    finally:
        os.close(descriptor)
