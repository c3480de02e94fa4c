"""The status process: the status listener and the background jobs. Started by the supervisor,
`python -m certuary.server.status_process`.

The event loop serves from memory and does no I/O of its own; one thread runs the jobs and has the
database. So a database that is away, or a CRL that takes long, leaves `/readyz` and the last CRL where
they were.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import structlog
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from certuary.core.certificate import SigningKey
from certuary.core.mark import Marker
from certuary.errors import CertuaryError, DatabaseDown
from certuary.keystore.file import passphrase_is_beside_keys
from certuary.server.board import Board
from certuary.server.bounded_http import STATUS, BoundedServer
from certuary.server.checkpoint_job import CheckpointJob, CheckpointJobDeps
from certuary.server.child import ChildOrders, read_orders, take_hang_up, when_supervisor_is_gone
from certuary.server.config import Settings
from certuary.server.count_job import LEASE as COUNTS_LEASE
from certuary.server.count_job import CountJob, CountJobDeps
from certuary.server.crl_job import LEASE, CrlJob, CrlJobDeps
from certuary.server.jobs import HomeFacts, Job, JobThread, NodeState
from certuary.server.lease import Lease
from certuary.server.listener_job import ListenerJob, ListenerJobDeps
from certuary.server.logs import configure_logs
from certuary.server.node_job import NodeJob
from certuary.server.property_job import PropertyJob
from certuary.server.seal_job import LEASE as SEALS_LEASE
from certuary.server.seal_job import SealJob, SealJobDeps
from certuary.server.stream_job import StreamJob
from certuary.server.wiring import (
    Stores,
    check_schema,
    load_marker,
    open_high_water,
    open_key_store,
    open_store,
    preload_store,
    signer_loader,
)
from certuary.services.audit_stream import OwnStream
from certuary.services.believed_records import BelievedRecords
from certuary.services.blocklist_file import BlocklistFile
from certuary.services.checkpoint_file import CheckpointFile, checkpoints_path
from certuary.services.guarded_clock import GuardedClock, steady_seconds, utc_now
from certuary.services.listener_certificate import listener_path
from certuary.services.ports import Clock, KeyStore, Record
from certuary.services.process_report import ProcessReport
from certuary.services.record_gate import RecordGate
from certuary.services.trust import CHECKPOINT_NAME, CHECKPOINT_ROLE, Trust
from certuary.services.watch_seals import SealWatch
from certuary.status.app import StatusDeps, build
from certuary.status.health import CrlFacts, NodeFacts, assess

ROLE = "status"
REPORT_SECONDS = 1.0
WATCH_SECONDS = 10.0
_JOBS_STOP_SECONDS = 5.0
_FIRST_ROUND_SECONDS = 5.0

_log = structlog.get_logger("certuary.status")


def main(pipe_fd: int) -> None:
    preload_store()  # while the supervisor still derives the keys
    orders = read_orders(pipe_fd)
    settings = orders.settings()
    configure_logs(settings.log_level, process=ROLE)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(StatusProcess(orders, settings).run(pipe_fd))


class SafeClock:
    """The port's clock for what signs: `ClockUnsafe` rather than a time that jumped."""

    def __init__(self, guarded: GuardedClock) -> None:
        self._guarded = guarded

    def now(self) -> datetime:
        return self._guarded.require_safe()


