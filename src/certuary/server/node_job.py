"""Tell the other nodes, through the database, how this one is: a portal on any of them shows all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from certuary import __version__
from certuary.services.ports import NodeRow, NodeStore
from certuary.status.health import NodeFacts, assess

EVERY_SECONDS: Final = 10.0
_SOON_SECONDS: Final = 1.0
_LONGEST: Final = 20


class NodeJob:
    """Call `tick` every half second. A change of the verdict is told within a second."""

    def __init__(
        self,
        nodes: NodeStore,
        facts: Callable[[], NodeFacts],
        *,
        name: str,
        hostname: str,
        steady: Callable[[], float],
    ) -> None:
        self._nodes = nodes
        self._facts = facts
        self._name = name
        self._hostname = hostname
        self._steady = steady
        self._told_at = float("-inf")
        self._told: tuple[str, ...] | None = None

    @property
    def problems(self) -> tuple[str, ...]:
        return ()

    def tick(self) -> None:
        waited = self._steady() - self._told_at
        if waited < _SOON_SECONDS:
            return
        facts = self._facts()
        if facts.database_problem:
            return  # of the round before: this one reaches the database, and the next one tells so
        health = assess(facts)
        if waited < EVERY_SECONDS and health.reasons == self._told:
            return
        self._nodes.put(self._row(facts.now, facts.started_at, health.reasons, health.warnings))
        self._told_at, self._told = self._steady(), health.reasons

    def _row(
        self, now: datetime, started_at: datetime, reasons: tuple[str, ...], warnings: tuple[str, ...]
    ) -> NodeRow:
        return NodeRow(
            name=self._name,
            hostname=self._hostname,
            version=__version__,
            ready=not reasons,
            reasons=reasons[:_LONGEST],
            warnings=warnings[:_LONGEST],
            started_at=started_at,
            seen_at=now,
        )
