"""What becomes of the worker as it goes on: its memory after many enrolments, its rate on a full database."""

from __future__ import annotations

from collections.abc import Callable

from bench import machine
from bench.fill import fill
from bench.load import Stream, client_context, run
from bench.material import make_csrs
from bench.plan import Plan
from bench.rates import kept_stream, names, password_stream
from bench.report import Measurement, Results
from bench.servers import EstServer, Reading, check, est_server, total

_MEMORY_LIMIT = 130e6
_MEMORY_GROWTH = 0.05
_RATE_KEPT = 0.85


def memory(plan: Plan, results: Results) -> None:
    """Half the enrolments over fresh connections, half over kept ones."""
    with est_server(plan.directory / "memory", plan.cores) as server:
        _enrol(server, plan.memory_first)
        first = machine.resident_bytes(server.pid)
        _enrol(server, plan.memory_last - plan.memory_first)
        last = machine.resident_bytes(server.pid)
    growth = last / first - 1
    results.judge(
        f"worker's memory after {plan.memory_last:,} enrolments on SQLite: at most 130 MB",
        f"{last / 1e6:.1f} MB",
        last <= _MEMORY_LIMIT,
    )
    results.judge(
        f"and within 5 % of what it was after {plan.memory_first:,}",
        f"{growth:+.1%} ({first / 1e6:.1f} -> {last / 1e6:.1f} MB)",
        abs(growth) <= _MEMORY_GROWTH,
    )


def _enrol(server: EstServer, count: int) -> None:
    half = count // 2
    prepared = make_csrs(names("memory", count))
    context = client_context()
    fresh = Stream(exchanges=server.enrolments(prepared[:half], close=True), context=context)
    kept = Stream(
        exchanges=server.enrolments(prepared[half:], close=False), context=context, connections="keep-alive"
    )
    for stream in (fresh, kept):
        outcomes = run(server.address, [stream], seconds=600, limit=count)
        check("enrolments for memory", outcomes)


def million(plan: Plan, results: Results) -> None:
    """Two servers, one of them with a full database, take turns."""
    full_home, count = plan.directory / "full", plan.stored_certificates
    with est_server(full_home, plan.cores):
        pass  # its first enrolment is what the others are copied from
    fill(full_home, count)
    size = (full_home / "certuary.db").stat().st_size
    results.note(f"SQLite with {count:,} certificates: {size / 1e9:.2f} GB.")
    with (
        est_server(plan.directory / "empty", plan.cores) as empty,
        est_server(full_home, plan.cores) as full,
    ):
        for what, stream in (("fresh", password_stream), ("keep-alive", kept_stream)):
            readings = _in_turns(stream, empty, full, plan)
            before = readings[0].measurement(f"{what}, password, SQLite without certificates")
            after = readings[1].measurement(f"{what}, password, SQLite with {count:,} certificates")
            results.add(before)
            results.add(after)
            _judge_rates(f"rate with {count:,} certificates in SQLite, {what}", before, after, results)


def _in_turns(
    make_stream: Callable[..., Stream], empty: EstServer, full: EstServer, plan: Plan
) -> tuple[Reading, Reading]:
    servers = (empty, full)
    streams = [make_stream(server, seconds=plan.seconds + plan.turns) for server in servers]
    readings: list[list[Reading]] = [[], []]
    for _ in range(plan.turns):
        for server, stream, found in zip(servers, streams, readings, strict=True):
            found.append(server.read("full database", [stream], seconds=plan.turn_seconds))
    return total(readings[0]), total(readings[1])


def _judge_rates(what: str, before: Measurement, after: Measurement, results: Results) -> None:
    assert before.rate is not None
    assert after.rate is not None
    share = after.rate / before.rate
    results.judge(
        f"{what}: at least 85 % of the rate with none",
        f"{share:.0%} ({before.rate:.0f} -> {after.rate:.0f} /s)",
        share >= _RATE_KEPT,
    )
