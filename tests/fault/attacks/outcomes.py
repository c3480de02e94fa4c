"""The table of attacks and outcomes in docs/security-model.md: what the tests saw happen.

SECURITY_MODEL=write pytest tests/fault/attacks      writes it anew
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "security-model.md"
BEGIN = "<!-- attacks: written by tests/fault/attacks -->\n"
END = "<!-- end of attacks -->\n"
_HEAD = "| attack | refused or found by | named as | undone |\n|---|---|---|---|\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    attack: str
    refused: str
    named: str
    undone: str

    @property
    def row(self) -> str:
        cells = self.attack, self.refused, self.named, self.undone
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


class Outcomes:
    def __init__(self) -> None:
        self._seen: list[Outcome] = []

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Of the same attack on each database: they are alike, and the page says so."""
        (outcome,) = set(outcomes)
        self._seen.append(outcome)
        if not _is_writing():
            assert outcome.row in rows_of_page(), f"docs/security-model.md lacks: {outcome.row}"

    def write_if_asked(self) -> None:
        if not _is_writing():
            return
        before, _, rest = PAGE.read_text().partition(BEGIN)
        _, _, after = rest.partition(END)
        rows = {attack_of(row): row for row in rows_of_page()} | {one.attack: one.row for one in self._seen}
        PAGE.write_text(before + BEGIN + _HEAD + "".join(rows.values()) + END + after)


def attack_of(row: str) -> str:
    return row.removeprefix("| ").partition(" | ")[0]


def rows_of_page() -> tuple[str, ...]:
    _, _, rest = PAGE.read_text().partition(BEGIN)
    table, _, _ = rest.partition(END)
    return tuple(table.removeprefix(_HEAD).splitlines(keepends=True))


def _is_writing() -> bool:
    return os.environ.get("SECURITY_MODEL") == "write"
