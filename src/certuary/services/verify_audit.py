"""Verify the audit chain: every hash, every number, and every place where somebody said how far a stream had come.

That the events there are were written by us, each stream's key says. That none is missing at a stream's end can be said
only up to the last place that is told elsewhere: in a checkpoint, or in the event by which a successor closed the
stream. Memory grows with the streams and the checkpoints, not with the events.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from certuary.core.audit_chain import (
    COMMANDS_STREAM,
    EMPTY,
    EventHasher,
    Head,
    stream_key,
)
from certuary.core.checkpoint import Checkpoint, SignedCheckpoint, open_checkpoint
from certuary.errors import AuditBroken
from certuary.services.audit_stream import CLOSED_KIND
from certuary.services.ports import StoredEvent

MAX_FINDINGS: Final = 1000
"""So many are kept; all are counted."""

_PROGRESS_EVENTS: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`what` is a short name; the rest names the event, as far as there is one."""

    what: str
    detail: str
    stream: str | None = None
    seq: int | None = None
    number: int | None = None
    kind: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamReport:
    """`covered` is the last event before which none can be missing: told by a checkpoint or a closing event."""

    stream: str
    process: str
    events: int
    last: int
    covered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    events: int
    checkpoints: int
    streams: tuple[StreamReport, ...]
    findings: tuple[Finding, ...]
    """The first `MAX_FINDINGS`."""
    found: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundCheckpoint:
    """`place` says where it was read, such as "checkpoints.jsonl, line 7"; an error when that was none."""

    place: str
    checkpoint: SignedCheckpoint | AuditBroken


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyDeps:
    """`events` come by stream, then by `seq`. `processes` says who wrote a stream, as the database has it.

    `checkpoints` are read before anything else: what they tell of must be there when the events are read.
    """

    checkpoint_key: ec.EllipticCurvePublicKey
    audit_secret: bytes
    events: Iterable[StoredEvent]
    processes: Callable[[], Mapping[str, str]]
    checkpoints: Iterable[FoundCheckpoint]
    tell: Callable[[str], None]


@dataclass(slots=True)
class _Claim:
    """Somebody said that a stream had come this far."""

    head: Head
    place: str


@dataclass(slots=True)
class _Stream:
    events: int = 0
    head: Head = EMPTY
    claims: dict[int, _Claim] = field(default_factory=dict)

    @property
    def covered(self) -> int:
        return max(self.claims, default=0)


def verify_audit(deps: VerifyDeps) -> AuditReport:
    return _Verification(deps).run()


