"""The high-water mark: the newest manifest that this node has seen, kept outside the database.

Whoever sets the database back to an earlier copy sets the manifest back, too; this file is what they cannot reach.
Several processes of a node share it: it only ever rises.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from certuary.errors import ConfigError, InvalidSeal
from certuary.services.durable_file import replace_durably


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A manifest by its number and the digest of its head's body."""

    instance: str
    sequence: int
    digest: str


class HighWater:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._newest: Seen | None = None
        self._problem: str | None = None

    def newest(self) -> Seen | None:
        """None on a node that has seen none yet. `ConfigError` when the file is damaged."""
        found = self._read()
        if found is None or (self._newest is not None and self._newest.sequence > found.sequence):
            return self._newest
        return found

    def _read(self) -> Seen | None:
        try:
            values = json.loads(self._path.read_text())
            return Seen(
                instance=values["instance"], sequence=int(values["sequence"]), digest=values["digest"]
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError):
            raise ConfigError(
                f"{self._path} cannot be read; if it is damaged, delete it, and the next manifest is believed",
                rule="high-water",
            ) from None

    @property
    def problem(self) -> str | None:
        """Why the file does not say what this process has seen; None when it does."""
        return self._problem

    def rise(self, manifest: Seen) -> None:
        """Remember it, durably, unless a newer one is known. Call it once the manifest is committed.

        Where the file cannot be written, this process remembers it all the same, and `problem` says so: what was
        committed does not fail any more.
        """
        known = self._newest
        if known is None or known.instance != manifest.instance or known.sequence < manifest.sequence:
            self._newest = manifest
        elif self._problem is None:
            return
        self._problem = self._write_newest()

    def _write_newest(self) -> str | None:
        wanted = self._newest
        assert wanted is not None
        try:
            with self._locked():
                found = self._read()
                if found is None or found.instance != wanted.instance or found.sequence < wanted.sequence:
                    self._write(wanted)
        except OSError as problem:
            return (
                f"{self._path} cannot be written ({problem.strerror}): a database that is set back while no server"
                " runs will not be noticed; make room, or give the file to the server's user"
            )
        return None

    def _write(self, manifest: Seen) -> None:
        values = {
            "instance": manifest.instance,
            "sequence": manifest.sequence,
            "digest": manifest.digest,
        }
        replace_durably(self._path, json.dumps(values).encode() + b"\n")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        # A file of its own: `init` holds the lock on the home meanwhile.
        lock = self._path.with_suffix(".lock")
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def refuse_older(manifest: Seen, newest: Seen | None) -> None:
    """`InvalidSeal` for a manifest older than the `newest` seen, or another one of the same number.

    `newest` is what the mark was before the manifest was read: a change that is committed meanwhile raises it.
    """
    if newest is None or newest.instance != manifest.instance:
        return
    if manifest.sequence < newest.sequence:
        raise InvalidSeal(
            f"the records were set back: their manifest is number {manifest.sequence}, and this node has seen"
            f" number {newest.sequence}; restore the newer database, or, if a backup was restored on purpose,"
            " run: certuary seal accept-rollback",
            rule="rollback",
        )
    if manifest.sequence == newest.sequence and manifest.digest != newest.digest:
        raise InvalidSeal(
            f"manifest number {manifest.sequence} is not the one that this node has seen;"
            " if a backup was restored on purpose, run: certuary seal accept-rollback",
            rule="rollback",
        )


def high_water_path(home: Path) -> Path:
    return home / "high-water.json"
