"""Find records as people name them: a profile by name or number, a group by code, name or number.

What is not found names the nearest that is.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from certuary.errors import NotFound
from certuary.services.ports import Record, RecordKind, RecordStore


def find_named(records: RecordStore, kind: RecordKind, name: str) -> Record:
    """An application, label, user or authority by its name."""
    return _one_of(records, kind, name, ("name",))


def find_profile(records: RecordStore, name_or_id: str) -> Record:
    return _one_of(records, "profile", name_or_id, ("name", "id"))


def find_group(records: RecordStore, code_name_or_id: str) -> Record:
    return _one_of(records, "group", code_name_or_id, ("code", "name", "id"))


def find_group_of_property(records: RecordStore, code_or_id: str) -> Record:
    """As the server reads the property: a group's name is not taken there."""
    return _one_of(records, "group", code_or_id, ("code", "id"))


def nearest(text: str, known: Iterable[str]) -> str:
    """ "; did you mean 'x'?", or nothing when nothing is near."""
    matches = difflib.get_close_matches(text, list(known), n=1)
    return f"; did you mean {matches[0]!r}?" if matches else ""


def _one_of(records: RecordStore, kind: RecordKind, text: str, columns: tuple[str, ...]) -> Record:
    for column in columns:
        match = _match(column, text)
        found = records.find(kind, **{column: match}) if match is not None else None
        if found is not None:
            return found
    known = (str(record.values[columns[0]]) for record in records.all(kind))
    raise NotFound(f"there is no {kind} {text!r}{nearest(text, known)}")


def _match(column: str, text: str) -> str | int | None:
    if column != "id":
        return text
    # More digits than a 64-bit key has would overflow in the database.
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 18 else None
