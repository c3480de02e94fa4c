"""Turn what plain SQL did to properties into audit events.

Triggers record each change, but have no key of the chain. A change is replaced by its event in one transaction, so it
has one event however many nodes look.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Final

from certuary.services.ports import AuditRow, Clock, PropertyChangeRow, PropertyChangeStore

ACTOR: Final = "direct SQL"
SILENCED_KIND: Final = "property.recording_silenced"
_OPERATIONS: Final = frozenset({"added", "changed", "removed"})
_TARGET_LENGTH: Final = 128


def audit_property_changes(changes: PropertyChangeStore, clock: Clock) -> int:
    """How many events were written. The triggers' switch first: what it hid is not known, so at least that is told."""
    now = clock.now()
    if changes.is_silenced():
        changes.end_silence(_row(SILENCED_KIND, "config_revision", {}, now))
    pending = changes.pending()
    if not pending:
        return 0
    return changes.settle({change.id: _event(change, now) for change in pending})


def _event(change: PropertyChangeRow, now: datetime) -> AuditRow:
    operation = change.operation if change.operation in _OPERATIONS else "changed"
    detail = {
        "before": _values(change.before, change.key),
        "after": _values(change.after, change.key),
        "at": change.at.isoformat(),
    }
    if change.database_user:
        detail["database_user"] = change.database_user
    target = f"property:{change.key}"[:_TARGET_LENGTH]
    return _row(f"property.{operation}", target, detail, now)


def _row(kind: str, target: str, detail: dict[str, object], now: datetime) -> AuditRow:
    return AuditRow(
        at=now,
        kind=kind,
        actor_kind="sql",
        actor=ACTOR,
        target=target,
        request_id="",
        address="",
        detail=json.dumps(detail, sort_keys=True),
    )


def _values(text: str | None, key: str) -> object:
    """What the trigger wrote; who can write to the table can write anything, which is then shown as it is."""
    if text is None:
        return None
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if isinstance(values, dict) and values.get("property_key") == key:
        del values["property_key"]
    return values
