"""The portal process: the listener where people work. Started by the supervisor.

It holds the operator key, so that what a person signs with a password can be counter-signed, and no issuing key. EST
credentials open nothing here, and nothing here opens EST.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Callable

import structlog
import uvloop
from cryptography.hazmat.primitives.serialization import Encoding

from certuary.core.mark import Marker
from certuary.errors import CertuaryError, DatabaseDown
from certuary.est.request import make_request_id
from certuary.portal.deps import PortalDeps
from certuary.portal.provider import Provider
from certuary.portal.settings import portal_settings
from certuary.portal.ways import Ways
from certuary.server.board import Board
from certuary.server.child import ChildOrders, read_orders, take_hang_up, when_supervisor_is_gone
from certuary.server.config import Settings
from certuary.server.listener_identity import IdentityFile
from certuary.server.logs import configure_logs
from certuary.server.portal_http import PortalServer
from certuary.server.portal_ways import read_client_ca, read_provider
from certuary.server.stream_job import StreamJob
from certuary.server.wiring import (
    Stores,
    check_schema,
    load_marker,
    open_high_water,
    open_key_store,
    open_store,
    stand_in_snapshots,
)
from certuary.services.audit_stream import OwnStream
from certuary.services.believed_records import BelievedRecords
from certuary.services.blocklist_file import BlocklistFile
from certuary.services.enrol import EnrolDeps
from certuary.services.guarded_clock import GuardedClock, steady_seconds, utc_now
from certuary.services.high_water import HighWater
from certuary.services.initialise import load_pepper
from certuary.services.keys_in_flight import KeysInFlight
from certuary.services.listed_revocations import ListedRevocations
from certuary.services.order_certificate import OrderDeps
from certuary.services.passwords import Passwords
from certuary.services.ports import Clock, KeyStore, Record, RecordStore
from certuary.services.process_report import ProcessReport
from certuary.services.record_gate import RecordGate
from certuary.services.rehearse_enrolment import CurrentSnapshot, RehearsalDeps
from certuary.services.signing_key import open_operator_keys
from certuary.services.trust import PORTAL_NAME, PORTAL_ROLE, Trust
from certuary.services.user_certificate import UserCertificates

ROLE = "portal"
REPORT_SECONDS = 1.0
_CERTIFICATE_SECONDS = 5.0
_STREAM_SECONDS = 1.0

_log = structlog.get_logger("certuary.portal")


def main(pipe_fd: int) -> None:
    orders = read_orders(pipe_fd)
    settings = orders.settings()
    configure_logs(settings.log_level, process=ROLE)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(PortalProcess(orders, settings).run(pipe_fd))


class PortalProcess:
    def __init__(self, orders: ChildOrders, settings: Settings) -> None:
        self._settings = settings
        self._slot = orders.slot
        self._board = Board.open(orders.board_fd)
        self._listening = socket.socket(fileno=orders.listen_fd)
        self._started_at = time.time()
        self._keys = open_key_store(settings, orders.role_keys)
        own = OwnStream(node=orders.node, process=ROLE, stream=orders.stream, key=orders.stream_key)
        secret = self._keys.load_secret(PORTAL_NAME, role=PORTAL_ROLE).hex()
        self._stores = open_store(
            settings,
            chain=own.new_chain,
            must_be_current=False,
            django=portal_settings(secret_key=secret, hosts=allowed_hosts(settings)),
        )
        self._stream = StreamJob(own, self._stores.streams, self._stores.records, utc_now)
        self._database_ok = True
        try:
            check_schema()
        except DatabaseDown as problem:
            _log.error("the database cannot be reached", problem=str(problem))
            self._database_ok = False
        people_ca = tuple(issuer.public_bytes(Encoding.DER) for issuer in read_client_ca(settings))
        # Nobody is asked for a certificate that opens nothing.
        self._identity = IdentityFile(settings, self._keys, lambda: people_ca or None)
        deps = portal_deps(settings, self._stores, self._keys, Trust.from_text(orders.trust))
        # Django's pages can be imported only once it is configured.
        from certuary.portal.application import build

        self._server = PortalServer(build(deps), self._identity.context)
        self._identity.on_change = lambda context: setattr(self._server, "context", context)

    async def run(self, pipe_fd: int) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._server.stop)
        loop.add_signal_handler(signal.SIGINT, lambda: None)
        loop.add_signal_handler(signal.SIGHUP, self._identity.read_again)
        take_hang_up()
        when_supervisor_is_gone(pipe_fd, self._server.stop)
        await self._in_thread(self._stream.tick)  # so that the first event is that of the start
        background = [
            asyncio.create_task(self._report_forever()),
            asyncio.create_task(self._watch_certificate()),
            asyncio.create_task(self._open_stream()),
        ]
        _log.info("portal is ready", pid=os.getpid())
        await self._server.run_on(self._listening)
        for task in background:
            task.cancel()
        await self._in_thread(self._stream.stop)
        _log.info("portal has stopped")

    async def _in_thread(self, act: Callable[[], None]) -> None:
        """Whatever the database says, the portal goes on: its pages say what is wrong."""

        def run() -> None:
            try:
                act()
                self._database_ok = True
            except CertuaryError as problem:
                if self._database_ok:
                    _log.warning("the portal's stream cannot be written", problem=str(problem))
                self._database_ok = False
            finally:
                self._stores.close_connection()

        await asyncio.get_running_loop().run_in_executor(None, run)

    async def _open_stream(self) -> None:
        """As soon as the database is there; meanwhile events go to the stream all the same."""
        while not self._stream.is_open:
            await asyncio.sleep(_STREAM_SECONDS)
            await self._in_thread(self._stream.tick)

    async def _report_forever(self) -> None:
        while True:
            self._board.write(self._slot, self._report())
            await asyncio.sleep(REPORT_SECONDS)

    def _report(self) -> ProcessReport:
        return ProcessReport(
            role=ROLE,
            pid=os.getpid(),
            started_at=self._started_at,
            steady_at=time.monotonic(),
            database_ok=self._database_ok,
            problems=tuple(filter(None, (self._identity.problem,))),
        )

    async def _watch_certificate(self) -> None:
        while True:
            await asyncio.sleep(_CERTIFICATE_SECONDS)
            self._identity.refresh()


def portal_deps(settings: Settings, stores: Stores, keys: KeyStore, trust: Trust) -> PortalDeps:
    marker = load_marker(keys, trust.instance)
    clock = GuardedClock(wall=utc_now, steady=steady_seconds, newest_event_at=None)
    host = settings.hostnames[0] if settings.hostnames else "localhost"
    rehearsal = _rehearsal(settings, stores, trust, marker, clock)
    high_water = open_high_water(settings)
    return PortalDeps(
        records=stores.records,
        clock=clock,
        trust=trust,
        operator=open_operator_keys(keys, trust),
        high_water=high_water,
        passwords=Passwords(load_pepper(keys)),
        marker=marker,
        rehearsal=rehearsal,
        ordering=OrderDeps(orders=stores.orders, reader=stores.reader, rehearsal=rehearsal),
        new_request_id=lambda: make_request_id(os.urandom),
        est_url=f"https://{host}:{settings.est_port}/.well-known/est",
        status_url=settings.public_status_url,
        environment=settings.environment,
        ways=_ways(settings, stores.records, trust, high_water, rehearsal.enrol),
    )


def _rehearsal(
    settings: Settings, stores: Stores, trust: Trust, marker: Marker, clock: Clock
) -> RehearsalDeps:
    """What a dry run sees: what a worker sees, without its keys."""
    enrol = EnrolDeps(
        reader=stores.reader,
        blocklist=BlocklistFile(settings.home).current,
        keys_in_flight=KeysInFlight(),
        marker=marker,
        is_listed=ListedRevocations(stores.crls, marker),
    )
    current = CurrentSnapshot(stand_in_snapshots(settings, stores.feed, trust))
    return RehearsalDeps(snapshot=current, enrol=enrol, clock=clock)


def _ways(
    settings: Settings, records: RecordStore, trust: Trust, high_water: HighWater, enrol: EnrolDeps
) -> Ways:
    def own_authorities() -> tuple[Record, ...]:
        # A gate is not for several threads at a time.
        return BelievedRecords(records, RecordGate(trust, high_water, records)).complete("authority")

    provider, issuers = read_provider(settings), read_client_ca(settings)
    certificates = UserCertificates(
        issuers=issuers,
        own_authorities=own_authorities,
        reader=enrol.reader,
        marker=enrol.marker,
        is_listed=enrol.is_listed,
    )
    return Ways(
        password=settings.portal_password_sign_in,
        provider=Provider(provider) if provider else None,
        certificates=certificates if issuers else None,
    )


def allowed_hosts(settings: Settings) -> tuple[str, ...]:
    return (*settings.hostnames, "localhost", "127.0.0.1", "[::1]")


if __name__ == "__main__":
    configure_logs("info", process=ROLE)
    try:
        main(int(sys.argv[1]))
    except (CertuaryError, IndexError) as problem:
        _log.error("the portal cannot start", problem=str(problem))
        sys.exit(78)
