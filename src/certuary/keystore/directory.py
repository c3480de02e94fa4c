"""The directory of the keys: private files, written whole, one writer at a time. Every failure is ours to name."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from certuary.errors import KeyStoreDown
from certuary.keystore.keys import is_name
from certuary.keystore.passphrase import refuse_lax_permissions
from certuary.services.durable_file import TEMPORARY_SUFFIX, replace_durably

KEY_SUFFIX = ".key"

_LARGEST_FILE = 65536


def make_directory(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as problem:
        raise KeyStoreDown(f"{directory} cannot be made: {problem.strerror}") from problem
    refuse_lax_permissions(directory)


def is_there(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as problem:
        raise KeyStoreDown(f"{path} cannot be read: {problem.strerror}") from problem
    return True


def key_files(directory: Path) -> list[Path]:
    try:
        return [
            path
            for path in directory.iterdir()
            if path.name.endswith(KEY_SUFFIX) and is_name(path.name.removesuffix(KEY_SUFFIX))
        ]
    except OSError as problem:
        raise KeyStoreDown(f"{directory} cannot be read: {problem.strerror}") from problem


def read_private(path: Path) -> bytes:
    refuse_lax_permissions(path)
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST_FILE)
    except OSError as problem:
        raise KeyStoreDown(f"{path} cannot be read: {problem.strerror}") from problem


def write_private(path: Path, content: bytes) -> None:
    try:
        replace_durably(path, content)
    except OSError as problem:
        raise KeyStoreDown(f"{path} cannot be written: {problem.strerror}") from problem


@contextmanager
def locked(directory: Path) -> Iterator[None]:
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
