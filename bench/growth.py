"""What becomes of the worker as it goes on: its memory after many enrolments, its rate on a full database."""

from __future__ import annotations

from bench import machine
from bench.fill import fill
from bench.load import Stream, client_context, run
from bench.material import make_csrs
from bench.plan import Plan
from bench.rates import measure_fresh, measure_kept, names
from bench.report import Measurement, Results
from bench.servers import EstServer, check, est_server

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
    """The same home, before and after its database is filled."""
    home = plan.directory / "million"
    with est_server(home, plan.cores) as server:
        empty = _both(server, plan, results, "on an empty SQLite")
    fill(home / "certuary.db", plan.stored_certificates)
    size = (home / "certuary.db").stat().st_size
    results.notes.append(f"SQLite with {plan.stored_certificates:,} certificates: {size / 1e9:.2f} GB.")
    with est_server(home, plan.cores) as server:
        full = _both(server, plan, results, f"with {plan.stored_certificates:,} certificates")
    for what, before, after in zip(("fresh", "keep-alive"), empty, full, strict=True):
        assert before.rate is not None
        assert after.rate is not None
        share = after.rate / before.rate
        results.judge(
            f"rate with {plan.stored_certificates:,} certificates in SQLite, {what}: at least 85 % of none",
            f"{share:.0%} ({before.rate:.0f} -> {after.rate:.0f} /s)",
            share >= _RATE_KEPT,
        )


def _both(server: EstServer, plan: Plan, results: Results, state: str) -> tuple[Measurement, Measurement]:
    fresh = measure_fresh(f"fresh, password, {state}", server, plan)
    kept = measure_kept(f"keep-alive, password, {state}", server, plan)
    results.add(fresh)
    results.add(kept)
    return fresh, kept
