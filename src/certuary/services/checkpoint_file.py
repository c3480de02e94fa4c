"""A node's own copy of the checkpoints: one a line in `HOME/audit/checkpoints.jsonl`, where no SQL reaches.

Lines are only ever appended, and are on disk when `append` returns. A crash may leave the last one torn; it is taken
away before the next is written.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from certuary.core.checkpoint import SignedCheckpoint, read_line
from certuary.errors import AuditBroken, ConfigError
from certuary.services.durable_file import sync_directory

_BLOCK_OCTETS: Final = 64 * 1024


def checkpoints_path(home: Path) -> Path:
    return home / "audit" / "checkpoints.jsonl"


class CheckpointFile:
    """Every failure is a `ConfigError`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def last(self) -> SignedCheckpoint | None:
        """The last one that is whole; `ConfigError` when that line is no checkpoint."""
        with _problems(self._path):
            if not self._path.exists():
                return None
            with self._path.open("rb") as file:
                line = _last_line(file)
        if not line:
            return None
        try:
            return read_line(line.decode(errors="replace"))
        except AuditBroken as problem:
            raise ConfigError(
                f"the last line of {self._path} cannot be used ({problem.detail}); move the file away",
                rule="checkpoint-file",
            ) from None

    def append(self, checkpoints: Sequence[SignedCheckpoint]) -> None:
        text = "".join(checkpoint.to_line() for checkpoint in checkpoints)
        with _problems(self._path):
            self._create()
            with self._path.open("r+b") as file:
                file.truncate(_whole_octets(file))
                file.seek(0, os.SEEK_END)
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())

    def _create(self) -> None:
        if self._path.exists():
            return
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        os.close(os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        sync_directory(self._path.parent)
        sync_directory(self._path.parent.parent)


def read_checkpoints(path: Path) -> Iterator[tuple[int, SignedCheckpoint | AuditBroken]]:
    """Each line's number, and what it holds. A torn last line, as a crash leaves it, is left out."""
    with _problems(path), path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith("\n"):
                return
            try:
                yield number, read_line(line)
            except AuditBroken as problem:
                yield number, problem


def _whole_octets(file: IO[bytes]) -> int:
    """How much of the file is whole lines."""
    end = file.seek(0, os.SEEK_END)
    while end > 0:
        start = max(0, end - _BLOCK_OCTETS)
        file.seek(start)
        newline = file.read(end - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def _last_line(file: IO[bytes]) -> bytes:
    end = _whole_octets(file)
    found = b""
    while end > 0 and b"\n" not in found[:-1]:
        start = max(0, end - _BLOCK_OCTETS)
        file.seek(start)
        found = file.read(end - start) + found
        end = start
    return found[:-1].rpartition(b"\n")[2]


@contextmanager
def _problems(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise ConfigError(f"{path} cannot be used: {problem.strerror}", rule="checkpoint-file") from None
