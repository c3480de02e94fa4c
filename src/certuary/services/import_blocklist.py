"""Import a list of compromised public keys: badkeys' blocklist.dat, or lines of SPKI hashes in hex."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from certuary.core.blocklist import Buffer, is_text, merge_records, read_hash_lines, read_records
from certuary.errors import InvalidValue
from certuary.services.blocklist_file import blocklist_path, map_file, replace_blocklist

_XZ = b"\xfd7zXZ\x00"
_LOOK_OCTETS = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class BlocklistImported:
    added: int
    total: int


def import_blocklist(home: Path, source: Path) -> BlocklistImported:
    """Add a file's hashes to what is there already; the old list stays in force until the new one is
    complete.

    Two imports at the same time must be kept apart by the caller. `InvalidValue` when the file is neither
    format.
    """
    new = _read(source)
    try:
        old: Buffer = map_file(blocklist_path(home))
    except FileNotFoundError:
        old = b""
    before = len(old) // 16
    total = replace_blocklist(home, merge_records(read_records(old), new))
    return BlocklistImported(added=total - before, total=total)


def _read(source: Path) -> Iterable[bytes]:
    try:
        buffer = map_file(source)
    except OSError as problem:
        raise InvalidValue(f"{source} cannot be read: {problem.strerror}", rule="blocklist") from None
    beginning = buffer[:_LOOK_OCTETS]
    if not beginning:
        raise InvalidValue(f"{source} is empty", rule="blocklist")
    if beginning.startswith(_XZ):
        raise InvalidValue(f"{source} is compressed; unpack it first: xz -dk {source}", rule="blocklist")
    if is_text(beginning):
        with source.open("rb") as lines:
            return sorted(read_hash_lines(lines))
    return read_records(buffer)
