"""Sign checkpoints of the audit chain, and keep this node's copy of them outside the database.

One node signs, under the lease of the jobs; each copies what was signed to a file of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import structlog
from cryptography.hazmat.primitives.asymmetric import ec

from certuary.core.audit_chain import COMMANDS_STREAM, EMPTY, Head
from certuary.core.checkpoint import (
    FIRST,
    Checkpoint,
    SignedCheckpoint,
    open_checkpoint,
    read_body,
    sign_checkpoint,
)
from certuary.errors import AlreadyExists, AuditBroken, CertuaryError, DatabaseDown
from certuary.server.lease import Lease
from certuary.services.checkpoint_file import CheckpointFile
from certuary.services.ports import CheckpointStore, Clock

EVERY_EVENTS: Final = 1000
EVERY_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 1.0
_OVERLAP: Final = 2000
"""On PostgreSQL an event may become visible after one with a higher number: so far back they are looked at again."""

_log = structlog.get_logger("certuary.jobs")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointJobDeps:
    """`key` is the checkpoint key; `clock` refuses with `ClockUnsafe` rather than give a wrong time."""

    checkpoints: CheckpointStore
    lease: Lease
    key: ec.EllipticCurvePrivateKey
    instance: str
    file: CheckpointFile
    clock: Clock
    steady: Callable[[], float]


class CheckpointJob:
    """Call `tick` every half second, from one thread. `DatabaseDown` leaves it, to be tried again."""

    def __init__(self, deps: CheckpointJobDeps) -> None:
        self._deps = deps
        self._look_at = float("-inf")
        self._signed_at = float("-inf")
        self._signed_event = 0
        self._lost: Sequence[str] = ()
        self._problem: str | None = None

    @property
    def problems(self) -> tuple[str, ...]:
        lost = (f"audit stream {stream} has lost events; run: certuary audit verify" for stream in self._lost)
        return (*lost, *filter(None, [self._problem]))

    def tick(self) -> None:
        now = self._deps.steady()
        if now < self._look_at:
            return
        self._look_at = now + _LOOK_SECONDS
        try:
            if self._deps.lease.is_held(now):
                self._sign_when_due(now)
            self._copy()
            self._problem = None
        except DatabaseDown:
            raise
        except AlreadyExists:  # another node believes it holds the lease; the next look sees what it wrote
            return
        except CertuaryError as problem:
            if self._problem is None:
                _log.error("the audit chain has no new checkpoint", problem=str(problem))
            self._problem = f"the audit chain has no new checkpoint: {problem}"

    def sign_now(self) -> None:
        """At the end, so that what is stopped in good order is covered whole. Whoever holds the lease."""
        with suppress(AlreadyExists):
            self._sign(self._deps.steady())
        self._copy()

    def _sign_when_due(self, now: float) -> None:
        new_events = self._deps.checkpoints.newest_event() - self._signed_event
        waited = now - self._signed_at
        if new_events >= EVERY_EVENTS or (new_events > 0 and waited >= EVERY_SECONDS):
            self._sign(now)

    def _sign(self, now: float) -> None:
        store = self._deps.checkpoints
        newest = store.newest_event()
        before = self._latest()
        known = read_body(before.body).streams if before else {}
        always = store.open_streams() | {COMMANDS_STREAM}
        since = (self._signed_event or newest) - _OVERLAP
        found = store.heads(known.keys() | always | store.streams_since(since))
        # A stream that lost events stays listed as it was, so that every later checkpoint tells.
        lost = {stream: head for stream, head in known.items() if found.get(stream, EMPTY).seq < head.seq}
        listed = _to_list({**found, **lost}, known, always | lost.keys())
        if listed != known:
            self._add(listed, before)
        self._signed_at, self._signed_event, self._lost = now, newest, sorted(lost)

    def _latest(self) -> SignedCheckpoint | None:
        """Of the database or of the file: a database put back by a backup does not have numbers used twice."""
        found = (self._deps.checkpoints.latest(), self._deps.file.last())
        ours = (checkpoint for checkpoint in found if checkpoint and self._is_ours(checkpoint))
        return max(ours, key=lambda checkpoint: checkpoint.number, default=None)

    def _is_ours(self, checkpoint: SignedCheckpoint) -> bool:
        try:
            open_checkpoint(checkpoint, self._deps.key.public_key())
        except AuditBroken:
            return False
        return True

    def _add(self, heads: Mapping[str, Head], before: SignedCheckpoint | None) -> None:
        checkpoint = Checkpoint(
            instance=self._deps.instance,
            number=before.number + 1 if before else FIRST,
            at=self._deps.clock.now(),
            streams=heads,
            previous=before.digest() if before else "",
        )
        self._deps.checkpoints.add(sign_checkpoint(checkpoint, self._deps.key))

    def _copy(self) -> None:
        last = self._deps.file.last()
        while new := self._deps.checkpoints.after(last.number if last else 0):
            if ours := [checkpoint for checkpoint in new if self._is_ours(checkpoint)]:
                self._deps.file.append(ours)
            last = new[-1]


def _to_list(
    heads: Mapping[str, Head], known: Mapping[str, Head], always: frozenset[str]
) -> Mapping[str, Head]:
    """Every stream, but one that is closed only until its last event has been listed once.

    Else a checkpoint would grow with each restart. What the database says of closing decides nothing more.
    """
    return {stream: head for stream, head in heads.items() if stream in always or head != known.get(stream)}