class StatusProcess:
    def __init__(self, orders: ChildOrders, settings: Settings) -> None:
        self._settings = settings
        self._slot = orders.slot
        self._board = Board.open(orders.board_fd)
        self._listening = socket.socket(fileno=orders.listen_fd)
        self._started_at = utc_now()
        self._clock = GuardedClock(wall=utc_now, steady=steady_seconds, newest_event_at=None)
        self._state = NodeState()
        keys = open_key_store(settings, orders.role_keys)
        own = OwnStream(node=orders.node, process=ROLE, stream=orders.stream, key=orders.stream_key)
        chain = own.new_chain()
        stores = open_store(settings, chain=lambda: chain, must_be_current=False)
        try:
            check_schema()
        except DatabaseDown as problem:  # what can be told without it is told; the jobs find it by themselves
            _log.error("the database cannot be reached", problem=str(problem))
        trust = Trust.from_text(orders.trust)
        marker = load_marker(keys, trust.instance)
        self._jobs = job_thread(
            settings, stores, keys, trust, marker, self._clock, self._state, own, self.facts
        )

    async def run(self, pipe_fd: int) -> None:
        deps = StatusDeps(
            documents=lambda: self._state.documents,
            facts=self.facts,
            clock=self._clock,
            operators=self._settings.metrics_from,
        )
        server = BoundedServer(build(deps), STATUS)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, server.stop)
        # The supervisor passes on what a terminal sends; there is nothing here to read again on SIGHUP.
        for number in (signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, lambda: None)
        take_hang_up()
        when_supervisor_is_gone(pipe_fd, server.stop)
        self._jobs.start()
        await self._first_round()
        background = [
            asyncio.create_task(self._report_forever()),
            asyncio.create_task(self._watch_forever()),
        ]
        _log.info("status process is ready", pid=os.getpid())
        await server.run_on(self._listening)
        for task in background:
            task.cancel()
        self._jobs.stop(_JOBS_STOP_SECONDS)
        _log.info("status process has stopped")

    def facts(self) -> NodeFacts:
        state = self._state
        return NodeFacts(
            now=self._clock.now(),
            steady_now=time.monotonic(),
            started_at=self._started_at,
            reports=tuple(self._board.read_all().values()),
            expected_workers=self._settings.workers,
            database_problem=state.database_problem,
            clock_problem=self._clock.problem(),
            passphrase_beside_keys=state.home.passphrase_beside_keys,
            blocklist_entries=state.home.blocklist_entries,
            tls_not_after=state.home.tls_not_after,
            crls=tuple(
                CrlFacts(
                    authority=authority.name,
                    number=authority.crl.number if authority.crl else None,
                    this_update=authority.crl.this_update if authority.crl else None,
                    next_update=authority.crl.next_update if authority.crl else None,
                    lifetime_seconds=authority.crl_lifetime_seconds,
                )
                for authority in state.authorities
            ),
            certificate_expiries=tuple(
                (authority.name, authority.not_after) for authority in state.authorities
            ),
            problems=state.problems,
        )

    async def _watch_forever(self) -> None:
        """Log what `/readyz` finds, once when it begins and once when it is over."""
        known: frozenset[str] = frozenset()
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            health = assess(self.facts())
            found = frozenset((*health.reasons, *health.warnings))
            for text in sorted(found - known):
                _log.warning("needs attention", problem=text)
            for text in sorted(known - found):
                _log.info("no longer", problem=text)
            known = found

    async def _first_round(self) -> None:
        """Until there is something to serve; connections wait meanwhile. Without a database not for long."""
        until = time.monotonic() + _FIRST_ROUND_SECONDS
        while not self._state.rounds and time.monotonic() < until:
            await asyncio.sleep(0.02)

    async def _report_forever(self) -> None:
        while True:
            self._board.write(self._slot, self._report())
            await asyncio.sleep(REPORT_SECONDS)

    def _report(self) -> ProcessReport:
        return ProcessReport(
            role=ROLE,
            pid=os.getpid(),
            started_at=self._started_at.timestamp(),
            steady_at=time.monotonic(),
            problems=self._state.problems,
            database_ok=self._state.database_problem is None,
            counters={"jobs.rounds": self._state.rounds},
        )


