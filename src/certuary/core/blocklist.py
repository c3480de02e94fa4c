"""Known-compromised public keys, looked up by hash in one sorted buffer.

The buffer is in badkeys' own format: records of 16 octets, sorted; the first 15 are the start of a SHA-256,
the last names the list it came from. badkeys hashes a key's number (an RSA modulus, an EC point's x, the
octets of an Ed25519 key) without leading zero octets; plain lists hash the SubjectPublicKeyInfo. Both kinds
share the buffer: 120 bits keep them from being mistaken for each other.
"""

from __future__ import annotations

import mmap
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from heapq import merge

from certuary.errors import InvalidValue

RECORD_OCTETS = 16
HASH_OCTETS = 15
PLAIN_LIST = 255
"""The list number of records that came from a plain file; badkeys counts its own lists from 1."""

Buffer = bytes | mmap.mmap

_HASH_LINE = re.compile(rb"(?:sha256[:=])?([0-9a-f]{64})(?:[\s,;].*)?", re.IGNORECASE | re.DOTALL)


class Blocklist:
    """Immutable; cheap to make over a memory map of any size."""

    __slots__ = ("_buffer", "_count")

    def __init__(self, buffer: Buffer = b"") -> None:
        if len(buffer) % RECORD_OCTETS:
            raise InvalidValue("a blocklist's length is not a multiple of 16 octets", rule="blocklist")
        self._buffer = buffer
        self._count = len(buffer) // RECORD_OCTETS

    def __len__(self) -> int:
        return self._count

    def contains(self, digest: bytes) -> bool:
        """Look up a SHA-256 (the whole or its first 15 octets)."""
        wanted = digest[:HASH_OCTETS]
        at = bisect_left(range(self._count), wanted, key=self._hash_at)
        return at < self._count and self._hash_at(at) == wanted

    def _hash_at(self, index: int) -> bytes:
        start = index * RECORD_OCTETS
        return self._buffer[start : start + HASH_OCTETS]


EMPTY = Blocklist()


def is_text(beginning: bytes) -> bool:
    """Tell a plain list from a binary one by its first octets."""
    return all(octet in b"\t\n\r" or 0x20 <= octet < 0x7F for octet in beginning)


def read_hash_lines(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Make a record of each line: the SHA-256 of a SubjectPublicKeyInfo in hex, then anything.

    A # begins a comment.
    """
    for number, line in enumerate(lines, start=1):
        content = line.partition(b"#")[0].strip()
        if not content:
            continue
        found = _HASH_LINE.fullmatch(content)
        if found is None:
            raise InvalidValue(f"line {number} does not begin with a SHA-256 in hex", rule="blocklist")
        yield bytes.fromhex(found[1].decode())[:HASH_OCTETS] + bytes((PLAIN_LIST,))


def read_records(buffer: Buffer) -> Iterator[bytes]:
    """Read badkeys' binary form, which is ours too; unsorted records mean that the file is neither."""
    if len(buffer) % RECORD_OCTETS:
        raise InvalidValue("the file's length is not a multiple of 16 octets", rule="blocklist")
    previous = b""
    for start in range(0, len(buffer), RECORD_OCTETS):
        record = buffer[start : start + RECORD_OCTETS]
        if record < previous:
            raise InvalidValue("the file is not a sorted blocklist of badkeys", rule="blocklist")
        previous = record
        yield record


def merge_records(*sorted_records: Iterable[bytes]) -> Iterator[bytes]:
    """Merge sorted records into one sorted stream that holds each hash once."""
    previous = b""
    for record in merge(*sorted_records):
        if record[:HASH_OCTETS] != previous:
            yield record
            previous = record[:HASH_OCTETS]
