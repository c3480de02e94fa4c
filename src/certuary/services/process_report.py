"""What each process of a node tells about itself once a second, for health, metrics and the supervisor.

A report is one JSON object of a bounded size.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from certuary.errors import MalformedRequest

MAX_PROBLEMS = 20
_MAX_PROBLEM_CHARACTERS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessReport:
    """`steady_at` is on the clock of `time.monotonic`, which all processes of a machine share.

    `disabled_reason` is the snapshot's, of an EST worker. `database_ok` is None where none is used.
    `counters` are numbers by dotted name, such as "requests.refused.408"; all rise from 0 at the start.
    `gauges` may fall.
    """

    role: str
    pid: int
    started_at: float
    steady_at: float
    revision: int = 0
    disabled_reason: str | None = None
    problems: tuple[str, ...] = ()
    database_ok: bool | None = None
    counters: Mapping[str, float] = field(default_factory=dict)
    gauges: Mapping[str, float] = field(default_factory=dict)

    def age_seconds(self, steady_now: float) -> float:
        return max(0.0, steady_now - self.steady_at)


def encode_report(report: ProcessReport) -> bytes:
    problems = tuple(problem[:_MAX_PROBLEM_CHARACTERS] for problem in report.problems[:MAX_PROBLEMS])
    if len(report.problems) > MAX_PROBLEMS:
        problems += (f"and {len(report.problems) - MAX_PROBLEMS} more",)
    values = {name: getattr(report, name) for name in ProcessReport.__slots__}
    values |= {"problems": problems, "counters": dict(report.counters), "gauges": dict(report.gauges)}
    return json.dumps(values, separators=(",", ":")).encode()


def decode_report(encoded: bytes) -> ProcessReport:
    """Fields of another release are dropped, missing ones get their default."""
    try:
        values = json.loads(encoded)
        known = {name: values[name] for name in ProcessReport.__slots__ if name in values}
        return ProcessReport(**known | {"problems": tuple(known.get("problems", ()))})
    except (ValueError, TypeError, RecursionError) as problem:
        raise MalformedRequest("not a process report") from problem
