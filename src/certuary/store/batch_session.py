"""What the writer needs of a database: commit a batch, or say whose fault it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from certuary.services.ports import BatchItem


class ItemRefused(Exception):
    """The database is well, but does not take one of these items. Nothing of the batch is stored."""


class BatchSession(Protocol):
    """A connection of the writer's own thread."""

    def commit(self, items: Sequence[BatchItem]) -> None:
        """All items, durably, or none. After a `DatabaseDown` the session is not used again."""
        ...

    def close(self) -> None: ...
