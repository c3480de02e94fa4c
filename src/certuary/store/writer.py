"""The writer of the issuance path: what many requests commit goes to the database in one transaction.

One thread with a connection of its own takes all that is queued and commits it. While it waits for the disk,
the next batch gathers, so batches grow with the load by themselves and a lone request never waits for company.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Lock, Thread, get_native_id
from typing import NamedTuple

from django.db import connection

from certuary.core.audit_chain import Chain
from certuary.errors import DatabaseDown, Unavailable
from certuary.services.ports import BatchItem
from certuary.store.batch_postgresql import PostgresqlSession
from certuary.store.batch_rows import chain_events
from certuary.store.batch_session import BatchSession, ItemRefused
from certuary.store.batch_sqlite import SqliteSession

MAX_QUEUED = 4096
MAX_BATCH = 64
LINGER_SECONDS = 0.002
WORTH_A_COMMIT = 4
"""How many items under load make a commit without lingering."""
FIRST_BACKOFF_SECONDS = 0.1
LAST_BACKOFF_SECONDS = 5.0
SLOW_FAILURE_SECONDS = 1.0
"""When a commit fails only after this long (a lock that is not let go of), who waited behind it fails with it: each
batch would else wait as long once more."""

_logger = logging.getLogger(__name__)


def open_session() -> BatchSession:
    """A session of the calling thread on the configured database."""
    return SqliteSession() if connection.vendor == "sqlite" else PostgresqlSession()


class _Waiting(NamedTuple):
    """An item and who waits for it: a thread, or a coroutine of `loop`."""

    item: BatchItem
    future: Future[None] | asyncio.Future[None]
    loop: asyncio.AbstractEventLoop | None


class GroupCommitWriter:
    """`services.ports.IssuanceWriter`. Make it in the process that uses it, after any fork.

    Only its thread uses `chain`: events have their places in the order of the commits.
    """

    def __init__(self, chain: Chain, session: Callable[[], BatchSession] = open_session) -> None:
        self._chain = chain
        self._head_is_sure = True
        self._open_session = session
        self._session: BatchSession | None = None
        self._retry_at = 0.0
        self._backoff = FIRST_BACKOFF_SECONDS
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._lock = Lock()
        self._closed = False
        self._last_batch = 0
        self.available = True
        """False from a failed commit, or connection, to the next commit. Connections the writer tries by itself."""
        self.batches = 0
        self.items = 0
        self._thread = Thread(target=self._run, name="issuance-writer", daemon=True)
        self._thread.start()

    def submit(self, item: BatchItem) -> Future[None]:
        """See the port. For threads."""
        future: Future[None] = Future()
        self._put(_Waiting(item, future, None))
        return future

    def submit_async(self, item: BatchItem, loop: asyncio.AbstractEventLoop) -> asyncio.Future[None]:
        """The same for a coroutine of `loop`, which is woken once per batch however many wait."""
        future = loop.create_future()
        self._put(_Waiting(item, future, loop))
        return future

    @property
    def queued(self) -> int:
        return self._queue.qsize()

    def close(self) -> None:
        """Refuse new items, commit what is queued, end the thread."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def _put(self, waiting: _Waiting) -> None:
        with self._lock:  # nothing is put behind the None that ends the thread
            if self._closed:
                raise Unavailable("the server is stopping", rule="stopping")
            if self._queue.qsize() >= MAX_QUEUED:
                raise Unavailable("too many requests wait for the database", rule="overloaded")
            self._queue.put(waiting)

    def _run(self) -> None:
        _never_preempt()
        going_on = True
        while going_on:
            self._connect()
            batch, going_on = self._next_batch()
            self._last_batch = len(batch)
            if batch:
                self._commit(batch)
        if self._session is not None:
            self._session.close()

    def _next_batch(self) -> tuple[list[_Waiting], bool]:
        """What is queued (nothing when it is time to try the database again), and whether to go on."""
        pause = None if self._session is not None else max(self._retry_at - time.monotonic(), 0.01)
        batch: list[_Waiting] = []
        try:
            waiting = self._queue.get(timeout=pause)
            if self._others_are_on_their_way():
                # A commit for each alone would cost them all more than this moment.
                time.sleep(LINGER_SECONDS)
            while waiting is not None:
                batch.append(waiting)
                if len(batch) == MAX_BATCH:
                    return batch, True
                waiting = self._queue.get_nowait()
        except Empty:
            return batch, True
        return batch, False

    def _others_are_on_their_way(self) -> bool:
        """Under load, yes: the last batch held several. A lone caller is never kept waiting."""
        return self._last_batch > 1 and self._queue.qsize() + 1 < max(self._last_batch, WORTH_A_COMMIT)

    def _commit(self, batch: Sequence[_Waiting]) -> None:
        began = time.monotonic()
        try:
            self._write(batch)
        except DatabaseDown as problem:
            self._lose_database(problem)
            if time.monotonic() - began > SLOW_FAILURE_SECONDS:
                batch = [*batch, *self._take_queued()]
            _settle(batch, "the database cannot be written")
        except ItemRefused:
            if len(batch) == 1:
                _logger.exception("the database refused a record")
                _settle(batch, "the database does not take this record")
                return
            # One bad item must not fail its neighbours.
            for waiting in batch:
                self._commit([waiting])
        else:
            self._find_database()
            self.batches += 1
            self.items += len(batch)
            _settle(batch, None)

    def _take_queued(self) -> list[_Waiting]:
        taken: list[_Waiting] = []
        with self._lock:
            while not self._queue.empty():
                waiting = self._queue.get()
                if waiting is not None:
                    taken.append(waiting)
            if self._closed:
                self._queue.put(None)  # the end of the thread
        return taken

    def _write(self, batch: Sequence[_Waiting]) -> None:
        self._connect()
        if self._session is None:
            raise DatabaseDown("the database cannot be reached")
        items = [waiting.item for waiting in batch]
        try:
            if not self._head_is_sure:
                self._find_head(self._session)
            self._commit_chained(items, self._session)
        except ItemRefused:
            raise
        except DatabaseDown:
            self._head_is_sure = False  # the commit may have happened, and only its answer be lost
            raise
        except Exception as problem:
            self._head_is_sure = False
            # An item that cannot even be sent. Whatever state it left the connection in goes with it.
            self._drop_session()
            raise ItemRefused from problem

    def _commit_chained(self, items: Sequence[BatchItem], session: BatchSession) -> None:
        chained, last = chain_events(items, self._chain)
        try:
            session.commit(chained)
        except ItemRefused:
            if not self._find_head(session):
                raise
            # The places were taken: by a commit that the database finished after its answer was lost.
            chained, last = chain_events(items, self._chain)
            session.commit(chained)
        self._chain.advance(last)

    def _find_head(self, session: BatchSession) -> bool:
        moved = self._chain.find_head(session.head(self._chain.stream))
        self._head_is_sure = True
        return moved

    def _connect(self) -> None:
        """Open a session if there is none and it is time to try."""
        if self._session is not None or time.monotonic() < self._retry_at:
            return
        try:
            self._session = self._open_session()
        except DatabaseDown as problem:
            self._retry_at = time.monotonic() + self._backoff
            self._backoff = min(2 * self._backoff, LAST_BACKOFF_SECONDS)
            self._lose_database(problem)
            return
        self._backoff = FIRST_BACKOFF_SECONDS

    def _lose_database(self, problem: DatabaseDown) -> None:
        if self._session is not None:
            # Tried again at once: a restarted server is back before the next request.
            self._drop_session()
            self._retry_at = 0.0
        if self.available:
            cause = " ".join(str(problem.__cause__ or problem).split())
            _logger.warning("the database is lost: %s", cause)
        self.available = False

    def _find_database(self) -> None:
        if not self.available:
            _logger.warning("the database is back")
        self.available = True

    def _drop_session(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None


def _never_preempt() -> None:
    """Let a finished commit wait for its turn on the processor (SCHED_BATCH).

    Else it interrupts the event loop on the same core, finds the interpreter's lock taken, and goes back to sleep:
    two switches for nothing, several times a batch.
    """
    with contextlib.suppress(OSError):  # a container may forbid it; the server then only works harder
        os.sched_setscheduler(get_native_id(), os.SCHED_BATCH, os.sched_param(0))


def _settle(batch: Sequence[_Waiting], failure: str | None) -> None:
    """Tell each that its item is committed, or why not. An event loop is woken once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Future[None] | asyncio.Future[None]]] = {}
    for waiting in batch:
        if waiting.loop is None:
            _resolve([waiting.future], failure)
        else:
            by_loop.setdefault(waiting.loop, []).append(waiting.future)
    for loop, futures in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, futures, failure)
        except RuntimeError:  # the loop is closed: nobody waits any more
            _logger.info("%d commits finished after their event loop", len(futures))


def _resolve(futures: Sequence[Future[None] | asyncio.Future[None]], failure: str | None) -> None:
    for future in futures:
        if future.done():  # a client that went away
            continue
        if failure is None:
            future.set_result(None)
        else:
            future.set_exception(DatabaseDown(failure))
