"""Records that pass the gate: what a change looks up, such as the group that a name stands for.

A look-up that finds a record which cannot be believed is an `InvalidSeal`, since to go on as if it were not there would
be to act on the alteration; a listing leaves it out, unless it must be complete.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from certuary.errors import InvalidSeal
from certuary.services.ports import (
    SEALED_KINDS,
    ManifestPartRow,
    ManifestRow,
    Record,
    RecordKind,
    RecordStore,
    RecordTransaction,
    Subject,
)
from certuary.services.record_gate import RecordGate, name_of


class BelievedRecords:
    """`services.ports.RecordStore` over another one. The gate's manifest is read again before each look-up."""

    def __init__(self, records: RecordStore, gate: RecordGate) -> None:
        self._records = records
        self._gate = gate

    def instance(self) -> str:
        return self._records.instance()

    def problems_told(self) -> dict[Subject, str]:
        return self._records.problems_told()

    def manifest(self) -> ManifestRow | None:
        return self._records.manifest()

    def manifest_part(self, kind: str, number: int) -> ManifestPartRow | None:
        return self._records.manifest_part(kind, number)

    def transaction(self) -> AbstractContextManager[RecordTransaction]:
        return self._records.transaction()

    def find(self, kind: RecordKind, **match: object) -> Record | None:
        return self._believed(lambda: self._records.find(kind, **match))

    def find_ever(self, kind: RecordKind, record_id: int) -> Record | None:
        return self._believed(lambda: self._records.find_ever(kind, record_id))

    def all(self, kind: RecordKind) -> tuple[Record, ...]:
        if kind not in SEALED_KINDS:
            return self._records.all(kind)
        records, believed = self._listed(kind)
        if len(believed) < len(records):
            records, believed = self._listed(kind)  # as in `_believed`
        return believed

    def complete(self, kind: RecordKind) -> tuple[Record, ...]:
        """Every record of a kind that the manifest lists. `InvalidSeal` when one is missing or was altered: for those
        who ask whether something is *not* among them."""
        try:
            return self._listed_by_manifest(kind)
        except InvalidSeal:
            return self._listed_by_manifest(kind)  # as in `_believed`

    def is_told_of(self, kind: RecordKind, name: str) -> bool:
        return self._records.is_told_of(kind, name)

    def retired(self, kind: RecordKind) -> tuple[Record, ...]:
        return self._records.retired(kind)

    def _listed(self, kind: RecordKind) -> tuple[tuple[Record, ...], tuple[Record, ...]]:
        records = self._records.all(kind)
        self._take_manifest()
        return records, tuple(record for record in records if self._passes(record))

    def _listed_by_manifest(self, kind: RecordKind) -> tuple[Record, ...]:
        there = {record.id: record for record in self._records.all(kind)}
        self._take_manifest()
        if self._gate.broken_parts((kind,)):
            raise InvalidSeal(f"the manifest's list of every {kind} was altered")
        found = []
        for number, entry in self._gate.entries(kind).items():
            if number not in there:
                raise InvalidSeal(f"{kind} {entry.name!r} is missing")
            self._gate.check(there[number])
            found.append(there[number])
        return tuple(found)

    def _believed(self, read: Callable[[], Record | None]) -> Record | None:
        try:
            return self._checked(read())
        except InvalidSeal:
            # A change that is committed between our reads looks like an alteration, once.
            return self._checked(read())

    def _checked(self, record: Record | None) -> Record | None:
        if record is None or record.kind not in SEALED_KINDS:
            return record
        self._take_manifest()
        try:
            self._gate.check_as_it_stands(record)
        except InvalidSeal as problem:
            raise InvalidSeal(
                f"{record.kind} {name_of(record)!r} cannot be believed: {problem.detail}"
            ) from None
        return record

    def _take_manifest(self) -> None:
        newest = self._gate.newest_seen()
        self._gate.take_head(self._records.manifest(), newest)

    def _passes(self, record: Record) -> bool:
        try:
            self._gate.check(record)
        except InvalidSeal:
            return False
        return True
