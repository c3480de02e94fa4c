"""The audit events of changes: what was there before and after, never a secret; of two persons, who asked."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Final

from certuary.core.seal import SECRET_COLUMNS
from certuary.services.change_deps import ChangeDeps
from certuary.services.entitlement import Actor, Values
from certuary.services.ports import AuditRow
from certuary.services.record_gate import name_of
from certuary.services.two_persons import Approved

_TARGET_LENGTH: Final = 128


def audit_row(kind: str, actor: Actor, target: str, detail: Values, deps: ChangeDeps) -> AuditRow:
    """An event as a row; long names are cut to what the table holds."""
    return AuditRow(
        at=deps.clock.now(),
        kind=kind,
        actor_kind=actor.kind,
        actor=actor.name[:_TARGET_LENGTH],
        target=target[:_TARGET_LENGTH],
        request_id=deps.request_id,
        address=deps.address,
        detail=json.dumps(detail, sort_keys=True, separators=(",", ":")),
    )


def change_detail(before: Values, after: Values, approved: Approved | None) -> dict[str, object]:
    """What differs, on either side that there is."""
    changed = [
        key
        for key in {**before, **after}
        if key not in before or key not in after or before[key] != after[key]
    ]
    detail: dict[str, object] = {}
    if before:
        detail["before"] = _described(before, changed)
    if after:
        detail["after"] = _described(after, changed)
    return detail | told(approved)


def told(approved: Approved | None) -> dict[str, object]:
    """What an event says of the first of two persons; the second is its actor."""
    if approved is None:
        return {}
    return {
        "approval": name_of(approved.record),
        "requested_by": str(approved.record.values["requester"]),
    }


def _described(values: Values, keys: list[str]) -> dict[str, object]:
    return {key: _plain(key, values[key]) for key in keys if key in values}


def _plain(key: str, value: object) -> object:
    """A value as JSON: never a secret, and a digest where the value itself is long."""
    if key in SECRET_COLUMNS:
        return "(secret)"
    if key == "toml" and isinstance(value, str):
        return f"sha256:{hashlib.sha256(value.encode()).hexdigest()}"
    if isinstance(value, bytes):
        return f"sha256:{hashlib.sha256(value).hexdigest()}"
    if isinstance(value, datetime):
        return value.isoformat()
    return value
