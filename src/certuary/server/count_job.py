"""Keep the dashboard's counts: one node at a time, a slice a tick, far from the transactions that issue."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from certuary.server.lease import Lease
from certuary.services.ports import Clock, CountStore, NewestRows

LEASE: Final = "counts"
SLICE: Final = 10_000
_EVERY_SECONDS: Final = 5.0
_REST_FACTOR: Final = 4.0
"""After a slice that took t seconds none for 4 t: at most a fifth of a core while a million rows are counted."""
SETTLED_AFTER_SECONDS: Final = 15.0
"""PostgreSQL: a row becomes visible when its transaction commits, which may be after one with a higher number. What was
the highest number this long ago has none below it that is still to come: a writer's transaction takes milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountJobDeps:
    counts: CountStore
    lease: Lease
    clock: Clock
    steady: Callable[[], float]


class CountJob:
    """Call `tick` every half second."""

    def __init__(self, deps: CountJobDeps) -> None:
        self._deps = deps
        self._looks: deque[tuple[float, NewestRows]] = deque()
        self._next_at = float("-inf")
        self._pruned_on: object = None

    @property
    def problems(self) -> tuple[str, ...]:
        return ()

    def tick(self) -> None:
        began = self._deps.steady()
        if began < self._next_at:
            return
        self._next_at = began + _EVERY_SECONDS
        if not self._deps.lease.is_held(began):
            self._looks.clear()
            return
        settled = self._settled(began)
        if settled is None:
            return
        if self._deps.counts.has_moved_application():
            self._deps.counts.recount()
        done = self._deps.counts.count_slice(settled, size=SLICE)
        self._prune()
        if not done:
            now = self._deps.steady()
            self._next_at = now + _REST_FACTOR * (now - began)

    def _settled(self, now: float) -> NewestRows | None:
        """The newest of the looks that are old enough; None until there is one."""
        newest = self._deps.counts.newest_rows()
        if self._deps.counts.commits_in_order():
            return newest
        self._looks.append((now, newest))
        while len(self._looks) > 1 and now - self._looks[1][0] >= SETTLED_AFTER_SECONDS:
            self._looks.popleft()
        seen_at, look = self._looks[0]
        return look if now - seen_at >= SETTLED_AFTER_SECONDS else None

    def _prune(self) -> None:
        today = self._deps.clock.now().date()
        if self._pruned_on != today:
            self._deps.counts.prune()
            self._pruned_on = today

    def stop(self) -> None:
        self._deps.lease.release()
