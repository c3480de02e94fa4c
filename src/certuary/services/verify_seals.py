"""Verify every seal: all records, those that are gone, and the retired ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from certuary.errors import InvalidSeal
from certuary.services.ports import SEALED_KINDS, Record, RecordKind, RecordStore
from certuary.services.record_gate import RecordGate, key_of
from certuary.services.trusted_feed import MISSING


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that cannot be believed: what it is, what it is called, and why."""

    kind: str
    name: str
    reason: str


def verify_seals(records: RecordStore, gate: RecordGate, counted: Callable[[], None]) -> Iterator[Finding]:
    """`counted` is called for each record that was looked at. `InvalidSeal` when the manifest itself fails."""
    for name in gate.broken_parts(SEALED_KINDS):
        yield Finding(
            kind="manifest", name=f"{name.kind}/{name.number}", reason="it was altered, or its row is gone"
        )
    for kind in SEALED_KINDS:
        yield from _of_kind(kind, records, gate, counted)


def _of_kind(
    kind: RecordKind, records: RecordStore, gate: RecordGate, counted: Callable[[], None]
) -> Iterator[Finding]:
    there: set[int] = set()
    for record in records.all(kind):
        there.add(key_of(record).id)
        counted()
        yield from _finding(record, gate.name(record), gate.check)
    for number, entry in gate.entries(kind).items():
        if number not in there:
            yield Finding(kind=kind, name=entry.name, reason=MISSING)
    for record in records.retired(kind):
        if gate.entry(key_of(record)) is None:
            counted()
            yield from _finding(record, f"{gate.name(record)} (removed)", gate.check_alone)


def _finding(record: Record, name: str, check: Callable[[Record], object]) -> Iterator[Finding]:
    try:
        check(record)
    except InvalidSeal as problem:
        yield Finding(kind=record.kind, name=name, reason=problem.detail)
