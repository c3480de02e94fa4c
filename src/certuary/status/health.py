"""Is this node ready to enrol? Pure: facts in, verdict out.

A *reason* makes the node not ready: a load balancer should send requests elsewhere. A *warning* is
something an operator should see to, before it becomes a reason. Reasons are sentences for anybody;
warnings and the rest of the detail are for the networks in `metrics_from`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from certuary.services.process_report import ProcessReport

STALE_SECONDS = 5.0
"""A process reports once a second; after this long without, it is counted as not answering."""

TLS_WARNING = timedelta(days=14)
_CRL_WARNING_SHARE = 0.25
"""The CRL job renews at half the lifetime; a quarter left means that it has failed for a quarter."""

EST_ROLE = "est"


@dataclass(frozen=True, slots=True, kw_only=True)
class CrlFacts:
    authority: str
    number: int | None
    this_update: datetime | None
    next_update: datetime | None
    lifetime_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """`reports` are all processes' last reports; `steady_now` is on their clock."""

    now: datetime
    steady_now: float
    started_at: datetime
    reports: Sequence[ProcessReport]
    expected_workers: int
    database_problem: str | None
    clock_problem: str | None
    passphrase_beside_keys: bool
    blocklist_entries: int
    crls: Sequence[CrlFacts]
    tls_not_after: datetime | None
    certificate_expiries: Sequence[tuple[str, datetime]] = ()
    """(authority, notAfter)."""
    problems: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def ready(self) -> bool:
        return not self.reasons


def assess(facts: NodeFacts) -> Health:
    workers = live_workers(facts)
    reasons = [
        *_worker_reasons(workers),
        *([f"database: {facts.database_problem}"] if facts.database_problem else []),
        *([f"clock: {facts.clock_problem}"] if facts.clock_problem else []),
    ]
    warnings = [
        *_worker_warnings(facts, workers),
        *_key_warnings(facts),
        *_tls_warnings(facts),
        *(warning for crl in facts.crls for warning in _crl_warnings(crl, facts.now)),
        *_authority_warnings(facts),
        *facts.problems,
    ]
    return Health(reasons=tuple(reasons), warnings=tuple(dict.fromkeys(warnings)))


def live_workers(facts: NodeFacts) -> tuple[ProcessReport, ...]:
    """The EST workers that have reported lately."""
    return tuple(
        report
        for report in facts.reports
        if report.role == EST_ROLE and report.age_seconds(facts.steady_now) <= STALE_SECONDS
    )


def _worker_reasons(workers: Sequence[ProcessReport]) -> list[str]:
    if not workers:
        return ["est: no EST worker answers"]
    found: list[str] = []
    # One worker that can enrol is enough to be worth sending requests to; a warning says how many are out.
    if all(worker.disabled_reason for worker in workers):
        found.append(f"est: {workers[0].disabled_reason}")
    if all(worker.database_ok is False for worker in workers):
        found.append("database: no EST worker can write to it")
    return found


def _worker_warnings(facts: NodeFacts, workers: Sequence[ProcessReport]) -> list[str]:
    found = [problem for worker in workers for problem in worker.problems]
    if len(workers) < facts.expected_workers:
        found.insert(0, f"{len(workers)} of {facts.expected_workers} EST workers answer")
    impaired = [worker for worker in workers if worker.disabled_reason or worker.database_ok is False]
    if impaired and len(impaired) < len(workers):
        found.append(f"{len(impaired)} of {len(workers)} EST workers cannot enrol")
    return found


def _key_warnings(facts: NodeFacts) -> list[str]:
    found: list[str] = []
    if facts.passphrase_beside_keys:
        found.append(
            "the key store's passphrase lies beside the keys; "
            "move it with `certuary keystore passphrase --to FILE` or `--systemd-credential`"
        )
    if not facts.blocklist_entries:
        found.append(
            "the blocklist of compromised keys is empty; fill it with `certuary blocklist import FILE`"
        )
    return found


def _tls_warnings(facts: NodeFacts) -> list[str]:
    if facts.tls_not_after is None:
        return ["the EST listener's certificate cannot be read"]
    left = facts.tls_not_after - facts.now
    if left <= timedelta(0):
        return ["the EST listener's certificate has expired"]
    return [f"the EST listener's certificate expires in {_span(left)}"] if left < TLS_WARNING else []


def _crl_warnings(crl: CrlFacts, now: datetime) -> list[str]:
    if crl.next_update is None:
        return [f"authority {crl.authority} has published no CRL; {_publish(crl)}"]
    left = crl.next_update - now
    if left <= timedelta(0):
        return [f"the CRL of {crl.authority} is out of date since {_span(-left)}; {_publish(crl)}"]
    if left < timedelta(seconds=crl.lifetime_seconds * _CRL_WARNING_SHARE):
        return [f"the CRL of {crl.authority} runs out in {_span(left)}; {_publish(crl)}"]
    return []


def _publish(crl: CrlFacts) -> str:
    return f"publish one with `certuary ca crl {crl.authority}`"


def _authority_warnings(facts: NodeFacts) -> list[str]:
    soon = facts.now + timedelta(days=90)
    return [
        f"authority {name} expires on {not_after:%Y-%m-%d}"
        for name, not_after in facts.certificate_expiries
        if not_after < soon
    ]


def _span(span: timedelta) -> str:
    if span >= timedelta(days=2):
        return f"{span.days} days"
    if span >= timedelta(hours=2):
        return f"{int(span.total_seconds() // 3600)} hours"
    return f"{max(1, int(span.total_seconds() // 60))} minutes"


def detail(facts: NodeFacts, health: Health) -> dict[str, object]:
    """The JSON of `/readyz`, for operators."""
    return {
        "ready": health.ready,
        "reasons": list(health.reasons),
        "warnings": list(health.warnings),
        "now": _time(facts.now),
        "started_at": _time(facts.started_at),
        "est": {
            "enabled": any(not worker.disabled_reason for worker in live_workers(facts)),
            "workers_expected": facts.expected_workers,
            "workers_alive": len(live_workers(facts)),
        },
        "database": {"ok": facts.database_problem is None, "problem": facts.database_problem},
        "clock": {"ok": facts.clock_problem is None, "problem": facts.clock_problem},
        "key_store": {"passphrase_beside_keys": facts.passphrase_beside_keys},
        "blocklist": {"entries": facts.blocklist_entries},
        "tls": {"not_after": _time(facts.tls_not_after), "days_left": _days_left(facts)},
        "crls": [_crl_detail(crl, facts.now) for crl in facts.crls],
        "processes": [_process_detail(report, facts.steady_now) for report in facts.reports],
    }


def _crl_detail(crl: CrlFacts, now: datetime) -> dict[str, object]:
    age = int((now - crl.this_update).total_seconds()) if crl.this_update else None
    return {
        "authority": crl.authority,
        "number": crl.number,
        "this_update": _time(crl.this_update),
        "next_update": _time(crl.next_update),
        "age_seconds": age,
    }


def _process_detail(report: ProcessReport, steady_now: float) -> dict[str, object]:
    age = report.age_seconds(steady_now)
    return {
        "role": report.role,
        "pid": report.pid,
        "alive": age <= STALE_SECONDS,
        "seconds_since_report": round(age, 1),
        "revision": report.revision,
        "disabled_reason": report.disabled_reason,
        "database_ok": report.database_ok,
        "problems": list(report.problems),
    }


def _days_left(facts: NodeFacts) -> int | None:
    return None if facts.tls_not_after is None else (facts.tls_not_after - facts.now).days


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")
