"""Random octets from the kernel, fetched a page at a time.

Each call of `os.urandom` lets the interpreter go and must win it back from the other threads; a serial number and a
request id per request are not worth that. For one thread only.
"""

from __future__ import annotations

import os

_PAGE_OCTETS = 4096


class RandomOctets:
    def __init__(self) -> None:
        self._page = b""
        self._at = 0

    def __call__(self, count: int) -> bytes:
        """`count` fresh octets, at most a page; none is handed out twice."""
        end = self._at + count
        if end > len(self._page):
            self._page = os.urandom(_PAGE_OCTETS)
            self._at, end = 0, count
        octets = self._page[self._at : end]
        self._at = end
        return octets
