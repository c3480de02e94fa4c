"""Cheap looks at whole tables, for `services.watch_seals`: one hash a row, made in this process alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import connection

from certuary.services.ports import ManifestPartRow, ManifestRow, Record, RecordKind
from certuary.store import authenticators, manifests, record_rows
from certuary.store.database import consistent_read, database_errors
from certuary.store.models import ConfigRevision

_ROWS_AT_ONCE = 500
# A profile's text is in a table of its own: the version that the profile names is part of the record.
_JOINS = {
    "profile": "LEFT JOIN profile_versions v ON v.profile_id = r.id AND v.number = r.current_version",
}
_JOINED = {"profile": ("v.id", "v.toml")}
# Whatever plain SQL wrote there can be fetched, also what is no value of the column's type.
_AS_IT_IS: Mapping[str, Callable[[str], str]] = {
    "sqlite": lambda column: f"CAST(quote({column}) AS BLOB)",
    "postgresql": lambda column: f"{column}::text",
}


class DjangoRowWatch:
    """`services.watch_seals.RowWatch`."""

    @contextmanager
    def moment(self) -> Iterator[None]:
        with database_errors(), consistent_read():
            yield

    def revision(self) -> int:
        return ConfigRevision.objects.values_list("value", flat=True).get(id=1)

    def manifest(self) -> ManifestRow | None:
        return manifests.head()

    def manifest_parts(self) -> tuple[ManifestPartRow, ...]:
        return manifests.parts_since(-1)

    def fingerprints(self, kind: RecordKind) -> Mapping[int, int]:
        found: dict[int, int] = {}
        with connection.cursor() as cursor:
            cursor.execute(_statement(kind))
            while rows := cursor.fetchmany(_ROWS_AT_ONCE):
                for number, *values in rows:
                    found[number] = hash(tuple(map(_hashable, values)))
        return found

    def factor_digests(self) -> Mapping[int, tuple[str, ...]]:
        return authenticators.digests()

    def by_ids(self, kind: RecordKind, ids: Iterable[int]) -> tuple[Record, ...]:
        return tuple(record_rows.select(kind, id__in=list(ids)))


def _statement(kind: RecordKind) -> str:
    columns = ["r.id", "r.version", "r.seal", *(f"r.{column}" for column in record_rows.stored_columns(kind))]
    columns += _JOINED.get(kind, ())
    columns[1:] = map(_AS_IT_IS[connection.vendor], columns[1:])
    table = record_rows.MODELS[kind]._meta.db_table
    return f"SELECT {', '.join(columns)} FROM {table} r {_JOINS.get(kind, '')} WHERE r.removed_at IS NULL"  # noqa: S608  # constants


def _hashable(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value
