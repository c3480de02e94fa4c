"""Write audit events outside the issuance path: chained, in the transaction of what they describe.

A process knows the end of its own stream and asks the database only after a failure. The stream of all commands has
many writers, one after another: each transaction reads its end under the lock on `config_revision`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from threading import RLock

from django.db import transaction

from certuary.core.audit_chain import COMMANDS_STREAM, EMPTY, Chain, Head
from certuary.services.ports import AuditRow
from certuary.store.database import database_errors
from certuary.store.models import AuditEvent, ConfigRevision
from certuary.store.plain import MAX_NUMBER, octets


def stored_head(stream: str) -> Head | None:
    """The last event of a stream that the database has. By its index of streams."""
    rows = AuditEvent.objects.filter(stream=stream, seq__lte=MAX_NUMBER).order_by("-seq")
    for seq, digest in rows.values_list("seq", "hash")[:1]:
        return Head(seq or 0, octets(digest))
    return None


def read_heads(streams: Iterable[str]) -> Mapping[str, Head]:
    """Of each stream that has an event."""
    found = {}
    with database_errors():
        for stream in streams:
            head = stored_head(stream)
            if head is not None:
                found[stream] = head
    return found


class EventStream:
    """The stream that one store writes its events to; transactions of several threads follow one another.

    `chain` is asked for at the first event: `certuary init` makes the key of the chain after it opened the store.
    """

    def __init__(self, chain: Callable[[], Chain]) -> None:
        self._new_chain = chain
        self._chain: Chain | None = None
        self._is_sure = True
        self._lock = RLock()  # the next transaction begins where the last one ended

    @contextmanager
    def transaction(self) -> Iterator[EventWriter]:
        """A transaction of the database. Its events have their numbers for good only when it is committed."""
        writer = EventWriter(self._ahead)
        with self._lock:
            try:
                with database_errors(), transaction.atomic():
                    yield writer
            except BaseException:
                self._is_sure = False  # the commit may have happened, and only its answer be lost
                raise
            if self._chain is not None and writer.chain is not None:
                self._chain.head = writer.chain.head

    def _ahead(self) -> Chain:
        if self._chain is None:
            self._chain = self._new_chain()
        if self._chain.stream == COMMANDS_STREAM:
            return _end_of_commands(self._chain)
        if not self._is_sure:
            self._chain.find_head(stored_head(self._chain.stream))
            self._is_sure = True
        return self._chain.fork()


def _end_of_commands(chain: Chain) -> Chain:
    """As the database has it now, whatever this process remembers: other commands wrote meanwhile."""
    ConfigRevision.objects.select_for_update().get(id=1)
    ahead = chain.fork()
    ahead.head = stored_head(chain.stream) or EMPTY
    return ahead


class EventWriter:
    """Events of one transaction."""

    def __init__(self, ahead: Callable[[], Chain]) -> None:
        self._ahead = ahead
        self.chain: Chain | None = None
        """Where it is after the events written so far."""

    def add(self, row: AuditRow) -> None:
        if self.chain is None:
            self.chain = self._ahead()
        (link,) = self.chain.links([row.texts()])
        self.chain.advance(link)
        AuditEvent.objects.create(
            stream=link.stream,
            seq=link.seq,
            previous=link.previous,
            hash=link.hash,
            at=row.at,
            kind=row.kind,
            actor_kind=row.actor_kind,
            actor=row.actor,
            target=row.target,
            request_id=row.request_id,
            address=row.address,
            detail=row.detail,
        )


def no_chain() -> Chain:
    """For a store that only reads."""
    raise RuntimeError("this process writes no audit events: its store was opened without a chain")
