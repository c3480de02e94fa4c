"""What was measured, against what was promised: on the screen and in `docs/performance.md`."""

from __future__ import annotations

import platform
import sqlite3
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version

from cryptography.hazmat.backends.openssl import backend

from bench import machine

MOST_GROWTH = 2.0
_PACKAGES = ("cryptography", "uvicorn", "uvloop", "httptools", "Django", "psycopg", "argon2-cffi")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One line of the table; None is what was not measured.

    CPU is in microseconds per request, of the EST worker and of PostgreSQL; times are in milliseconds.
    """

    name: str
    cpu: float | None = None
    database_cpu: float | None = None
    rate: float | None = None
    p50: float | None = None
    p99: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A target, what came out, and whether it was met; None where the issue only asks for the figure."""

    target: str
    measured: str
    met: bool | None

    @property
    def word(self) -> str:
        return {True: "met", False: "MISSED", None: "printed"}[self.met]


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """What a page takes with few certificates and with many: p95, in milliseconds."""

    name: str
    few: float
    many: float

    @property
    def factor(self) -> float:
        return self.many / self.few

    @property
    def word(self) -> str:
        return "met" if self.factor <= MOST_GROWTH else "MISSED"


@dataclass(slots=True)
class Results:
    """Filled row by row; the verdicts that compare rows are made from `measurements`, by name."""

    measurements: dict[str, Measurement] = field(default_factory=dict)
    growths: list[Growth] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, measurement: Measurement) -> None:
        self.measurements[measurement.name] = measurement
        print("  " + _line(measurement), flush=True)

    def add_growth(self, growth: Growth) -> None:
        self.growths.append(growth)
        print(f"  {growth.factor:.2f} x, {growth.few:.1f} -> {growth.many:.1f} ms: {growth.name}", flush=True)

    def note(self, text: str) -> None:
        self.notes.append(text)
        print(f"  {text}", flush=True)

    def judge(self, target: str, measured: str, met: bool | None) -> None:
        verdict = Verdict(target=target, measured=measured, met=met)
        self.verdicts.append(verdict)
        print(f"  {verdict.word}: {target}: {measured}", flush=True)


def table(results: Results) -> str:
    head = ("", "EST worker, CPU µs", "PostgreSQL, CPU µs", "rate /s", "p50 ms", "p99 ms")
    rows = [head, *(_cells(measurement) for measurement in results.measurements.values())]
    return _markdown(rows, right_from=1)


def verdict_table(results: Results) -> str:
    rows = [("target", "measured", ""), *((v.target, v.measured, v.word) for v in results.verdicts)]
    return _markdown(rows)


def growth_table(results: Results) -> str:
    rows = [
        ("portal page", "few, p95 ms", "many, p95 ms", "x", ""),
        *(
            (one.name, f"{one.few:.1f}", f"{one.many:.1f}", f"{one.factor:.2f}", one.word)
            for one in results.growths
        ),
    ]
    return _markdown(rows, right_from=1)


def document(results: Results, *, command: str, began: datetime) -> str:
    minutes = (datetime.now(UTC) - began).total_seconds() / 60
    facts = "\n".join(f"- {line}" for line in _facts())
    notes = "\n".join(f"- {note}" for note in results.notes)
    return f"""\
# Performance

Written by `{command}` on {began:%Y-%m-%d}, in {minutes:.0f} minutes; nothing here is typed by hand.

{facts}

## Targets

{verdict_table(results)}

## Measurements

One EST worker pinned to one core; the load generator, PostgreSQL and every other process on another core.
A "fresh" request makes a new connection with a full TLS 1.3 handshake; each enrolment has a key of its own,
and its answer is decoded and compared with that key. CPU is user and system time from `/proc`, per answered
request. The load generator keeps eight connections busy, except where a row says otherwise.

{table(results)}
{_growth_section(results)}{"" if not notes else chr(10) + notes + chr(10)}"""


def _growth_section(results: Results) -> str:
    if not results.growths:
        return ""
    return f"""
## The portal's pages

In one process, through all of the portal's middleware, on PostgreSQL; the two databases take turns.

{growth_table(results)}
"""


def _facts() -> Iterator[str]:
    yield f"{machine.cpu_model()}, {machine.cores()} cores, {machine.memory_gib()} GiB of memory"
    yield f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    yield f"{ssl.OPENSSL_VERSION} under TLS, {backend.openssl_version_text()} inside cryptography"
    yield ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    yield f"SQLite {sqlite3.sqlite_version}, Certuary {version('certuary')}"


def _line(measurement: Measurement) -> str:
    name, cpu, database, rate, p50, p99 = _cells(measurement)
    beside = f" + {database} PostgreSQL" if database else ""
    return f"{name}: {cpu or '-'} µs{beside}, {rate or '-'}/s, p50 {p50 or '-'} ms, p99 {p99 or '-'} ms"


def _cells(measurement: Measurement) -> tuple[str, ...]:
    whole = (measurement.cpu, measurement.database_cpu, measurement.rate)
    times = (measurement.p50, measurement.p99)
    return (
        measurement.name,
        *("" if value is None else f"{value:.0f}" for value in whole),
        *("" if value is None else f"{value:.2f}" for value in times),
    )


def _markdown(rows: Sequence[Sequence[str]], *, right_from: int = 99) -> str:
    head, *body = rows
    rule = ["---:" if column >= right_from else "---" for column in range(len(head))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, rule, *body))
