"""Properties: what the known ones mean, what was done to them, by plain SQL too, and the statement that sets one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from certuary.services.audit_property_changes import ACTOR
from certuary.services.ports import Record, StoredEvent
from certuary.services.snapshot import CACERTS_AUTHENTICATION_PROPERTY, GROUP_PROPERTY, PROFILE_PROPERTY

MEANINGS: Final[Mapping[str, str]] = {
    PROFILE_PROPERTY: "The default profile, by name or number: what the EST address without a label issues. "
    "The profile itself must say est_default = true.",
    GROUP_PROPERTY: "The group, by code or number, whose applications may use the EST address without a label.",
    CACERTS_AUTHENTICATION_PROPERTY: "Whether reading the CA certificates takes a password: default, required "
    "or none. Without it: default, which is as each address has it.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PropertyChange:
    """`before` and `after` are value and status, "" where there was no row."""

    at: datetime
    who: str
    database_user: str
    by_sql: bool
    what: str
    key: str
    before: str
    after: str


def property_change(event: StoredEvent) -> PropertyChange:
    row = event.event
    try:
        detail = json.loads(row.detail)
        before, after = _told(detail.get("before")), _told(detail.get("after"))
        database_user = str(detail.get("database_user", ""))
    except (ValueError, AttributeError, RecursionError):
        before, after, database_user = "", row.detail[:200], ""
    return PropertyChange(
        at=row.at,
        who=row.actor,
        database_user=database_user,
        by_sql=row.actor == ACTOR and row.actor_kind == "sql",
        what=row.kind.removeprefix("property."),
        key=row.target.removeprefix("property:"),
        before=before,
        after=after,
    )


def target_of(key: str) -> str:
    """What the audit log calls it."""
    return f"property:{key}"[:128]


def _told(values: object) -> str:
    if not isinstance(values, dict):
        return "" if values is None else str(values)
    shown = [str(values[name]) for name in ("property_value", "status") if name in values]
    return ", ".join(shown)


def statement_of(record: Record) -> str:
    """The same in SQLite and in PostgreSQL."""
    key, value, status = (
        _literal(str(record.values[column])) for column in ("property_key", "property_value", "status")
    )
    return (
        # Text to copy, which nothing here executes.
        f"INSERT INTO api_properties (property_key, property_value, status) VALUES ({key}, {value}, {status})\n"  # noqa: S608
        "  ON CONFLICT (property_key) DO UPDATE"
        " SET property_value = excluded.property_value, status = excluded.status;"
    )


def _literal(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"
