"""Have each property that plain SQL changed audited, within a second."""

from __future__ import annotations

from certuary.errors import ClockUnsafe
from certuary.services.audit_property_changes import audit_property_changes
from certuary.services.ports import Clock, PropertyChangeStore


class PropertyJob:
    """Call `tick` every half second. Every node does: which one writes an event, the database decides."""

    def __init__(self, changes: PropertyChangeStore, clock: Clock) -> None:
        self._changes = changes
        self._clock = clock
        self._problem: str | None = None

    @property
    def problems(self) -> tuple[str, ...]:
        return (self._problem,) if self._problem else ()

    def tick(self) -> None:
        try:
            audit_property_changes(self._changes, self._clock)
            self._problem = None
        except ClockUnsafe as problem:
            self._problem = f"changes of properties by SQL are not audited: {problem}"
