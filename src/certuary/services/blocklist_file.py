"""The blocklist on disk: HOME/blocklist/blocklist.dat, mapped into memory and shared by all processes."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable
from pathlib import Path

from certuary.core.blocklist import EMPTY, Blocklist, Buffer
from certuary.errors import ConfigError, InvalidValue

_DIRECTORY = "blocklist"
_NAME = "blocklist.dat"


def blocklist_path(home: Path) -> Path:
    return home / _DIRECTORY / _NAME


def load_blocklist(home: Path) -> Blocklist:
    """Map the file; without one the blocklist is empty. `ConfigError` when it is damaged."""
    path = blocklist_path(home)
    try:
        return Blocklist(map_file(path))
    except FileNotFoundError:
        return EMPTY
    except InvalidValue as problem:
        raise ConfigError(f"{path}: {problem.detail}; import the blocklist again", rule="blocklist") from None


class BlocklistFile:
    """A blocklist that follows its file: `current` costs one stat, and maps the file anew when it was replaced.

    A file that is damaged at the start is a `ConfigError`; one that is damaged later leaves the last list in
    force, and `problem` says so.
    """

    def __init__(self, home: Path) -> None:
        self.problem: str | None = None
        self._home = home
        self._identity = self._look()
        self._blocklist = load_blocklist(home)

    def current(self) -> Blocklist:
        identity = self._look()
        if identity != self._identity:
            # Remembered first: an import between the two lines is then seen as newer the next time.
            self._identity = identity
            self._reload()
        return self._blocklist

    def _reload(self) -> None:
        try:
            self._blocklist = load_blocklist(self._home)
        except ConfigError as damaged:
            self.problem = str(damaged)
        else:
            self.problem = None

    def _look(self) -> tuple[int, int, int] | None:
        try:
            found = blocklist_path(self._home).stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size


def map_file(path: Path) -> Buffer:
    """Map a whole file for reading; the map stays valid when the file is replaced or removed."""
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size == 0:  # which mmap refuses
            return b""
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def replace_blocklist(home: Path, records: Iterable[bytes]) -> int:
    """Write sorted records beside the old file and rename them into its place; give back how many there
    are."""
    path = blocklist_path(home)
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    count = 0
    try:
        with temporary.open("wb") as file:
            for record in records:
                file.write(record)
                count += 1
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_directory(path.parent)
    return count


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
