"""A clock that notices when it is wrong: nothing is signed under a time that jumped.

The wall clock is compared with the monotonic one since the start, and, at the start, with the time of the newest
committed event: a clock that stands before it was set back while Certuary was down.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from certuary.errors import ClockUnsafe

TOLERANCE = timedelta(minutes=5)


class GuardedClock:
    def __init__(
        self, *, wall: Callable[[], datetime], steady: Callable[[], float], newest_event_at: datetime | None
    ) -> None:
        self._wall = wall
        self._steady = steady
        self._origin = wall()
        self._steady_origin = steady()
        self._floor = newest_event_at

    def now(self) -> datetime:
        return self._wall()

    def require_safe(self) -> datetime:
        """The time, or `ClockUnsafe`."""
        now = self._wall()
        expected = self._origin + timedelta(seconds=self._steady() - self._steady_origin)
        if abs(now - expected) > TOLERANCE or (self._floor is not None and now < self._floor - TOLERANCE):
            raise ClockUnsafe(self.problem() or "the clock jumped", retry_after=60)
        return now

    def problem(self) -> str | None:
        """A sentence for `/readyz`; None while all is well."""
        now = self._wall()
        expected = self._origin + timedelta(seconds=self._steady() - self._steady_origin)
        if abs(now - expected) > TOLERANCE:
            return (
                f"the clock jumped from {expected:%Y-%m-%dT%H:%M:%SZ} to {now:%Y-%m-%dT%H:%M:%SZ};"
                " set it right, or restart when the new time is the right one"
            )
        if self._floor is not None and now < self._floor - TOLERANCE:
            return (
                f"the clock says {now:%Y-%m-%dT%H:%M:%SZ}, but an event was committed at"
                f" {self._floor:%Y-%m-%dT%H:%M:%SZ}; set it right"
            )
        return None


def steady_seconds() -> float:
    """A clock that nobody sets and that goes on while the machine sleeps, unlike `time.monotonic`."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def utc_now() -> datetime:
    return datetime.now(UTC)
