"""Watch every sealed row for changes made past us: altered, put back, swapped, inserted, deleted, and mended.

So are the rows of users' second factors, whose digests are in the users' records.

A row changed by plain SQL tells no one: its revision stays. So all rows are fingerprinted again and again, and what
differs is put to the gate. The processes that serve re-read a row when its revision rises; a quiet change is *touched*
for them, so that all of them come to the same verdict, and to the one that a restart would.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from certuary.core.manifest import Entry
from certuary.errors import InvalidSeal
from certuary.services.high_water import Seen
from certuary.services.ports import (
    SEALED_KINDS,
    ManifestPartRow,
    ManifestRow,
    Record,
    RecordKind,
    Subject,
)
from certuary.services.record_gate import Key, RecordGate, key_of
from certuary.services.second_factors import ALTERED as FACTORS_ALTERED
from certuary.services.second_factors import KIND as FACTORS
from certuary.services.second_factors import are_as_listed
from certuary.services.trusted_feed import MISSING, SIGNATURES_AT_ONCE

_RECORDS_AT_ONCE: Final = 500
_REST_SECONDS: Final = 0.1
_UNREACHED_REVISION: Final = 2**62
"""No number of changes leads there: plain SQL wrote it, and going on from there would soon leave the column's range."""


class RowWatch(Protocol):
    """Cheap looks at whole tables. Blocking; a failure of the database is `DatabaseDown`."""

    def moment(self) -> AbstractContextManager[None]:
        """What is read within is of one moment."""
        ...

    def revision(self) -> int: ...

    def manifest(self) -> ManifestRow | None: ...

    def manifest_parts(self) -> tuple[ManifestPartRow, ...]: ...

    def fingerprints(self, kind: RecordKind) -> Mapping[int, int]:
        """Of each row that is not retired, by its number: another one when anything but its revision changed."""
        ...

    def factor_digests(self) -> Mapping[int, tuple[str, ...]]:
        """Of the rows of second factors, by their user's number."""
        ...

    def by_ids(self, kind: RecordKind, ids: Iterable[int]) -> tuple[Record, ...]: ...


MANIFEST: Final = Subject("manifest", "head")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """`broken` says why, by subject; `quiet` are rows that may have changed without a new revision since they were last
    read; `quiet_manifest` when the manifest did. Who serves may have read `highest_revision`."""

    broken: Mapping[Subject, str]
    quiet: tuple[Key, ...]
    quiet_manifest: bool
    revision: int
    highest_revision: int


@dataclass(slots=True)
class _Known:
    """What the last look found of one kind."""

    fingerprints: Mapping[int, int] = field(default_factory=dict)
    entries: dict[int, Entry] = field(default_factory=dict)
    broken: dict[int, tuple[Subject, str]] = field(default_factory=dict)


