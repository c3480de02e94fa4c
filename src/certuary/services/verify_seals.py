"""Verify every seal: all records, those that are gone, and the retired ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from certuary.errors import InvalidSeal
from certuary.services.ports import SEALED_KINDS, Record, RecordKind, RecordStore
from certuary.services.record_gate import RecordGate, key_of
from certuary.services.second_factors import ALTERED as FACTORS_ALTERED
from certuary.services.second_factors import KIND as FACTORS
from certuary.services.second_factors import are_as_listed
from certuary.services.trusted_feed import MISSING


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that cannot be believed: what it is, what it is called, and why."""

    kind: str
    name: str
    reason: str


def verify_seals(
    records: RecordStore,
    gate: RecordGate,
    counted: Callable[[], None],
    factors: Callable[[], Mapping[int, Sequence[str]]],
) -> Iterator[Finding]:
    """`counted` is called for each record that was looked at; `factors` gives the digests of the rows of second factors
    by their users' numbers. `InvalidSeal` when the manifest itself fails."""
    for name in gate.broken_parts(SEALED_KINDS):
        yield Finding(
            kind="manifest", name=f"{name.kind}/{name.number}", reason="it was altered, or its row is gone"
        )
    for kind in SEALED_KINDS:
        yield from _of_kind(kind, records, gate, counted)
    yield from _of_factors(records, gate, factors())


def _of_factors(
    records: RecordStore, gate: RecordGate, rows: Mapping[int, Sequence[str]]
) -> Iterator[Finding]:
    for user in records.all("user"):
        number = key_of(user).id
        try:
            gate.check(user)
        except InvalidSeal:
            continue
        if not are_as_listed(user, rows.get(number, ())):
            yield Finding(kind=FACTORS, name=gate.name(user), reason=FACTORS_ALTERED)


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
