"""Where the key store's passphrase comes from.

`keystore.json` records one source; `CERTUARY_PASSPHRASE_FILE`, then `CERTUARY_PASSPHRASE`, go before it. A
passphrase is one line; the line break at its end does not count.
"""

from __future__ import annotations

import os
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
    """`value` is a path (a relative one starts at the keys), a variable's name or a credential's name.

    `made_here` marks a file that we wrote for this store alone, which may go when the passphrase moves on. A
    file that an operator brought may serve another store too.
    """

    kind: SourceKind
    value: str
    made_here: bool = False

    @classmethod
    def from_json(cls, value: object) -> PassphraseSource:
        fields: dict[str, object] = dict(value) if isinstance(value, dict) else {}
        made_here = fields.pop("made_here", False)
        for kind in get_args(SourceKind):
            text = fields.get(kind)
            if len(fields) == 1 and isinstance(text, str) and text and isinstance(made_here, bool):
                return cls(kind=kind, value=text, made_here=made_here)
        raise KeyStoreDown("keystore.json names no known source of the passphrase", rule="key-store-damaged")

    def to_json(self) -> dict[str, object]:
        return {self.kind: self.value} | ({"made_here": True} if self.made_here else {})

    def path(self, directory: Path) -> Path:
        """The file of a source of kind "file"."""
        return directory / self.value

    def __str__(self) -> str:
        words = {
            "file": f"file {self.value}",
            "environment": f"environment variable {self.value}",
            "credential": f"systemd credential {self.value}",
        }
        return words[self.kind]


def file_source(path: Path, *, made_here: bool = False) -> PassphraseSource:
    return PassphraseSource(kind="file", value=str(path.absolute()), made_here=made_here)


def beside_the_keys() -> PassphraseSource:
    """A relative path, so that a home can be moved or restored elsewhere."""
    return PassphraseSource(kind="file", value=BESIDE_THE_KEYS, made_here=True)


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
    return source.path(directory).resolve().is_relative_to(directory.resolve())


def generate_passphrase() -> bytes:
    """256 random bits, as text."""
    return secrets.token_urlsafe(32).encode()


def read_passphrase(source: PassphraseSource, directory: Path, environ: Mapping[str, str]) -> bytes:
    """`ConfigError`, naming what to do, when it cannot be had."""
    if source.kind == "file":
        return read_passphrase_file(source.path(directory))
    if source.kind == "environment":
        return one_line(os.fsencode(environ.get(source.value, "")), str(source))
    return _read_credential(source, environ)


def read_passphrase_file(path: Path) -> bytes:
    refuse_lax_permissions(path)
    try:
        return one_line(path.read_bytes(), f"file {path}")
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
            f"the passphrase is the systemd credential {source.value!r}, and this process was given none; "
            f"the unit needs a line LoadCredentialEncrypted={source.value}:..., "
            f"and a command outside the unit needs {FILE_VARIABLE}",
            rule=_RULE,
        )
    # No check of the mode: systemd opens a credential to its unit by an access list, which shows as a group's
    # right.
    try:
        return one_line((Path(directory) / source.value).read_bytes(), str(source))
    except OSError as problem:
        raise ConfigError(f"the {source} cannot be read: {problem.strerror}", rule=_RULE) from None


def one_line(raw: bytes, where: str) -> bytes:
    """The passphrase in what was read; `ConfigError` when that is no single line."""
    line = raw.rstrip(b"\r\n")
    if not line:
        raise ConfigError(f"there is no passphrase in {where}", rule=_RULE)
    if len(line) > _LONGEST or any(octet in line for octet in b"\r\n\0"):
        raise ConfigError(
            f"the passphrase in {where} is not one line of at most {_LONGEST} octets", rule=_RULE
        )
    return line
