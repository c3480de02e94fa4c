"""The difference of two texts, line by line, for a page."""

from __future__ import annotations

import difflib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DiffLine:
    """`kind` is "same", "gone" or "new"; a number is None on the side where the line is not."""

    kind: str
    old_number: int | None
    new_number: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines that were replaced, from line `number` of the new text on."""

    number: int
    before: str
    after: str


def diff_lines(before: str, after: str) -> tuple[DiffLine, ...]:
    old, new = before.splitlines(), after.splitlines()
    found: list[DiffLine] = []
    for tag, old_start, old_end, new_start, new_end in _opcodes(old, new):
        if tag == "equal":
            pairs = zip(range(old_start, old_end), range(new_start, new_end), strict=True)
            found += [DiffLine("same", at + 1, to + 1, old[at]) for at, to in pairs]
            continue
        found += [DiffLine("gone", at + 1, None, old[at]) for at in range(old_start, old_end)]
        found += [DiffLine("new", None, to + 1, new[to]) for to in range(new_start, new_end)]
    return tuple(found)


def diff_hunks(before: str, after: str) -> tuple[Hunk, ...]:
    old, new = before.splitlines(), after.splitlines()
    return tuple(
        Hunk(new_start + 1, "\n".join(old[old_start:old_end]), "\n".join(new[new_start:new_end]))
        for tag, old_start, old_end, new_start, new_end in _opcodes(old, new)
        if tag != "equal"
    )


def _opcodes(old: list[str], new: list[str]) -> list[tuple[str, int, int, int, int]]:
    return list(difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes())
