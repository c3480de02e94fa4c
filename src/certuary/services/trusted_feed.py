"""The configuration feed, less what the gate does not let through.

Usually a read brings what changed, and the gate looks at that. Whatever does not add up (a row too few, a row that the
manifest lists otherwise, a record that was left out before) is looked at whole, so that a server that runs and one that
starts come to the same.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from certuary.core.manifest import PartName
from certuary.errors import InvalidSeal
from certuary.services.high_water import Seen
from certuary.services.ports import ConfigDelta, ConfigFeed, ManifestRow, Record, RecordKind
from certuary.services.record_gate import Key, RecordGate, key_of

RaiseHighWater = Callable[[Seen], None]

RECORDS_BETWEEN_YIELDS: Final = 50
LOOK_AGAIN_SECONDS: Final = 1.0
_REST_FACTOR: Final = 9.0
"""A look that took t seconds is followed by none for 9 t, however many records there are."""
SIGNATURES_AT_ONCE: Final = 1000
"""How many users' signatures one read verifies, 60 us each: more wait for the next reads."""

MISSING: Final = "its row is gone, deleted or marked as removed, and nobody entitled signed that"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedDelta:
    """`delta` holds believed records only. `blocked` says why nothing at all can be believed; `distrusted` are the
    records that are left out now, each with a sentence. `renewed` when that is another picture at the same revision."""

    delta: ConfigDelta
    blocked: str | None = None
    distrusted: Mapping[Key, str] = field(default_factory=dict)
    renewed: bool = False


