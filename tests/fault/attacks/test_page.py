"""docs/security-model.md tells of the attacks that are tried, and of no others."""

from __future__ import annotations

from pathlib import Path

from tests.fault.attacks.outcomes import attack_of, rows_of_page


def test_every_row_of_the_page_is_an_attack_that_is_tried() -> None:
    tried = "".join(path.read_text() for path in Path(__file__).parent.glob("*.py"))
    rows = rows_of_page()
    assert rows
    for row in rows:
        assert f'"{attack_of(row)}"' in tried, row