class SealWatch:
    """Not for several threads at a time. Hold it as long as the process lives: each look builds on the last."""

    def __init__(self, rows: RowWatch, gate: RecordGate) -> None:
        self._rows = rows
        self._gate = gate
        self._known: dict[RecordKind, _Known] = {kind: _Known() for kind in SEALED_KINDS}
        self._users: dict[int, Record] = {}
        """As they were last read; whether they are believed is known of their kind."""
        self._revision = self._highest = -1
        self._compromised: Mapping[str, datetime] = {}
        self._manifest: tuple[ManifestRow | None, tuple[ManifestPartRow, ...]] | None = None

    def look(self) -> Look:
        newest = self._gate.newest_seen()
        with self._rows.moment():
            return self._look(newest)

    def _look(self, newest: Seen | None) -> Look:
        revision, first = self._rows.revision(), self._revision < 0
        if revision < _UNREACHED_REVISION:
            self._highest = max(self._highest, revision)
        manifest = self._rows.manifest(), self._rows.manifest_parts()
        moved = not first and manifest != self._manifest
        quiet_manifest = moved and revision <= self._revision
        self._manifest = manifest
        try:
            self._gate.take_head(manifest[0], newest)
        except InvalidSeal as problem:
            self._revision = revision
            return Look(
                broken={MANIFEST: problem.detail},
                quiet=(),
                quiet_manifest=quiet_manifest,
                revision=revision,
                highest_revision=self._highest,
            )
        self._gate.take_all_parts(manifest[1])
        doubted = self._compromised != self._gate.head.compromised
        self._compromised = self._gate.head.compromised
        self._gate.verify_at_once(SIGNATURES_AT_ONCE)
        quiet = [key for kind in SEALED_KINDS for key in self._look_at(kind, moved, doubted)]
        quiet += self._verify_postponed()
        self._revision = revision
        return Look(
            broken={**self._broken_parts(), **self._broken_records(), **self._broken_factors()},
            # Before the first look anything may have happened; of what is sound, nobody has to be told.
            quiet=self._broken_keys() if first else tuple(quiet),
            quiet_manifest=quiet_manifest,
            revision=revision,
            highest_revision=self._highest,
        )

    def _look_at(self, kind: RecordKind, manifest_moved: bool, doubted: bool) -> Iterator[Key]:
        """Those whose row broke, changed, or came or went, so that who serves may not have read it since. `doubted` has
        every record checked."""
        known, fingerprints = self._known[kind], self._rows.fingerprints(kind)
        entries = dict(self._gate.entries(kind))
        changed = {number for number, mark in fingerprints.items() if known.fingerprints.get(number) != mark}
        if manifest_moved:
            changed |= {number for number in fingerprints if known.entries.get(number) != entries.get(number)}
        checked = set(fingerprints) if doubted else changed
        gone = known.fingerprints.keys() - fingerprints.keys()
        known.broken = {
            number: told
            for number, told in known.broken.items()
            if number in fingerprints and number not in checked
        }
        for key in self._check(kind, known, checked):
            if key.id in changed:
                yield key
        for number in entries.keys() - fingerprints.keys():
            known.broken[number] = Subject(kind, entries[number].name), MISSING
            if number in gone:
                yield Key(kind, number)
        known.fingerprints, known.entries = fingerprints, entries

    def _check(self, kind: RecordKind, known: _Known, changed: Iterable[int]) -> Iterator[Key]:
        """Those whose revision is not new."""
        numbers = sorted(changed)
        for start in range(0, len(numbers), _RECORDS_AT_ONCE):
            if start:
                # Whoever serves reads these thousands at this moment, too, and goes first.
                time.sleep(_REST_SECONDS)
            for record in self._rows.by_ids(kind, numbers[start : start + _RECORDS_AT_ONCE]):
                key = key_of(record)
                if kind == "user":
                    self._users[key.id] = record
                try:
                    self._gate.check(record)
                except InvalidSeal as problem:
                    known.broken[key.id] = Subject(kind, self._gate.name(record)), problem.detail
                # A revision that rose since the last look may have been read before the row was broken.
                if record.revision <= self._revision or key.id in known.broken:
                    yield key

    def _verify_postponed(self) -> Iterator[Key]:
        for key, reason in self._gate.verify_postponed(SIGNATURES_AT_ONCE).items():
            entry = self._gate.entry(key)
            assert entry is not None, "it is what was postponed"
            self._known[key.kind].broken[key.id] = Subject(key.kind, entry.name), reason
            yield key

    def _broken_factors(self) -> dict[Subject, str]:
        """Of users whose own records hold: of the others that is the finding."""
        rows = self._rows.factor_digests()
        broken = self._known["user"].broken
        there = self._known["user"].fingerprints
        return {
            Subject(FACTORS, str(user.values["name"])): FACTORS_ALTERED
            for number, user in self._users.items()
            if number in there and number not in broken and not are_as_listed(user, rows.get(number, ()))
        }

    def _broken_parts(self) -> dict[Subject, str]:
        return {
            Subject(
                "manifest", f"{name.kind}/{name.number}"
            ): "this part of the manifest was altered or deleted"
            for name in self._gate.broken_parts(SEALED_KINDS)
        }

    def _broken_keys(self) -> tuple[Key, ...]:
        return tuple(Key(kind, number) for kind, known in self._known.items() for number in known.broken)

    def _broken_records(self) -> dict[Subject, str]:
        return {
            subject: reason for known in self._known.values() for subject, reason in known.broken.values()
        }


def sentence(subject: Subject, reason: str) -> str:
    """As `services.trusted_feed` says it, so that the two are one problem."""
    if subject.kind == "manifest":
        return reason if subject == MANIFEST else f"manifest part {subject.name}: {reason}"
    if subject.kind == "switch":
        return f"switch {subject.name!r} counts as on: {reason}"
    if subject.kind == FACTORS:
        return f"user {subject.name!r} cannot sign in to the portal: {reason}"
    return f"{subject.kind} {subject.name!r} is left out: {reason}"
