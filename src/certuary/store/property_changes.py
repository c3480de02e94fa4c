"""Properties changed by plain SQL: what the triggers recorded, until it is an audit event."""

from __future__ import annotations

from collections.abc import Mapping

from certuary.services.ports import AuditRow, PropertyChangeRow
from certuary.store.database import read
from certuary.store.event_stream import EventStream, EventWriter
from certuary.store.models import ConfigRevision, PropertyChange
from certuary.store.plain import moment

_PAGE = 200


class DjangoPropertyChangeStore:
    """Implements `services.ports.PropertyChangeStore`."""

    def __init__(self, events: EventStream) -> None:
        self._events = events

    def pending(self) -> tuple[PropertyChangeRow, ...]:
        rows = PropertyChange.objects.order_by("id")
        return read(lambda: tuple(_to_value(row) for row in rows[:_PAGE]))

    def settle(self, changes: Mapping[int, AuditRow]) -> int:
        with self._events.transaction() as events:
            _lock()
            return sum(_settle(number, audit, events) for number, audit in changes.items())

    def is_silenced(self) -> bool:
        return read(lambda: ConfigRevision.objects.filter(service_is_writing=True).exists())

    def end_silence(self, audit: AuditRow) -> None:
        with self._events.transaction() as events:
            _lock()
            if ConfigRevision.objects.filter(service_is_writing=True).update(service_is_writing=False):
                events.add(audit)


def _lock() -> None:
    """One node at a time; and no command is in the middle of a change of its own."""
    ConfigRevision.objects.select_for_update().get(id=1)


def _settle(number: int, audit: AuditRow, events: EventWriter) -> bool:
    gone, _ = PropertyChange.objects.filter(id=number).delete()
    if gone:
        events.add(audit)
    return bool(gone)


def _to_value(row: PropertyChange) -> PropertyChangeRow:
    return PropertyChangeRow(
        id=row.pk,
        at=moment(row.at),
        operation=str(row.operation),
        key=str(row.property_key),
        before=None if row.before is None else str(row.before),
        after=None if row.after is None else str(row.after),
        database_user=str(row.database_user),
    )
