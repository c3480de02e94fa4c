"""The board: shared memory in which each process of a node keeps its latest report.

A memfd that the supervisor creates and every child inherits: no disk, nothing to clean up, gone with the last
process. Each process owns one slot and is its only writer. A slot is a sequence lock: the sequence number is
odd while the owner writes, so a reader that sees it odd, or changed, reads again; a checksum catches what memory
order might hide.

    slot = sequence (u64) | length (u32) | crc32 (u32) | JSON
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import zlib
from dataclasses import replace

from certuary.errors import MalformedRequest
from certuary.services.process_report import ProcessReport, decode_report, encode_report

SLOTS = 64
SLOT_OCTETS = 32 * 1024  # touched pages only cost memory, so room is cheap

_SEQUENCE = struct.Struct("=Q")
_HEADER = struct.Struct("=QII")
_READ_ATTEMPTS = 5


class Board:
    """Use `create` in the supervisor and `open` with the inherited descriptor in a child."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._memory = mmap.mmap(fd, SLOTS * SLOT_OCTETS)

    @classmethod
    def create(cls) -> Board:
        # Sealed, so that no process can shrink it and make another's read end in SIGBUS.
        fd = os.memfd_create("certuary-board", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(fd, SLOTS * SLOT_OCTETS)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
        return cls(fd)

    @classmethod
    def open(cls, fd: int) -> Board:
        return cls(fd)

    def close(self) -> None:
        self._memory.close()
        os.close(self.fd)

    def write(self, slot: int, report: ProcessReport) -> None:
        """Replace the slot's report. One too large for its slot loses its counters, then its problems."""
        encoded = _fit(report)
        offset = _offset(slot)
        (sequence,) = _SEQUENCE.unpack_from(self._memory, offset)
        writing = sequence | 1  # a writer killed half-way left it odd already
        _SEQUENCE.pack_into(self._memory, offset, writing)
        start = offset + _HEADER.size
        self._memory[start : start + len(encoded)] = encoded
        _HEADER.pack_into(self._memory, offset, writing, len(encoded), zlib.crc32(encoded))
        _SEQUENCE.pack_into(self._memory, offset, writing + 1)

    def clear(self, slot: int) -> None:
        """Empty the slot of a process that is gone, so that its last report is not believed."""
        _HEADER.pack_into(self._memory, _offset(slot), 0, 0, 0)

    def read(self, slot: int) -> ProcessReport | None:
        """The slot's report; None when it is empty, or is being written all the while."""
        offset = _offset(slot)
        for _ in range(_READ_ATTEMPTS):
            sequence, length, checksum = _HEADER.unpack_from(self._memory, offset)
            if sequence == 0:
                return None
            if sequence % 2 or length > SLOT_OCTETS - _HEADER.size:
                continue
            start = offset + _HEADER.size
            encoded = self._memory[start : start + length]
            if zlib.crc32(encoded) == checksum and _SEQUENCE.unpack_from(self._memory, offset)[0] == sequence:
                return _decoded(encoded)
        return None

    def read_all(self) -> dict[int, ProcessReport]:
        """Each filled slot's report, by slot number."""
        found = ((slot, self.read(slot)) for slot in range(SLOTS))
        return {slot: report for slot, report in found if report is not None}


def _offset(slot: int) -> int:
    if not 0 <= slot < SLOTS:
        raise IndexError(f"the board has {SLOTS} slots")
    return slot * SLOT_OCTETS


def _fit(report: ProcessReport) -> bytes:
    for candidate in (
        report,
        replace(report, counters={}, gauges={}),
        replace(report, counters={}, gauges={}, problems=()),
    ):
        encoded = encode_report(candidate)
        if len(encoded) <= SLOT_OCTETS - _HEADER.size:
            return encoded
    return encode_report(replace(report, counters={}, gauges={}, problems=(), disabled_reason="see the log"))


def _decoded(encoded: bytes) -> ProcessReport | None:
    try:
        return decode_report(encoded)
    except MalformedRequest:
        return None
