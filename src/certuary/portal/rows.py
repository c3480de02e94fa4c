"""The seal mark of a record on lists and pages: whether it holds, and those whose rows are gone."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.http import HttpRequest
from django.utils.html import format_html

from certuary.core.seal import Seal
from certuary.errors import InvalidSeal
from certuary.portal.deps import deps_of
from certuary.portal.tables import Cell, Row
from certuary.portal.templatetags.portal import moment, state
from certuary.services.ports import Record, RecordKind
from certuary.services.record_gate import RecordGate, key_of
from certuary.services.trusted_feed import MISSING


def moment_cell(when: datetime | None) -> Cell:
    return Cell(text="never" if when is None else when.isoformat(), html=moment(when))


class SealStates:
    """For one page. A manifest that cannot be believed breaks every seal, and says so at each."""

    def __init__(self, request: HttpRequest) -> None:
        self._records = deps_of(request).records
        self._gate: RecordGate | None = None
        self._found: dict[tuple[str, int], str | None] = {}
        try:
            self._gate = deps_of(request).gate()
        except InvalidSeal as problem:
            self._problem = problem.detail

    @property
    def gate(self) -> RecordGate | None:
        """None when no record can be believed."""
        return self._gate

    def problem(self, record: Record) -> str | None:
        """Why the record is not believed; None when it is."""
        if self._gate is None:
            return self._problem
        key = key_of(record)
        if key not in self._found:
            self._found[key] = _problem_of(self._gate, record)
        return self._found[key]

    def is_broken(self, record: Record) -> bool:
        return self.problem(record) is not None

    def cell(self, record: Record) -> Cell:
        problem = self.problem(record)
        if problem is not None:
            return Cell(
                text=f"broken: {problem}",
                html=state("broken", f"Broken: {problem}"),
                url=_seal_url(*key_of(record)),
            )
        seal = Seal.from_text(record.seal)
        who = f"{seal.signer}, {seal.at:%Y-%m-%d %H:%M} UTC, version {record.version}"
        html = format_html('<span title="{}">{}</span>', f"Signed by {who}", state("good", "Sealed"))
        return Cell(text="holds", html=html, url=_seal_url(*key_of(record)))

    def missing(self, kind: RecordKind, *, columns: int) -> tuple[Row, ...]:
        """A row for each record that the manifest lists and the table lacks: its name first, why last."""
        if self._gate is None:
            return ()
        there = {key_of(record).id for record in self._records.all(kind)}
        gone = [
            (entry.name, _seal_url(kind, number))
            for number, entry in self._gate.entries(kind).items()
            if number not in there
        ]
        return missing_rows(gone, columns=columns)


def missing_rows(gone: Iterable[tuple[str, str]], *, columns: int) -> tuple[Row, ...]:
    """For records whose rows are gone: name, and where its seal is told of."""
    blank = tuple(Cell(text="") for _ in range(columns - 2))
    text, html = f"broken: {MISSING}", state("broken", f"Broken: {MISSING}")
    return tuple(
        Row(cells=(Cell(text=name), *blank, Cell(text=text, html=html, url=url)), is_broken=True)
        for name, url in gone
    )


def _seal_url(kind: str, number: int) -> str:
    return f"/seals/{kind}/{number}/"


def _problem_of(gate: RecordGate, record: Record) -> str | None:
    try:
        gate.check(record)
    except InvalidSeal as problem:
        return problem.detail
    return None
