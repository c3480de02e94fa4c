"""Servers under measurement, each pinned: the EST worker on its own core, everything else on the other."""

from __future__ import annotations

import functools
import operator
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import machine
from bench.load import Exchange, Outcome, Stream, client_context, run, verified_connection
from bench.material import Prepared, basic, encode_enrolment, make_csr
from bench.report import Measurement
from tests.postgres import PostgresServer
from tests.running_server import RunningServer, running_server

ENROL = "/.well-known/est/simpleenroll"
REENROL = "/.well-known/est/simplereenroll"
REPORT_SECONDS = 1.5  # how old a worker's counters in /metrics can be, and then some


@dataclass(frozen=True, slots=True, kw_only=True)
class Cores:
    worker: int
    rest: int


def choose_cores() -> Cores:
    """The first two cores of this process; binds this process, and so its children, to the second."""
    available = sorted(os.sched_getaffinity(0))
    if len(available) < 2:
        raise SystemExit("the benchmark needs two cores: one for the EST worker, one for the load")
    os.sched_setaffinity(0, {available[1]})
    return Cores(worker=available[0], rest=available[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one or several runs used and met; readings of the same row add up."""

    cpu_seconds: float
    database_seconds: float | None
    outcome: Outcome

    def __add__(self, other: Reading) -> Reading:
        database = None
        if self.database_seconds is not None and other.database_seconds is not None:
            database = self.database_seconds + other.database_seconds
        return Reading(
            cpu_seconds=self.cpu_seconds + other.cpu_seconds,
            database_seconds=database,
            outcome=in_turn(self.outcome, other.outcome),
        )

    def measurement(self, name: str) -> Measurement:
        answered = self.outcome.answered
        database = self.database_seconds
        return Measurement(
            name=name,
            cpu=self.cpu_seconds / answered * 1e6,
            database_cpu=None if database is None else database / answered * 1e6,
            rate=self.outcome.rate,
            p50=self.outcome.percentile(50),
            p99=self.outcome.percentile(99),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Something that answers on a port; `pid` is measured, `database` (PostgreSQL's postmaster) beside it."""

    address: tuple[str, int]
    pid: int
    database: int | None = None

    def read(
        self, name: str, streams: Sequence[Stream], *, seconds: float, warm_seconds: float = 1.0
    ) -> Reading:
        """Warm up, then measure; a single failed request fails the run."""
        check(name, run(self.address, streams, seconds=warm_seconds))
        pids, database = [self.pid], self._database_pids()
        before, database_before = machine.cpu_of(pids), machine.cpu_of(database)
        outcomes = run(self.address, streams, seconds=seconds)
        used = machine.cpu_of(pids) - before
        database_used = machine.cpu_of(database) - database_before
        check(name, outcomes)
        return Reading(
            cpu_seconds=used,
            database_seconds=database_used if database else None,
            outcome=side_by_side(outcomes),
        )

    def _database_pids(self) -> list[int]:
        return [] if self.database is None else [self.database, *machine.children(self.database)]


@dataclass(frozen=True, slots=True, kw_only=True)
class EstServer(Target):
    """A running `certuary serve` and the application that `init` made."""

    server: RunningServer
    username: str
    password: str

    @property
    def authorization(self) -> str:
        return basic(self.username, self.password)

    def enrolments(self, prepared: Iterable[Prepared], *, close: bool) -> Iterator[Exchange]:
        """Enrolments by password."""
        requests = (
            Exchange(
                request=encode_enrolment(one, path=ENROL, authorization=self.authorization, close=close),
                key_der=one.key_der,
            )
            for one in prepared
        )
        return iter(list(requests))

    def resumed_sessions(self) -> int:
        """How many handshakes the server itself has counted as resumed."""
        time.sleep(REPORT_SECONDS)
        with urllib.request.urlopen(f"{self.server.status_url}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        counted = [line for line in lines if line.startswith("certuary_tls_total{")]
        if not counted:
            raise SystemExit("the server does not count its handshakes: no certuary_tls_total in /metrics")
        return sum(int(float(line.split()[-1])) for line in counted if 'event="resumed"' in line)


@contextmanager
def est_server(home: Path, cores: Cores, *, postgres: PostgresServer | None = None) -> Iterator[EstServer]:
    """`certuary serve`, made first if the home is empty; on PostgreSQL in a database named like the home."""
    environment = {"CERTUARY_LOG_LEVEL": "warning"}
    if postgres is not None:
        environment["CERTUARY_DATABASE_URL"] = postgres.url(home.name)
    with running_server(home, environment=environment) as server:
        pid = worker_pid(server)
        machine.pin(pid, {cores.worker})
        address = ("127.0.0.1", server.est_port)
        verified_connection(address, str(server.root_pem))
        username, password = _quickstart(server.netrc)
        started = EstServer(
            address=address,
            pid=pid,
            database=None if postgres is None else postgres.process_id,
            server=server,
            username=username,
            password=password,
        )
        _prime(started)
        yield started


@contextmanager
def empty_server(cores: Cores) -> Iterator[Target]:
    """The same listener, answering an empty 200."""
    command = [sys.executable, "-m", "bench.empty_listener"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        port = int(process.stdout.readline())
        machine.pin(process.pid, {cores.worker})
        yield Target(address=("127.0.0.1", port), pid=process.pid)
    finally:
        process.stdin.close()
        process.wait(timeout=10)
        process.stdout.close()


def _prime(server: EstServer) -> None:
    """One enrolment, so that the password is known: a burst of checks would be held back as guesses are."""
    first = server.enrolments([make_csr("first")], close=True)
    stream = Stream(exchanges=first, context=client_context(), width=1)
    check("the first enrolment", run(server.address, [stream], seconds=30, limit=1))


def worker_pid(server: RunningServer) -> int:
    _, detail = server.readiness()
    processes = detail["processes"]
    assert isinstance(processes, list)
    return next(int(process["pid"]) for process in processes if process["role"] == "est")


def check(name: str, outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.failures:
            raise SystemExit(f"{name}: requests failed: {dict(outcome.failures.most_common(3))}")
        if not outcome.answered:
            raise SystemExit(f"{name}: nothing was answered")


def total(readings: Sequence[Reading]) -> Reading:
    return functools.reduce(operator.add, readings)


def side_by_side(outcomes: Sequence[Outcome]) -> Outcome:
    """Streams of one run as one."""
    whole = Outcome(seconds=max(outcome.seconds for outcome in outcomes))
    for outcome in outcomes:
        _add(whole, outcome)
    return whole


def in_turn(first: Outcome, second: Outcome) -> Outcome:
    """Two runs of one row as one."""
    whole = Outcome(seconds=first.seconds + second.seconds)
    _add(whole, first)
    _add(whole, second)
    return whole


def _add(whole: Outcome, part: Outcome) -> None:
    whole.times += part.times
    whole.statuses += part.statuses
    whole.failures += part.failures
    whole.handshakes += part.handshakes
    whole.resumed += part.resumed


def _quickstart(netrc: Path) -> tuple[str, str]:
    words = netrc.read_text().split()
    return words[words.index("login") + 1], words[words.index("password") + 1]
