"""Watch the seals: every node looks, one of them tells.

Each node's `/readyz` shows what is broken. The holder of the lease also writes one audit event when a record breaks and
one when it is mended, and touches quietly changed rows, so that all processes of all nodes read them again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from certuary.server.lease import Lease
from certuary.services.high_water import HighWater
from certuary.services.ports import AuditRow, Clock, RecordStore, RecordTransaction, Subject
from certuary.services.record_gate import Key, RecordGate
from certuary.services.watch_seals import Look, SealWatch, sentence

LEASE = "seals"
_PATIENCE_SECONDS = 3.0
_LEAP = 1000
"""More revisions than there are changes between two looks."""
_EVERY_SECONDS = 0.45
_REST_FACTOR = 9.0
"""A look that took t seconds of a core is followed by none for 9 t: a tenth of it at most, however many records there
are. What it waited for, such as a lock or a busy machine, costs nobody anything, and must not put off the next."""

_log = structlog.get_logger("certuary.jobs")


@dataclass(frozen=True, slots=True, kw_only=True)
class SealJobDeps:
    """The lease's holder is the node: a status process that was killed is followed by one that has it already."""

    watch: SealWatch
    gate: RecordGate
    high_water: HighWater
    records: RecordStore
    lease: Lease
    clock: Clock
    steady: Callable[[], float]
    core_seconds: Callable[[], float]
    """Of the thread that calls `SealJob.tick`."""


class SealJob:
    """Call `tick` every half second, from one thread. `DatabaseDown` leaves it, to be tried again."""

    def __init__(self, deps: SealJobDeps) -> None:
        self._deps = deps
        self._broken: Mapping[Subject, str] = {}
        # Who can write to the database can write there what was told, so it is asked only when the lease changes hands.
        self._told: Mapping[Subject, str] | None = None
        self._untouched: set[Key] = set()
        self._insisted: Mapping[Subject, str] = {}
        self._silent_since = deps.steady()
        self._next_at = float("-inf")

    @property
    def problems(self) -> tuple[str, ...]:
        broken = tuple(sentence(subject, reason) for subject, reason in sorted(self._broken.items()))
        return (*broken, *filter(None, [self._deps.high_water.problem]))

    def tick(self) -> None:
        began = self._deps.steady()
        if began < self._next_at:
            return
        spent = -self._deps.core_seconds()
        look = self._deps.watch.look()
        self._broken = look.broken
        if self._deps.gate.seen is not None and not look.broken:
            self._deps.high_water.rise(self._deps.gate.seen)
        self._untouched |= set(look.quiet)
        if self._holds_lease(began) or self._nobody_tells(look, began):
            self._tell(look)
        ended = self._deps.steady()
        spent += self._deps.core_seconds()
        self._next_at = ended + max(_EVERY_SECONDS - (ended - began), _REST_FACTOR * spent, 0.0)

    def stop(self) -> None:
        """Let another node go on at once."""
        self._deps.lease.release()

    def _holds_lease(self, now: float) -> bool:
        is_held = self._deps.lease.is_held(now)
        if not is_held:
            self._told = None  # another tells; what it told is in the database
        return is_held

    def _nobody_tells(self, look: Look, now: float) -> bool:
        """Whether the lease is held by somebody who is silent, such as a row that plain SQL wrote. Once per finding."""
        if look.broken == self._insisted or look.broken == self._deps.records.problems_told():
            self._silent_since = now
            return False
        if now - self._silent_since < _PATIENCE_SECONDS:
            return False
        self._insisted = look.broken
        return True

    def _tell(self, look: Look) -> None:
        if self._told is None:
            self._told = self._deps.records.problems_told()
        is_counted_back = look.revision < look.highest_revision
        is_news = look.broken != self._told or look.quiet_manifest or is_counted_back
        if not is_news and not self._untouched:
            return
        with self._deps.records.transaction() as transaction:
            # Who serves may have read what came after the look, and was then set back.
            transaction.rise_above(look.highest_revision + _LEAP)
            self._tell_changes(transaction, self._told, look.broken)
            for key in self._untouched:
                transaction.touch(key.kind, key.id)
            if look.quiet_manifest or is_counted_back or self._told.keys() != look.broken.keys():
                # Who serves has read a record before it broke, or not since it was mended.
                transaction.touch_manifest()
        self._told = dict(look.broken)
        self._untouched.clear()

    def _tell_changes(
        self,
        transaction: RecordTransaction,
        told: Mapping[Subject, str],
        broken: Mapping[Subject, str],
    ) -> None:
        for subject, reason in broken.items():
            if told.get(subject) != reason:
                transaction.put_problem(subject, reason, self._deps.clock.now())
                transaction.add_audit(self._event("seal.broken", subject, reason))
                _log.error("a seal does not hold", subject=str(subject), reason=reason)
        for subject in told.keys() - broken.keys():
            transaction.remove_problem(subject)
            transaction.add_audit(self._event("seal.mended", subject, told[subject]))
            _log.info("a seal holds again", subject=str(subject))

    def _event(self, kind: str, subject: Subject, reason: str) -> AuditRow:
        return AuditRow(
            at=self._deps.clock.now(),
            kind=kind,
            actor_kind="system",
            actor="seal-watch",
            target=str(subject)[:128],
            request_id="",
            address="",
            detail=json.dumps({"reason": reason}),
        )
