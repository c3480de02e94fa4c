"""How often an address may fail before it waits: in the memory of this process, bounded whatever comes."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from threading import Lock
from typing import Final

from certuary.errors import RateLimited

MOST: Final = 10
SECONDS: Final = 60.0
_KEYS: Final = 10_000


class Failures:
    """Of each key the last few failures; the key that failed longest ago is forgotten first."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._failed: OrderedDict[str, deque[float]] = OrderedDict()

    def check(self, key: str) -> None:
        """`RateLimited` when it failed too often lately."""
        now = time.monotonic()
        with self._lock:
            times = self._failed.get(key)
            if times is None or len(times) < MOST or now - times[0] >= SECONDS:
                return
            wait = int(SECONDS - (now - times[0])) + 1
        raise RateLimited("too many requests failed; wait before the next", retry_after=wait)

    def add(self, key: str) -> None:
        with self._lock:
            times = self._failed.setdefault(key, deque(maxlen=MOST))
            times.append(time.monotonic())
            self._failed.move_to_end(key)
            while len(self._failed) > _KEYS:
                self._failed.popitem(last=False)

    def forget(self) -> None:
        with self._lock:
            self._failed.clear()


FAILURES: Final = Failures()
