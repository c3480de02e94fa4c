"""Records that pass the gate: what a change looks up, such as the group that a name stands for.

A look-up that finds a record which cannot be believed is an `InvalidSeal`, since to go on as if it were not there would
be to act on the alteration; a listing leaves it out.
"""

from __future__ import annotations

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
from certuary.services.record_gate import RecordGate


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
        return self._believed(self._records.find(kind, **match))

    def find_ever(self, kind: RecordKind, record_id: int) -> Record | None:
        return self._believed(self._records.find_ever(kind, record_id))

    def all(self, kind: RecordKind) -> tuple[Record, ...]:
        records = self._records.all(kind)
        if kind not in SEALED_KINDS:
            return records
        self._gate.take_head(self._records.manifest())
        return tuple(record for record in records if self._passes(record))

    def retired(self, kind: RecordKind) -> tuple[Record, ...]:
        return self._records.retired(kind)

    def _believed(self, record: Record | None) -> Record | None:
        if record is None or record.kind not in SEALED_KINDS:
            return record
        self._gate.take_head(self._records.manifest())
        try:
            if record.removed_at is None:
                self._gate.check(record)
            else:
                self._gate.check_alone(record)
        except InvalidSeal as problem:
            name = record.values.get("name")
            raise InvalidSeal(f"{record.kind} {name!r} cannot be believed: {problem.detail}") from None
        return record

    def _passes(self, record: Record) -> bool:
        try:
            self._gate.check(record)
        except InvalidSeal:
            return False
        return True
