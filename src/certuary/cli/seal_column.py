"""The column `seal` of lists: whether each record is what somebody entitled signed, and those that are gone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from certuary.cli.invocation import Invocation
from certuary.cli.session import one_moment, open_gate, open_settings
from certuary.errors import InvalidSeal
from certuary.services.ports import Record, RecordKind, RecordStore
from certuary.services.record_gate import NAME_COLUMNS, RecordGate, key_of
from certuary.services.trusted_feed import MISSING

HOLDS = "holds"

Item = Mapping[str, object]


class SealColumn:
    """A manifest that cannot be believed breaks every seal, and says so at each."""

    def __init__(self, shared: Invocation, records: RecordStore) -> None:
        self._gate: RecordGate | None = None
        try:
            self._gate = open_gate(open_settings(shared), records)
        except InvalidSeal as problem:
            self._problem = problem.detail

    def of(self, record: Record) -> str:
        if self._gate is None:
            return f"broken: {self._problem}"
        try:
            self._gate.check(record)
        except InvalidSeal as problem:
            return f"broken: {problem.detail}"
        return HOLDS

    def missing(self, kind: RecordKind, there: Sequence[Record]) -> list[Item]:
        """An item for each record that the manifest lists and the table lacks."""
        if self._gate is None:
            return []
        numbers = {key_of(record).id for record in there}
        return [
            {"id": number, NAME_COLUMNS.get(kind, "name"): entry.name, "seal": f"broken: {MISSING}"}
            for number, entry in self._gate.entries(kind).items()
            if number not in numbers
        ]


def with_seals(
    shared: Invocation, kind: RecordKind, describe: Callable[[RecordStore, Sequence[Record]], Sequence[Item]]
) -> list[Item]:
    """Every record of a kind as `describe` tells it, one item each and in that order."""
    with one_moment(shared) as records:
        column = SealColumn(shared, records)
        there = records.all(kind)
        items = describe(records, there)
        sealed = [{**item, "seal": column.of(record)} for item, record in zip(items, there, strict=True)]
        return [*sealed, *column.missing(kind, there)]
