"""What the writer needs of a database: commit a batch, or say whose fault it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from certuary.core.audit_chain import Head
from certuary.store.batch_rows import ChainedItem


class ItemRefused(Exception):
    """The database is well, but does not take one of these items. Nothing of the batch is stored."""


class BatchSession(Protocol):
    """A connection of the writer's own thread."""

    def commit(self, items: Sequence[ChainedItem]) -> None:
        """All items, durably, or none. After a `DatabaseDown` the session is not used again."""
        ...

    def head(self, stream: str) -> Head | None:
        """The last event of a stream; `DatabaseDown` when it cannot be read."""
        ...

    def close(self) -> None: ...
