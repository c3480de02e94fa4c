"""An EST worker: one process, one event loop, one writer. The supervisor starts it."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import structlog
import uvloop
from uvicorn.server import ServerState

from certuary.errors import CertuaryError, DatabaseDown
from certuary.est.app import build
from certuary.est.deps import EstDeps
from certuary.server.board import Board
from certuary.server.child import ChildOrders, read_orders, take_hang_up, when_supervisor_is_gone
from certuary.server.config import Settings
from certuary.server.http_protocol import EstHttpProtocol, http_config
from certuary.server.listener import Listener
from certuary.server.listener_identity import IdentityFile
from certuary.server.logs import configure_logs
from certuary.server.random_octets import RandomOctets
from certuary.server.stream_job import process_event
from certuary.server.wiring import (
    Stores,
    check_schema,
    load_marker,
    open_high_water,
    open_key_store,
    open_store,
    preload_store,
    signer_loader,
    snapshot_loader,
)
from certuary.services.audit_stream import OwnStream, open_stream
from certuary.services.blocklist_file import BlocklistFile
from certuary.services.certificate_directory import CertificateDirectory
from certuary.services.create_trust import new_serial
from certuary.services.credential_cache import CredentialCache
from certuary.services.enrol import EnrolDeps
from certuary.services.fulfil_order import FulfilDeps, fulfil_order, unreadable_item
from certuary.services.guarded_clock import GuardedClock, steady_seconds, utc_now
from certuary.services.keys_in_flight import KeysInFlight
from certuary.services.listed_revocations import ListedRevocations
from certuary.services.password_checker import PasswordChecker
from certuary.services.password_quota import PasswordQuota
from certuary.services.passwords import PEPPER_NAME, Passwords
from certuary.services.ports import AuditRow, BatchItem, SignedOrder, UnreadableOrder
from certuary.services.process_report import ProcessReport
from certuary.services.snapshot import Snapshot, unloaded_snapshot
from certuary.services.trust import Trust

if TYPE_CHECKING:
    from certuary.services.load_snapshot import SnapshotLoader
    from certuary.store.writer import GroupCommitWriter

RELOAD_SECONDS = 0.25
ORDER_SECONDS = 0.25
REPORT_SECONDS = 1.0
PROBE_SECONDS = 1.0
STALE_SECONDS = 15.0
"""A worker that could not read the configuration for so long answers 503: whoever was disabled or revoked meanwhile
would still be let in."""

_log = structlog.get_logger("certuary.worker")


def main(pipe_fd: int) -> None:
    preload_store()  # while the supervisor still derives the keys
    orders = read_orders(pipe_fd)
    settings = orders.settings()
    configure_logs(settings.log_level, process=f"est-{orders.slot}")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(Worker(orders, settings, pipe_fd).run())


@dataclass(slots=True)
class _Current:
    """What the reload thread replaces and requests read: one reference, swapped whole."""

    snapshot: Snapshot


class Worker:
    def __init__(self, orders: ChildOrders, settings: Settings, pipe_fd: int) -> None:
        self._orders = orders
        self._settings = settings
        self._pipe_fd = pipe_fd
        self._counters: Counter[str] = Counter()
        self._started_at = time.time()
        self._database_ok = True
        self._read_at = time.monotonic()
        self._stream_is_open = False

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, stop.set)
        loop.add_signal_handler(signal.SIGINT, lambda: None)  # the supervisor passes on what a terminal sends
        when_supervisor_is_gone(self._pipe_fd, stop.set)
        # Django refuses database work on an event loop's own thread.
        self._reloading = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reload")
        await loop.run_in_executor(self._reloading, self._prepare)
        loop.add_signal_handler(signal.SIGHUP, self._identity.read_again)
        take_hang_up()
        listener = self._make_listener(loop)
        await listener.start(socket.socket(fileno=self._orders.listen_fd))
        try:
            await self._commit_event("est.started")
        except CertuaryError as problem:
            _log.warning("the start could not be recorded", problem=str(problem))
        await self._report()
        background = [
            asyncio.create_task(self._every(RELOAD_SECONDS, self._reload)),
            asyncio.create_task(self._every(ORDER_SECONDS, self._fulfil_orders)),
            asyncio.create_task(self._every(REPORT_SECONDS, self._report)),
            asyncio.create_task(self._every(PROBE_SECONDS, self._probe_database)),
        ]
        # What start-up made stays; without this every collection would walk it again.
        gc.collect()
        gc.freeze()
        # A request makes some hundred objects and no cycles: the default would collect on every second request.
        gc.set_threshold(20_000, 50, 100)
        _log.info("EST worker is ready", pid=os.getpid(), revision=self._current.snapshot.revision)
        await stop.wait()
        for task in background:
            task.cancel()
        await self._stop(listener)

    def _prepare(self) -> None:
        settings = self._settings
        self._board = Board.open(self._orders.board_fd)
        self._keys = open_key_store(settings, self._orders.role_keys)
        self._stores: Stores = open_store(settings, must_be_current=False)
        self._blocklist_file = BlocklistFile(settings.home)
        self._blocklist = self._blocklist_file.current()
        self._blocking = ThreadPoolExecutor(max_workers=1, thread_name_prefix="blocking")
        trust = Trust.from_text(self._orders.trust)
        self._loader: SnapshotLoader = snapshot_loader(
            settings, self._stores.feed, trust, signer_loader(self._keys)
        )
        self._loaded = self._first_snapshot()
        self._current = _Current(snapshot=self._loaded)
        self._identity = IdentityFile(settings, self._keys, self._trust_anchors)
        self._stream = OwnStream(
            node=self._orders.node,
            process=f"est-{self._orders.slot}",
            stream=self._orders.stream,
            key=self._orders.stream_key,
        )
        self._writer: GroupCommitWriter = self._stores.new_writer(self._stream.new_chain())
        if self._database_ok:
            self._open_stream()
        self._checker = PasswordChecker(Passwords(self._keys.load_secret(PEPPER_NAME)))
        self._marker = load_marker(self._keys, trust.instance)
        self._is_listed = ListedRevocations(self._stores.crls, self._marker)
        self._directory = CertificateDirectory(self._stores.reader, self._marker, self._is_listed)
        self._enrol = EnrolDeps(
            reader=self._stores.reader,
            blocklist=lambda: self._blocklist,
            keys_in_flight=KeysInFlight(),
            marker=self._marker,
            is_listed=self._is_listed,
        )
        self._fulfilling = FulfilDeps(
            trust=trust,
            records=self._stores.records,
            high_water=open_high_water(settings),
            enrol=self._enrol,
        )
        self._clock = GuardedClock(
            wall=utc_now,
            steady=steady_seconds,
            newest_event_at=_newest_event_at() if self._database_ok else None,
        )

    def _trust_anchors(self) -> list[bytes]:
        return [authority.certificate_der for authority in self._current.snapshot.authorities.values()]

    def _open_stream(self) -> None:
        """As soon as the database is there; meanwhile events go to the stream all the same."""
        try:
            open_stream(self._stream, self._stores.streams, self._write_event, utc_now())
            self._stream_is_open = True
        except CertuaryError as problem:
            _log.warning("the audit stream could not be opened yet", problem=str(problem))

    def _write_event(self, event: AuditRow) -> None:
        self._writer.submit(BatchItem(audit=event)).result()

    def _first_snapshot(self) -> Snapshot:
        """With the database away, clients are told so, and not left waiting in the kernel's queue."""
        try:
            check_schema()
            return self._loader.load()
        except DatabaseDown as problem:
            _log.error("the database cannot be reached; EST is disabled until it is", problem=str(problem))
            self._database_ok = False
            return unloaded_snapshot("the database cannot be reached")

    def _make_listener(self, loop: asyncio.AbstractEventLoop) -> Listener:
        app = build(self._est_deps())
        config = http_config(app)
        state = ServerState()
        listener = Listener(
            loop=loop,
            context=self._identity.context,
            new_http=lambda connection: EstHttpProtocol(config, state, connection, self._count),
            counters=self._counters,
            proxy_protocol_from=self._settings.proxy_protocol_from,
            max_connections=self._settings.max_connections,
            max_connections_per_address=self._settings.max_connections_per_address,
        )
        self._identity.on_change = lambda context: setattr(listener, "context", context)
        return listener

    def _est_deps(self) -> EstDeps:
        return EstDeps(
            snapshot=lambda: self._current.snapshot,
            clock=self._clock,
            steady=time.monotonic,
            writer=self._writer,
            directory=self._directory,
            credentials=CredentialCache(os.urandom(32)),
            quota=PasswordQuota(),
            checker=self._checker,
            enrol=self._enrol,
            blocking=self._blocking,
            random_octets=RandomOctets(),
            count=self._count,
        )

    def _count(self, what: str) -> None:
        self._counters[what] += 1

    # Background.

    async def _every(self, seconds: float, act: Callable[[], Coroutine[Any, Any, None]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await act()
            except Exception:
                _log.exception("background work failed")

    async def _reload(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            snapshot = await loop.run_in_executor(self._reloading, self._loader.refresh)
        except Exception as problem:  # a row edited by hand may hold what the database's driver cannot read
            if self._database_ok:
                foreseen = isinstance(problem, CertuaryError)
                _log.error(
                    "the configuration cannot be read",
                    problem=str(problem),
                    exc_info=None if foreseen else problem,
                )
            self._database_ok = False
            return
        self._database_ok = True
        self._read_at = time.monotonic()
        if not self._stream_is_open:
            await loop.run_in_executor(self._reloading, self._open_stream)
        if snapshot is not None:
            if snapshot.revision < self._loaded.revision:
                # An older database took over: what was revoked since it was left is in no delta.
                self._directory.forget_all()
            self._loaded = snapshot
            _log.info("configuration reloaded", revision=snapshot.revision)
        self._current.snapshot = self._loaded
        self._directory.forget_revoked(self._loader.take_revoked())
        self._identity.refresh()
        self._blocklist = self._blocklist_file.current()

    async def _fulfil_orders(self) -> None:
        """What users ordered in the portal: a look at an almost empty table, on the thread that reloads."""
        if not self._database_ok:
            return
        loop = asyncio.get_running_loop()
        try:
            taken = await loop.run_in_executor(self._reloading, self._stores.orders.take, self._clock.now())
        except DatabaseDown:
            return  # the reload on the same thread tells of it
        if taken is None:
            return
        try:
            # What was committed before the order is read before it is fulfilled.
            await self._reload()
            item = await loop.run_in_executor(self._reloading, self._order_item, taken)
            await self._writer.submit_async(item, loop)
        except CertuaryError as problem:
            # It is taken again while it lasts, by this worker or another one; or it was withdrawn meanwhile.
            _log.warning("an order could not be fulfilled", problem=str(problem))
            return
        self._count(item.audit.kind)

    def _order_item(self, taken: SignedOrder | UnreadableOrder) -> BatchItem:
        if not self._database_ok:
            raise DatabaseDown("the configuration cannot be read")
        now = self._clock.require_safe()
        if isinstance(taken, UnreadableOrder):
            return unreadable_item(taken, now)
        serial = new_serial(now)
        return fulfil_order(taken, self._current.snapshot, now=now, serial=serial, deps=self._fulfilling)

    def _disable_when_stale(self) -> None:
        if self._current.snapshot is self._loaded and time.monotonic() - self._read_at > STALE_SECONDS:
            reason = "the configuration cannot be read from the database"
            self._current.snapshot = replace(self._loaded, disabled_reason=reason)
            _log.error("EST is disabled", reason=reason)

    async def _report(self) -> None:
        self._disable_when_stale()
        snapshot = self._current.snapshot
        own = (self._clock.problem(), self._identity.problem, self._blocklist_file.problem)
        problems = (*self._loader.problems, *filter(None, own))
        report = ProcessReport(
            role="est",
            pid=os.getpid(),
            started_at=self._started_at,
            steady_at=time.monotonic(),
            revision=snapshot.revision,
            disabled_reason=snapshot.disabled_reason or self._clock.problem(),
            problems=problems,
            database_ok=self._database_ok and self._writer.available,
            counters=dict(self._counters),
        )
        self._board.write(self._orders.slot, report)

    async def _probe_database(self) -> None:
        """A node that is not ready gets no requests: nobody else would find out that the database can be written."""
        if self._writer.available:
            return
        try:
            await self._commit_event("database.recovered")
        except CertuaryError:
            return

    async def _commit_event(self, kind: str) -> None:
        event = process_event(kind, utc_now())
        await self._writer.submit_async(BatchItem(audit=event), asyncio.get_running_loop())

    async def _stop(self, listener: Listener) -> None:
        await listener.drain(self._settings.drain_seconds)
        try:
            await self._commit_event("est.stopped")
        except CertuaryError as problem:
            _log.warning("the stop could not be recorded", problem=str(problem))
        self._writer.close()
        self._checker.close()
        self._blocking.shutdown()
        self._reloading.shutdown()
        _log.info("EST worker has stopped")


def _newest_event_at() -> datetime | None:
    from certuary.store.audit import list_events

    newest = list_events(limit=1)
    return newest[0].event.at if newest else None


if __name__ == "__main__":
    configure_logs("info", process="est")
    try:
        main(int(sys.argv[1]))
    except (CertuaryError, IndexError) as problem:
        cause = " ".join(str(problem.__cause__ or "").split())
        _log.error("the EST worker cannot start", problem=str(problem), cause=cause)
        sys.exit(78)