class TrustedFeed:
    """For one thread at a time."""

    def __init__(
        self,
        feed: ConfigFeed,
        gate: RecordGate,
        raise_high_water: RaiseHighWater,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._feed = feed
        self._gate = gate
        self._raise_high_water = raise_high_water
        self._steady = steady
        self._look_again_at = float("-inf")
        self._manifest: ManifestRow | None = None
        self._forget()

    def read(self, since: int) -> TrustedDelta:
        """As `ConfigFeed.read`. `DatabaseDown` when it cannot be had."""
        newest = self._gate.newest_seen()
        delta = self._feed.read(since)
        # Who starts has the time to verify everything.
        self._gate.verify_at_once(SIGNATURES_AT_ONCE if since else None)
        if since and delta.revision <= since:
            # Nothing new, or an older database, which the caller reads anew from the beginning.
            return self._look_again(delta) if delta.revision == since else self._with_state(delta)
        if not since:
            self._forget()
            return self._take_whole(delta, newest)
        if self._blocked or self._bad or not self._adds_up(delta, newest):
            return self._read_whole(delta)
        return self._take_changes(delta)

    def _read_whole(self, delta: ConfigDelta) -> TrustedDelta:
        """In place of `delta`, whose revision it keeps: what was revoked since, the next read has yet to tell."""
        began = self._steady()
        newest = self._gate.newest_seen()
        whole = self._take_whole(self._feed.read(0), newest)
        took = self._steady() - began
        self._look_again_at = began + took + max(LOOK_AGAIN_SECONDS, _REST_FACTOR * took)
        return replace(whole, delta=replace(whole.delta, revision=delta.revision, revoked=delta.revoked))

    def _look_again(self, delta: ConfigDelta) -> TrustedDelta:
        """What is left out may have been put back before anybody could tell, and so without a new revision."""
        # Who sets the database back may set its revision to the one that was read last, or it may rise to that.
        is_other = delta.manifest != self._manifest
        is_due = (self._blocked or self._bad) and self._steady() >= self._look_again_at
        has_failed = bool(self._gate.verify_postponed(SIGNATURES_AT_ONCE))
        if not is_other and not is_due and not has_failed:
            return self._with_state(delta)
        before = self._blocked, self._bad, self._good
        whole = self._read_whole(delta)
        if (self._blocked, self._bad, self._good) == before:
            return self._with_state(delta)
        return replace(whole, renewed=True)

    def _forget(self) -> None:
        self._blocked: str | None = None
        self._good: dict[Key, str] = {}
        self._bad: dict[Key, str] = {}
        self._parts: dict[PartName, str] = {}
        self._compromised: Mapping[str, datetime] = {}

    def _with_state(self, delta: ConfigDelta) -> TrustedDelta:
        return TrustedDelta(delta=delta, blocked=self._blocked, distrusted=dict(self._bad))

    def _take_manifest(self, delta: ConfigDelta, newest: Seen | None, *, whole: bool) -> bool:
        self._manifest = delta.manifest
        try:
            self._gate.take_head(delta.manifest, newest)
        except InvalidSeal as problem:
            self._blocked = problem.detail
            return False
        self._blocked = None
        if whole:
            self._gate.take_all_parts(delta.parts)
        else:
            self._gate.take_parts(delta.parts)
        if self._gate.seen is not None:
            self._raise_high_water(self._gate.seen)
        return True

    def _take_whole(self, delta: ConfigDelta, newest: Seen | None) -> TrustedDelta:
        before = self._good
        self._good, self._bad = {}, {}
        if not self._take_manifest(delta, newest, whole=True):
            gone = tuple((key.kind, key.id) for key in before)
            return self._with_state(replace(delta, records=(), retired=gone))
        believed = self._believed(delta.records)
        self._find_missing(delta)
        gone = tuple((key.kind, key.id) for key in before.keys() - self._good.keys())
        self._remember_head()
        return self._with_state(replace(delta, records=believed, retired=gone))

    def _take_changes(self, delta: ConfigDelta) -> TrustedDelta:
        for kind, record_id in delta.retired:
            self._good.pop(Key(kind, record_id), None)
        believed = self._believed(delta.records)
        gone = tuple((key.kind, key.id) for key in self._bad)
        self._remember_head()
        return self._with_state(replace(delta, records=believed, retired=(*delta.retired, *gone)))

    def _remember_head(self) -> None:
        self._parts = dict(self._gate.head.parts)
        self._compromised = self._gate.head.compromised

    def _believed(self, records: Iterable[Record]) -> tuple[Record, ...]:
        believed: list[Record] = []
        for count, record in enumerate(records, start=1):
            key = key_of(record)
            try:
                self._gate.check(record)
            except InvalidSeal as problem:
                self._good.pop(key, None)
                self._bad[key] = _sentence(record.kind, self._gate.name(record), problem.detail)
            else:
                entry = self._gate.entry(key)
                assert entry is not None
                self._good[key] = entry.digest
                believed.append(record)
            if count % RECORDS_BETWEEN_YIELDS == 0:
                time.sleep(0)  # thousands of records: let enrolments have the interpreter in between
        return tuple(believed)

    def _find_missing(self, delta: ConfigDelta) -> None:
        """Every record that the manifest lists must have come, believed or not."""
        for kind in delta.counts:
            for record_id, entry in self._gate.entries(kind).items():
                key = Key(kind, record_id)
                if key not in self._good and key not in self._bad:
                    self._bad[key] = _sentence(kind, entry.name, MISSING)

    def _adds_up(self, delta: ConfigDelta, newest: Seen | None) -> bool:
        """Whether the changes lead from what was believed to just what the manifest lists."""
        if not self._take_manifest(delta, newest, whole=False):
            return False
        kinds, head = frozenset(delta.counts), self._gate.head
        if self._gate.broken_parts(kinds) or self._lacks_parts(delta, kinds):
            return False
        if head.compromised != self._compromised:
            return False  # what was believed is to be looked at again
        changed = {key_of(record) for record in delta.records}
        retired = {Key(kind, record_id) for kind, record_id in delta.retired}
        if any(self._gate.entry(key) is not None for key in retired):
            return False
        kept = self._good.keys() - retired | changed
        counted = Counter(key.kind for key in kept)
        adds_up = all(counted[kind] == count for kind, count in delta.counts.items())
        return adds_up and self._are_listed(changed, kinds)

    def _lacks_parts(self, delta: ConfigDelta, kinds: frozenset[RecordKind]) -> bool:
        """Whether a part was deleted, of which the changes say nothing."""
        if delta.part_names is None:
            return False
        return any(name.kind in kinds and name not in delta.part_names for name in self._gate.head.parts)

    def _are_listed(self, changed: set[Key], kinds: frozenset[RecordKind]) -> bool:
        """Of the parts that changed: every entry is that of a record which came now, or was believed as it is."""
        for name, digest in self._gate.head.parts.items():
            if name.kind not in kinds or self._parts.get(name) == digest:
                continue
            for record_id, entry in (self._gate.part(name) or {}).items():
                key = Key(_kind(name), record_id)
                if key not in changed and self._good.get(key) != entry.digest:
                    return False
        return True


def _kind(name: PartName) -> RecordKind:
    return name.kind  # type: ignore[return-value]  # of the kinds that the feed counts


def _sentence(kind: str, name: str, detail: str) -> str:
    return f"{kind} {name!r} is left out: {detail}"
