"""Where the key store's passphrase comes from.

`keystore.json` records one source; `CERTUARY_PASSPHRASE_FILE`, then `CERTUARY_PASSPHRASE`, go before it. A passphrase
is one line; the line break at its end does not count.
"""

from __future__ import annotations

import secrets
import shlex
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from certuary.errors import ConfigError, KeyStoreDown

FILE_VARIABLE = "CERTUARY_PASSPHRASE_FILE"
VALUE_VARIABLE = "CERTUARY_PASSPHRASE"
CREDENTIAL_NAME = "certuary-passphrase"
BESIDE_THE_KEYS = "passphrase"
"""The name of the quickstart's passphrase file, in the directory of the keys."""

_RULE = "passphrase"
_LONGEST = 4096

SourceKind = Literal["file", "environment", "credential"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PassphraseSource:
    """`value` is a path (relative: to the directory of the keys), a variable's name, or a credential's name."""

    kind: SourceKind
    value: str

    @classmethod
    def from_json(cls, value: object) -> PassphraseSource:
        if not isinstance(value, dict) or len(value) != 1:
            raise KeyStoreDown(
                "keystore.json does not name one source of the passphrase", rule="key-store-damaged"
            )
        ((kind, text),) = value.items()
        if kind not in get_args(SourceKind) or not isinstance(text, str) or not text:
            raise KeyStoreDown(
                "keystore.json names no known source of the passphrase", rule="key-store-damaged"
            )
        return cls(kind=kind, value=text)

    def to_json(self) -> dict[str, str]:
        return {self.kind: self.value}

    def __str__(self) -> str:
        words = {
            "file": f"file {self.value}",
            "environment": f"environment variable {self.value}",
            "credential": f"systemd credential {self.value}",
        }
        return words[self.kind]


def file_source(path: Path) -> PassphraseSource:
    return PassphraseSource(kind="file", value=str(path.absolute()))


def beside_the_keys() -> PassphraseSource:
    """A relative path, so that a home can be moved or restored elsewhere."""
    return PassphraseSource(kind="file", value=BESIDE_THE_KEYS)


def overriding_source(environ: Mapping[str, str]) -> PassphraseSource | None:
    """The source that the environment puts before the recorded one."""
    if environ.get(FILE_VARIABLE):
        return file_source(Path(environ[FILE_VARIABLE]))
    if environ.get(VALUE_VARIABLE):
        return PassphraseSource(kind="environment", value=VALUE_VARIABLE)
    return None


def is_beside_keys(source: PassphraseSource, directory: Path) -> bool:
    """Whether who copies the directory of the keys has the passphrase too."""
    if source.kind != "file":
        return False
    return (directory / source.value).resolve().is_relative_to(directory.resolve())


def generate_passphrase() -> bytes:
    """256 random bits, as text."""
    return secrets.token_urlsafe(32).encode()


def read_passphrase(source: PassphraseSource, directory: Path, environ: Mapping[str, str]) -> bytes:
    """`ConfigError`, naming what to do, when it cannot be had."""
    if source.kind == "file":
        return read_passphrase_file(directory / source.value)
    if source.kind == "environment":
        return _one_line(environ.get(source.value, "").encode(), str(source))
    return _read_credential(source, environ)


def read_passphrase_file(path: Path) -> bytes:
    refuse_lax_permissions(path)
    try:
        return _one_line(path.read_bytes(), f"file {path}")
    except OSError as problem:
        raise ConfigError(
            f"the passphrase file {path} cannot be read: {problem.strerror}", rule=_RULE
        ) from None


def refuse_lax_permissions(path: Path) -> None:
    """`ConfigError` with the command that mends it when anyone but the owner may touch `path`."""
    try:
        status = path.stat()
    except OSError as problem:
        raise ConfigError(f"{path} cannot be read: {problem.strerror}", rule="key-store-files") from None
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077 == 0:
        return
    wanted = "700" if stat.S_ISDIR(status.st_mode) else "600"
    raise ConfigError(
        f"{path} is open to others (mode {mode:04o}); run: chmod {wanted} {shlex.quote(str(path))}",
        rule="key-store-permissions",
    )


def _read_credential(source: PassphraseSource, environ: Mapping[str, str]) -> bytes:
    directory = environ.get("CREDENTIALS_DIRECTORY")
    if not directory:
        raise ConfigError(
            f"the passphrase is the systemd credential {source.value!r}, and this process was given none; the unit "
            f"needs LoadCredentialEncrypted={source.value}, and a command outside the unit needs {FILE_VARIABLE}",
            rule=_RULE,
        )
    # No check of the mode: systemd opens a credential to its unit by an access list, which shows as a group's right.
    try:
        return _one_line((Path(directory) / source.value).read_bytes(), str(source))
    except OSError as problem:
        raise ConfigError(f"the {source} cannot be read: {problem.strerror}", rule=_RULE) from None


def _one_line(raw: bytes, where: str) -> bytes:
    line = raw.rstrip(b"\r\n")
    if not line:
        raise ConfigError(f"there is no passphrase in {where}", rule=_RULE)
    if len(line) > _LONGEST or any(octet in line for octet in b"\r\n\0"):
        raise ConfigError(
            f"the passphrase in {where} is not one line of at most {_LONGEST} octets", rule=_RULE
        )
    return line
