"""The audit log: events, the streams that chain them, checkpoints, and changes by plain SQL on their way into it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from certuary.core.audit_chain import EventTexts, Head
from certuary.core.checkpoint import SignedCheckpoint
from certuary.core.values import time_to_text


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """`kind` is a dotted word such as "enrolment.issued"; `detail` is JSON text and holds no secret."""

    at: datetime
    kind: str
    actor_kind: str
    actor: str
    target: str
    request_id: str
    address: str
    detail: str

    def texts(self) -> EventTexts:
        """What the chain covers of it."""
        return EventTexts(
            time_to_text(self.at),
            self.kind,
            self.actor_kind,
            self.actor,
            self.target,
            self.request_id,
            self.address,
            self.detail,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """An event as the database has it. Without `seq` it belongs to no chain.

    `number` rises with each event; a gap is a transaction that was undone.
    """

    number: int
    stream: str
    seq: int | None
    previous: bytes
    hash: bytes
    event: AuditRow


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedStream:
    """A stream and its last event, as the database has it."""

    stream: str
    head: Head


class AuditStreamStore(Protocol):
    """Which process writes which stream. Blocking; a failure of the database is `DatabaseDown`."""

    def open(self, stream: str, *, node: str, process: str, at: datetime) -> None:
        """Nothing happens when it is there."""
        ...

    def left_open(self, node: str, process: str) -> tuple[ClosedStream, ...]:
        """The streams of that process that nobody has closed, its present one among them."""
        ...

    def mark_closed(self, stream: str, *, by: str) -> None: ...


class CheckpointStore(Protocol):
    """Checkpoints, and what goes into them. Blocking; a failure of the database is `DatabaseDown`."""

    def newest_event(self) -> int:
        """The highest number of an event; 0 when there is none."""
        ...

    def streams_since(self, number: int) -> frozenset[str]:
        """Streams with an event of a higher number."""
        ...

    def open_streams(self) -> frozenset[str]:
        """Streams that nobody has closed."""
        ...

    def heads(self, streams: Iterable[str]) -> Mapping[str, Head]:
        """The last event of each stream that has one."""
        ...

    def latest(self) -> SignedCheckpoint | None: ...

    def after(self, number: int) -> tuple[SignedCheckpoint, ...]:
        """The next ones, in their order: some hundreds at most."""
        ...

    def all(self) -> Iterable[SignedCheckpoint]:
        """In their order; streamed."""
        ...

    def add(self, checkpoint: SignedCheckpoint) -> None:
        """`AlreadyExists` when another node has written that number. The oldest ones go."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PropertyChangeRow:
    """A property changed by plain SQL, as a trigger recorded it; `before` and `after` should be JSON."""

    id: int
    at: datetime
    operation: str
    key: str
    before: str | None
    after: str | None
    database_user: str


class PropertyChangeStore(Protocol):
    """What plain SQL did to properties. Blocking; a failure of the database is `DatabaseDown`."""

    def pending(self) -> tuple[PropertyChangeRow, ...]:
        """In their order: some hundreds at most. One cheap statement when there is none."""
        ...

    def settle(self, changes: Mapping[int, AuditRow]) -> int:
        """Replace changes, by number, with their events, in one transaction; how many nobody else had settled."""
        ...

    def is_silenced(self) -> bool:
        """Whether the triggers are told to record nothing, by a transaction that is over."""
        ...

    def end_silence(self, audit: AuditRow) -> None:
        """Let them record again, with that event; nothing when another node has done it."""
        ...
