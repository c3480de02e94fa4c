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

    def newest(self) -> Seen | None:
        """None on a node that has seen none yet. `ConfigError` when the file is damaged."""
        try:
            values = json.loads(self._path.read_text())
            found = Seen(
                instance=values["instance"], sequence=int(values["sequence"]), digest=values["digest"]
            )
        except FileNotFoundError:
            found = None
        except (OSError, ValueError, KeyError, TypeError):
            raise ConfigError(
                f"{self._path} cannot be read; if it is damaged, delete it, and the next manifest is believed",
                rule="high-water",
            ) from None
        if found is None or (self._newest is not None and self._newest.sequence > found.sequence):
            return self._newest
        return found

    def rise(self, manifest: Seen) -> None:
        """Remember it, durably, unless a newer one is known. Call it once the manifest is committed."""
        if self._newest is not None and self._newest.sequence >= manifest.sequence:
            return
        with self._locked():
            newest = self.newest()
            if newest is None or newest.instance != manifest.instance or newest.sequence < manifest.sequence:
                self._write(manifest)
        self._newest = manifest

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
