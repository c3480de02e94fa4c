"""What the dashboard shows, counted in the background."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class NewestRows:
    """The highest numbers that are visible. Below them a transaction may still be open that has a lower one."""

    certificate_id: int
    enrolment_id: int


class CountStore(Protocol):
    """The dashboard's counts. Each call commits on its own; `DatabaseDown`."""

    def newest_rows(self) -> NewestRows: ...

    def commits_in_order(self) -> bool:
        """Whether a row's number tells when it was committed."""
        ...

    def count_slice(self, settled: NewestRows, *, size: int) -> bool:
        """Count up to `size` rows of each table, none beyond `settled`. Whether that was all there is.

        Two processes that count at once add nothing twice: only one finds the position where it read it.
        """
        ...

    def has_moved_application(self) -> bool:
        """Whether an application is in another group than the one under which it was counted."""
        ...

    def recount(self) -> None:
        """Forget every count: the next slices make them anew."""
        ...

    def prune(self) -> None:
        """Days that no page shows any more."""
        ...
