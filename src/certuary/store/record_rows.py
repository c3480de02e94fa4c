"""Records as rows: which table a kind has, which columns people see, and how a row becomes a `Record`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from django.db import DatabaseError
from django.db.models import F, Model, QuerySet

from certuary.services.ports import Record, RecordKind
from certuary.store.models import (
    Application,
    Approval,
    Authority,
    Group,
    Label,
    Profile,
    ProfileVersion,
    Property,
    SecuritySwitch,
    User,
)

T = TypeVar("T")

MODELS: Mapping[RecordKind, type[Model]] = {
    "authority": Authority,
    "group": Group,
    "profile": Profile,
    "label": Label,
    "application": Application,
    "user": User,
    "switch": SecuritySwitch,
    "approval": Approval,
    "property": Property,
}
UNREADABLE = (DatabaseError, ValueError, TypeError, OverflowError, RecursionError)
"""What reading a value raises that no record holds: a date without an end, text that is no UTF-8, too deep a list."""
_OURS = frozenset({"id", "revision", "removed_at", "version", "seal"})


def columns(kind: RecordKind) -> tuple[str, ...]:
    """The columns that a record's values name; a foreign key goes by its column, such as `group_id`."""
    fields = MODELS[kind]._meta.concrete_fields
    return tuple(field.attname for field in fields if field.attname not in _OURS)


def stored_columns(kind: RecordKind) -> tuple[str, ...]:
    """The same as the table calls them."""
    fields = MODELS[kind]._meta.concrete_fields
    return tuple(str(field.column) for field in fields if field.attname not in _OURS)


def select(kind: RecordKind, **filters: object) -> list[Record]:
    """Records by filter, in the order of their names; none that is retired."""
    return select_page(kind, filters)


def select_page(kind: RecordKind, filters: Mapping[str, object], limit: int | None = None) -> list[Record]:
    """The first so many."""
    if kind == "property":
        return _select_properties(filters)[:limit]
    rows: QuerySet[Any] = MODELS[kind]._default_manager.filter(**{"removed_at__isnull": True, **filters})
    rows = rows.order_by("name")
    try:
        return _read(kind, rows[:limit])
    except UNREADABLE:
        # Plain SQL put there what no record holds: find the row, so that the others can be read.
        return [_read_one(kind, rows, record_id) for record_id in rows.values_list("id", flat=True)[:limit]]


def _read(kind: RecordKind, rows: QuerySet[Any]) -> list[Record]:
    found = rows.values("id", "revision", "removed_at", "version", "seal", *columns(kind))
    if kind == "profile":
        return _with_versions(list(found))
    return [_record(kind, row) for row in found.iterator(chunk_size=500)]


def _read_one(kind: RecordKind, rows: QuerySet[Any], record_id: int) -> Record:
    row = rows.filter(id=record_id)
    try:
        (record,) = _read(kind, row)
    except UNREADABLE:
        called = "code" if kind == "group" else "name"
        name = _read_or(row, called, f"number {record_id}")
        return Record(
            kind=kind,
            id=record_id,
            revision=_read_or(row, "revision", 0),
            values={
                **dict.fromkeys(columns(kind)),
                **(_NO_VERSION if kind == "profile" else {}),
                "name": name,
                called: name,
            },
            unreadable=True,
        )
    return record


def _read_or(row: QuerySet[Any], column: str, otherwise: T) -> T:
    try:
        value = row.values_list(column, flat=True).get()
    except UNREADABLE:
        return otherwise
    return value if isinstance(value, type(otherwise)) else otherwise


def _select_properties(filters: Mapping[str, object]) -> list[Record]:
    wanted = {"property_key" if key == "id" else key: value for key, value in filters.items()}
    rows = Property.objects.filter(**wanted).order_by("property_key").values(*columns("property"))
    return [
        Record(kind="property", id=str(row["property_key"]), revision=0, values=dict(row)) for row in rows
    ]


_NO_VERSION: Final[Mapping[str, object]] = {"toml": "", "version_id": None}


def _with_versions(rows: Sequence[Mapping[str, Any]]) -> list[Record]:
    """Join each profile with what its current version says."""
    versions = {
        version["profile_id"]: {"toml": version["toml"], "version_id": version["id"]}
        for version in ProfileVersion.objects.filter(
            profile__in=[row["id"] for row in rows], number=F("profile__current_version")
        ).values("id", "profile_id", "toml")
    }
    return [_record("profile", {**row, **versions.get(row["id"], _NO_VERSION)}) for row in rows]


def _record(kind: RecordKind, row: Mapping[str, Any]) -> Record:
    values = {key: _plain(value) for key, value in row.items() if key not in _OURS}
    # SQLite keeps any value in any column.
    if not (isinstance(row["version"], int) and isinstance(row["seal"], str)):
        raise TypeError
    return Record(
        kind=kind,
        id=row["id"],
        revision=_whole(row["revision"]),
        values=values,
        version=row["version"],
        seal=row["seal"],
        removed_at=row["removed_at"],
    )


def _whole(value: object) -> int:
    """-1 for what SQLite keeps in a column of numbers when somebody puts it there: a revision is believed by nobody."""
    return value if isinstance(value, int) else -1


def _plain(value: object) -> object:
    # psycopg hands out a view of its buffer.
    return bytes(value) if isinstance(value, memoryview) else value
