from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from certuary.errors import ClockUnsafe
from certuary.services.guarded_clock import GuardedClock, utc_now
from tests.unit.services.builders import NOW


class Clocks:
    def __init__(self) -> None:
        self.wall = NOW
        self.steady = 1000.0

    def guarded(self, newest_event_at: datetime | None = None) -> GuardedClock:
        return GuardedClock(
            wall=lambda: self.wall, steady=lambda: self.steady, newest_event_at=newest_event_at
        )


def test_a_clock_that_runs_is_safe() -> None:
    clocks = Clocks()
    clock = clocks.guarded(newest_event_at=NOW - timedelta(hours=1))
    clocks.wall += timedelta(hours=5)
    clocks.steady += 5 * 3600 + 30
    assert clock.require_safe() == clocks.wall
    assert clock.now() == clocks.wall
    assert clock.problem() is None


@pytest.mark.parametrize("jump", [timedelta(hours=-1), timedelta(days=3650)])
def test_a_clock_that_jumps_signs_nothing_until_it_is_back(jump: timedelta) -> None:
    clocks = Clocks()
    clock = clocks.guarded()
    clocks.wall += jump
    with pytest.raises(ClockUnsafe, match="the clock jumped from 2026-11-23T12:00:00Z"):
        clock.require_safe()
    assert "set it right" in (clock.problem() or "")
    clocks.wall -= jump
    assert clock.require_safe() == NOW


def test_a_clock_set_back_while_nothing_ran_is_noticed_at_the_start() -> None:
    clock = Clocks().guarded(newest_event_at=NOW + timedelta(hours=1))
    with pytest.raises(ClockUnsafe, match="an event was committed at 2026-11-23T13:00:00Z"):
        clock.require_safe()


def test_the_clock_in_use_is_utc() -> None:
    assert utc_now().utcoffset() == timedelta(0)