class _Verification:
    def __init__(self, deps: VerifyDeps) -> None:
        self._deps = deps
        self._streams: dict[str, _Stream] = {}
        self._findings: list[Finding] = []
        self._found = 0
        self._events = 0
        self._checkpoints: dict[int, str] = {}

    def run(self) -> AuditReport:
        self._deps.tell("reading the checkpoints")
        for found in self._deps.checkpoints:
            self._take_checkpoint(found)
        self._processes = self._deps.processes()
        closings: list[tuple[str, _Claim]] = []
        for stream, events in groupby(self._deps.events, key=lambda event: event.stream):
            closings += self._verify_stream(stream, events)
        for stream, claim in closings:
            self._take_closing(stream, claim)
        for stream, known in self._streams.items():
            self._check_end(stream, known)
        return AuditReport(
            events=self._events,
            checkpoints=len(self._checkpoints),
            streams=tuple(self._report(stream, known) for stream, known in sorted(self._streams.items())),
            findings=tuple(self._findings),
            found=self._found,
        )

    # Checkpoints.

    def _take_checkpoint(self, found: FoundCheckpoint) -> None:
        try:
            if isinstance(found.checkpoint, AuditBroken):
                raise found.checkpoint
            checkpoint = open_checkpoint(found.checkpoint, self._deps.checkpoint_key)
        except AuditBroken as problem:
            self._find(Finding(what="bad-checkpoint", detail=f"{found.place}: {problem.detail}"))
            return
        self._check_order(checkpoint, found.checkpoint.digest(), found.place)
        for stream, head in checkpoint.streams.items():
            self._take_claim(stream, _Claim(head, f"checkpoint {checkpoint.number} ({found.place})"))

    def _check_order(self, checkpoint: Checkpoint, digest: str, place: str) -> None:
        known = self._checkpoints.setdefault(checkpoint.number, digest)
        before = self._checkpoints.get(checkpoint.number - 1)
        if known != digest:
            text = f"{place}: there are two checkpoints {checkpoint.number}, both of them signed"
            self._find(Finding(what="two-checkpoints", detail=text))
        elif before is not None and checkpoint.previous != before:
            text = f"{place}: checkpoint {checkpoint.number} does not follow the one before it"
            self._find(Finding(what="two-checkpoints", detail=text))

    def _take_claim(self, stream: str, claim: _Claim) -> None:
        known = self._streams.setdefault(stream, _Stream())
        earlier = known.claims.setdefault(claim.head.seq, claim)
        if earlier.head != claim.head:
            text = f"{earlier.place} and {claim.place} tell of different events {claim.head.seq} of {stream}"
            self._find(Finding(what="rewritten", detail=text, stream=stream, seq=claim.head.seq))

    def _take_closing(self, stream: str, claim: _Claim) -> None:
        """Known only now that its stream was read: of that, the last event can still be compared."""
        head = self._streams.setdefault(stream, _Stream()).head
        if head.seq == claim.head.seq and head != claim.head:
            text = f"stream {stream}: its last event is another one than {claim.place} knows"
            self._find(Finding(what="rewritten", detail=text, stream=stream, seq=head.seq))
        self._take_claim(stream, claim)

    # Events.

    def _verify_stream(self, stream: str, events: Iterable[StoredEvent]) -> list[tuple[str, _Claim]]:
        known = self._streams.setdefault(stream, _Stream())
        hasher = EventHasher(stream, stream_key(self._deps.audit_secret, stream))
        is_ours = stream == COMMANDS_STREAM or stream in self._processes or bool(known.claims)
        closings: list[tuple[str, _Claim]] = []
        suspect: StoredEvent | None = None
        for stored in events:
            self._count()
            if stored.seq is None:
                self._about(stored, "unchained", "is in no chain: no process of ours writes such events")
                continue
            known.events += 1
            if suspect is not None:
                self._about_altered(suspect, is_ours, follower=stored)
            suspect = self._verify_event(stored, hasher, known, is_follower=suspect is None)
            if suspect is None and stored.event.kind == CLOSED_KIND:
                closings += _closings(stored)
        if suspect is not None:
            self._about_altered(suspect, is_ours, follower=None)
        return closings

    def _verify_event(
        self, stored: StoredEvent, hasher: EventHasher, known: _Stream, *, is_follower: bool
    ) -> StoredEvent | None:
        """The event itself when it is not what was written under the stream's key.

        One that follows a genuine event names its hash; what follows an altered one names what was there.
        """
        assert stored.seq is not None
        before = known.head
        genuine = hasher.hash(stored.seq, stored.previous, stored.event.texts()) == stored.hash
        known.head = Head(stored.seq, stored.hash)
        if stored.seq <= before.seq or stored.seq < 1:
            self._about(stored, "inserted", "has a number that another event of its stream has")
        elif stored.seq > before.seq + 1:
            self._about_missing(stored, before.seq + 1)
        elif is_follower and genuine and stored.previous != before.hash:
            self._about(stored, "unlinked", f"does not follow the event {before.seq} that stands before it")
        claim = known.claims.get(stored.seq)
        if claim is not None and genuine and claim.head.hash != stored.hash:
            self._about(stored, "rewritten", f"is another one than {claim.place} knows at its place")
        return None if genuine else stored

    def _about_altered(self, stored: StoredEvent, is_ours: bool, *, follower: StoredEvent | None) -> None:
        claim = self._streams[stored.stream].claims.get(stored.seq or 0)
        if (follower is not None and follower.previous == stored.hash) or (
            claim is not None and claim.head.hash == stored.hash
        ):
            self._about(stored, "edited", "is not what was written: somebody edited it")
        elif is_ours:
            self._about(stored, "forged", "was not written under its stream's key: it was edited or inserted")
        else:
            self._about(stored, "foreign", "was inserted, in a stream that no process of ours opened")

    def _about_missing(self, follower: StoredEvent, first: int) -> None:
        assert follower.seq is not None
        last = follower.seq - 1
        which = f"event {first} is" if first == last else f"events {first} to {last} are"
        text = f"stream {follower.stream}: {which} missing before event {follower.seq} (number {follower.number})"
        self._find(Finding(what="deleted", detail=text, stream=follower.stream, seq=first))

    def _check_end(self, stream: str, known: _Stream) -> None:
        if known.covered <= known.head.seq:
            return
        claim = known.claims[known.covered]
        what, text = "tail-cut", f"events {known.head.seq + 1} to {claim.head.seq} are missing at its end"
        if not known.events:
            what, text = "stream-removed", f"it is gone, with all of its {claim.head.seq} events"
        text = f"stream {stream}: {text}; known from {claim.place}"
        self._find(Finding(what=what, detail=text, stream=stream, seq=known.head.seq + 1))

    def _report(self, stream: str, known: _Stream) -> StreamReport:
        by_design = "commands" if stream == COMMANDS_STREAM else "?"
        return StreamReport(
            stream=stream,
            process=self._processes.get(stream, by_design),
            events=known.events,
            last=known.head.seq,
            covered=min(known.covered, known.head.seq),
        )

    def _count(self) -> None:
        self._events += 1
        if self._events % _PROGRESS_EVENTS == 0:
            self._deps.tell(f"{self._events} events verified")

    def _about(self, stored: StoredEvent, what: str, text: str) -> None:
        place = f"event {stored.seq} of stream {stored.stream}" if stored.seq is not None else "it"
        self._find(
            Finding(
                what=what,
                detail=f"number {stored.number}: {place} {text}",
                stream=stored.stream,
                seq=stored.seq,
                number=stored.number,
                kind=stored.event.kind,
                at=stored.event.at,
            )
        )

    def _find(self, finding: Finding) -> None:
        self._found += 1
        if len(self._findings) < MAX_FINDINGS:
            self._findings.append(finding)


def _closings(stored: StoredEvent) -> Iterator[tuple[str, _Claim]]:
    """What a closing event says; it is genuine, so its detail is ours."""
    detail = json.loads(stored.event.detail)
    head = Head(int(detail["seq"]), bytes.fromhex(detail["hash"]))
    if head.seq:
        yield str(detail["stream"]), _Claim(head, f"its closing, event number {stored.number}")
