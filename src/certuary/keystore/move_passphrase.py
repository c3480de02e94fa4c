"""Change the passphrase and move it elsewhere, such that the store opens after a crash at any moment.

1. The new passphrase is written and flushed where it will be read from. Nothing that exists is overwritten.
2. `keystore.json` is replaced, by one rename, with the master key wrapped under it and the new source
recorded.
   Before this rename the old passphrase is the right one, after it the new one, and both can be read.
3. The store is opened from the new source.
4. The old passphrase file goes, if it was ours.

Interrupted after step 1, the same command goes on with the passphrase that it finds. Interrupted after step
2, it removes what was left beside the keys.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from certuary.errors import ConfigError
from certuary.keystore.file import FileKeyStore, UnlockedKeys, recorded_source
from certuary.keystore.passphrase import (
    BESIDE_THE_KEYS,
    CREDENTIAL_NAME,
    PassphraseSource,
    file_source,
    generate_passphrase,
    one_line,
    overriding_source,
    read_passphrase_file,
)
from certuary.services.durable_file import replace_durably, sync_directory

CREDENTIAL_FILE = Path("/etc/credstore.encrypted") / CREDENTIAL_NAME
"""Where systemd looks for encrypted credentials."""

_RULE = "passphrase"


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedPassphrase:
    """The new source, and what is left for a person to do, each a sentence."""

    source: PassphraseSource
    notes: tuple[str, ...]


def move_to_file(
    directory: Path, target: Path, *, environ: Mapping[str, str] | None = None
) -> MovedPassphrase:
    """A file that exists brings the new passphrase; else a random one is written to it."""
    environ = os.environ if environ is None else environ
    target = target.absolute()
    if target.resolve().is_relative_to(directory.resolve()):
        raise ConfigError(f"{target} is beside the keys; name a file elsewhere", rule=_RULE)
    old = recorded_source(directory)
    if old.kind == "file" and old.path(directory).resolve() == target.resolve():
        return _finish_earlier_move(directory, old, environ)
    keys = FileKeyStore.unlock(directory, environ)
    made_here = not target.exists()
    if made_here:
        _write(target, generate_passphrase() + b"\n")
    source = file_source(target, made_here=made_here)
    return _switch(keys, read_passphrase_file(target), source, old, environ, ())


def move_to_systemd_credential(
    directory: Path, *, credential_file: Path = CREDENTIAL_FILE, environ: Mapping[str, str] | None = None
) -> MovedPassphrase:
    """Encrypt a random passphrase to this machine; a credential file that exists brings the new one."""
    environ = os.environ if environ is None else environ
    old = recorded_source(directory)
    if old.kind == "credential":
        raise ConfigError(
            "the passphrase is a systemd credential already; to change it, move it to a file (--to FILE), "
            f"remove {credential_file}, and give --systemd-credential again",
            rule=_RULE,
        )
    keys = FileKeyStore.unlock(directory, environ)
    if not credential_file.exists():
        sealed = _systemd_creds("encrypt", f"--name={CREDENTIAL_NAME}", "-", "-", given=generate_passphrase())
        _write(credential_file, sealed)
    # Read it back before anything depends on it: this machine must be able to decrypt what it encrypted.
    plain = _systemd_creds("decrypt", f"--name={CREDENTIAL_NAME}", str(credential_file), "-")
    passphrase = one_line(plain, str(credential_file))
    source = PassphraseSource(kind="credential", value=CREDENTIAL_NAME)
    unit_line = f"LoadCredentialEncrypted={CREDENTIAL_NAME}:{credential_file}"
    return _switch(
        keys, passphrase, source, old, environ, (f"put this line into the service's unit: {unit_line}",)
    )


def _switch(
    keys: UnlockedKeys,
    passphrase: bytes,
    source: PassphraseSource,
    old: PassphraseSource,
    environ: Mapping[str, str],
    notes: tuple[str, ...],
) -> MovedPassphrase:
    keys.change_passphrase(passphrase, source)
    FileKeyStore.unlock_with(keys.directory, passphrase, source)
    notes += _remove_old(old, keys.directory)
    return MovedPassphrase(source=source, notes=notes + _override_note(environ))


def _finish_earlier_move(
    directory: Path, source: PassphraseSource, environ: Mapping[str, str]
) -> MovedPassphrase:
    if not (directory / BESIDE_THE_KEYS).exists():
        raise ConfigError(f"the passphrase is in {source.value} already; name another file", rule=_RULE)
    # Nothing goes before the store was seen to open without it.
    FileKeyStore.unlock_with(directory, read_passphrase_file(source.path(directory)), source)
    notes = _remove(directory / BESIDE_THE_KEYS)
    return MovedPassphrase(source=source, notes=notes + _override_note(environ))


def _remove_old(old: PassphraseSource, directory: Path) -> tuple[str, ...]:
    if old.kind != "file":
        return (f"the {old} is not needed any more",)
    path = old.path(directory)
    if not old.made_here:
        return (f"{path} is not needed any more by this key store; remove it if nothing else uses it",)
    return _remove(path)


def _remove(path: Path) -> tuple[str, ...]:
    try:
        path.unlink(missing_ok=True)
        sync_directory(path.parent)
    except OSError as problem:
        return (f"{path} could not be removed ({problem.strerror}); remove it",)
    return ()


def _override_note(environ: Mapping[str, str]) -> tuple[str, ...]:
    override = overriding_source(environ)
    if override is None:
        return ()
    return (f"the {override} is set in the environment and goes before the new source; unset it",)


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_durably(path, content)
    except OSError as problem:
        raise ConfigError(f"{path} cannot be written: {problem.strerror}", rule=_RULE) from None


def _systemd_creds(*arguments: str, given: bytes = b"") -> bytes:
    if shutil.which("systemd-creds") is None:
        raise ConfigError(
            "systemd-creds is missing; it comes with systemd 250 or newer: apt-get install systemd",
            rule=_RULE,
        )
    try:
        done = subprocess.run(
            ["systemd-creds", *arguments], input=given, capture_output=True, timeout=60, check=False
        )
    except subprocess.TimeoutExpired:
        raise ConfigError("systemd-creds did not answer within 60 s", rule=_RULE) from None
    if done.returncode != 0:
        told = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise ConfigError(f"systemd-creds {arguments[0]} failed: {told[-1]}", rule=_RULE)
    return done.stdout
