"""How each column is protected from whoever can write to the database, declared beside its model.

*sealed*: a user's seal and the manifest cover it. *marked*: a code under a key of the key store covers it. *free*:
nothing is done on its word that somebody could gain by, and the declaration says why. `docs/seals.md` is made from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """Columns by their names in Python (`group_id`), separated by blanks. `how` says what the mark is; `free` gives a
    reason each."""

    sealed: str = ""
    marked: str = ""
    how: str = ""
    free: Mapping[str, str] = field(default_factory=dict)

    def classes(self) -> dict[str, str]:
        """Each column's class. A column that is declared twice is a `ValueError`."""
        declared = [
            *((column, "sealed") for column in self.sealed.split()),
            *((column, "marked") for column in self.marked.split()),
            *((column, "free") for column in self.free),
        ]
        if len(dict(declared)) != len(declared):
            raise ValueError("a column is declared twice")
        return dict(declared)


def sealed_record(columns: str) -> Protection:
    """Of a model that derives from `Record`: what they all have, and columns of its own."""
    return Protection(
        sealed=f"id version seal created_at removed_at {columns}",
        free={"revision": "tells processes what to read again; what they then read is verified"},
    )


def free(reason: str, columns: str) -> Protection:
    return Protection(free=dict.fromkeys(columns.split(), reason))