def job_thread(
    settings: Settings,
    stores: Stores,
    keys: KeyStore,
    trust: Trust,
    marker: Marker,
    clock: GuardedClock,
    state: NodeState,
    own: OwnStream,
    facts: Callable[[], NodeFacts],
) -> JobThread:
    safe_clock = SafeClock(clock)
    signer_of = _signer_of(keys)
    # Authorities that somebody altered sign nothing.
    believed = BelievedRecords(stores.records, RecordGate(trust, open_high_water(settings), stores.records))
    holder = f"{socket.gethostname()[:40]}:{os.getpid()}"
    jobs_lease = Lease(stores.leases, LEASE, holder)
    stream_job = StreamJob(own, stores.streams, stores.records, clock.now)
    property_job = PropertyJob(stores.property_changes, safe_clock)
    checkpoint_job = CheckpointJob(
        CheckpointJobDeps(
            checkpoints=stores.checkpoints,
            lease=jobs_lease,
            key=_checkpoint_key(keys),
            instance=trust.instance,
            file=CheckpointFile(checkpoints_path(settings.home)),
            clock=safe_clock,
            steady=time.monotonic,
        )
    )
    crl_job = CrlJob(
        CrlJobDeps(
            records=believed,
            crls=stores.crls,
            lease=jobs_lease,
            signer_of=signer_of,
            clock=safe_clock,
            steady=time.monotonic,
            marker=marker,
        ),
        state.publish,
    )
    seals = seal_job(settings, stores, trust, clock, own.node)
    counts = count_job(stores, clock, holder)
    nodes = NodeJob(stores.nodes, facts, name=own.node, hostname=socket.gethostname(), steady=time.monotonic)
    jobs: list[Job] = [stream_job, property_job, checkpoint_job, crl_job, seals, nodes, counts]
    if not settings.tls_certificate_file:
        jobs.append(
            ListenerJob(
                ListenerJobDeps(
                    records=believed,
                    keys=keys,
                    signer_of=signer_of,
                    clock=safe_clock,
                    steady=time.monotonic,
                    path=listener_path(settings.home),
                    hostnames=settings.hostnames,
                    status_url=settings.public_status_url,
                    marker=marker,
                )
            )
        )

    def at_end() -> None:
        try:
            stream_job.stop()
            checkpoint_job.sign_now()
            crl_job.stop()
            seals.stop()
            counts.stop()
        finally:
            stores.close_connection()

    return JobThread(jobs, state, inspect_home=home_inspector(settings), steady=time.monotonic, at_end=at_end)


def count_job(stores: Stores, clock: Clock, holder: str) -> CountJob:
    from certuary.store.counts import DjangoCounts

    return CountJob(
        CountJobDeps(
            counts=DjangoCounts(clock),
            lease=Lease(stores.leases, COUNTS_LEASE, holder),
            clock=clock,
            steady=time.monotonic,
        )
    )


def seal_job(settings: Settings, stores: Stores, trust: Trust, clock: Clock, node: str) -> SealJob:
    high_water = open_high_water(settings)
    gate = RecordGate(trust, high_water)
    return SealJob(
        SealJobDeps(
            watch=SealWatch(stores.rows, gate),
            gate=gate,
            high_water=high_water,
            records=stores.records,
            lease=Lease(stores.leases, SEALS_LEASE, node),
            clock=clock,
            steady=time.monotonic,
            core_seconds=time.thread_time,
        )
    )


def home_inspector(settings: Settings) -> Callable[[], HomeFacts]:
    """A look at this node's files, to be repeated."""
    blocklist = BlocklistFile(settings.home)
    listener = (
        Path(settings.tls_certificate_file) if settings.tls_certificate_file else listener_path(settings.home)
    )

    def inspect() -> HomeFacts:
        return HomeFacts(
            passphrase_beside_keys=passphrase_is_beside_keys(settings.keys_dir),
            blocklist_entries=len(blocklist.current()),
            tls_not_after=_not_after(listener),
        )

    return inspect


def _not_after(path: Path) -> datetime | None:
    """When the first certificate of a PEM file expires; None when there is none to be read."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc.astimezone(UTC)
    except (OSError, ValueError):
        return None


def _checkpoint_key(keys: KeyStore) -> ec.EllipticCurvePrivateKey:
    key = keys.load_key(CHECKPOINT_NAME, role=CHECKPOINT_ROLE)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def _signer_of(keys: KeyStore) -> Callable[[Record], SigningKey | None]:
    load = signer_loader(keys)
    return lambda authority: load(str(authority.values["key_name"]))


if __name__ == "__main__":
    configure_logs("info", process=ROLE)
    try:
        main(int(sys.argv[1]))
    except (CertuaryError, IndexError) as problem:
        _log.error("the status process cannot start", problem=str(problem))
        sys.exit(78)
