"""The rows of second factors. Their table is the portal's library's; a command that lets a user in again empties it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from django.db import DatabaseError, connection

from certuary.errors import InvalidValue
from certuary.services.second_factors import factor_digest

_TABLE: Final = "mfa_authenticator"
_ROWS: Final = "SELECT id, user_id, type, created_at, data FROM mfa_authenticator"
_NOBODY_SIGNED: Final = "unreadable"
"""In place of the digest of a row that nobody can have signed."""


def drop(user_id: int) -> None:
    """Of one user. A database that never served a portal has no such table."""
    with connection.cursor() as cursor:
        if _is_there(cursor):
            cursor.execute("DELETE FROM mfa_authenticator WHERE user_id = %s", [user_id])


def digests() -> dict[int, tuple[str, ...]]:
    """Of all rows, by their user's number."""
    found: dict[int, list[str]] = {}
    with connection.cursor() as cursor:
        if not _is_there(cursor):
            return {}
        for user_id, digest in _digests(cursor):
            found.setdefault(user_id, []).append(digest)
    return {user_id: tuple(sorted(of_user)) for user_id, of_user in found.items()}


def _digests(cursor: Any) -> Iterator[tuple[int, str]]:
    try:
        cursor.execute(_ROWS)
        rows = cursor.fetchall()
    except DatabaseError:
        # SQLite keeps text that is no UTF-8: find the row, so that the others can be read.
        yield from _one_by_one(cursor)
        return
    for _, user_id, *values in rows:
        yield user_id, _digest(*values)


def _one_by_one(cursor: Any) -> Iterator[tuple[int, str]]:
    cursor.execute("SELECT id, user_id FROM mfa_authenticator")
    for number, user_id in cursor.fetchall():
        try:
            cursor.execute(f"{_ROWS} WHERE id = %s", [number])
            ((_, _, *values),) = cursor.fetchall()
        except (DatabaseError, ValueError):
            yield user_id, _NOBODY_SIGNED
        else:
            yield user_id, _digest(*values)


@lru_cache(maxsize=4096)
def _digest(kind: object, created_at: object, data: object) -> str:
    """As the portal reads the columns: SQLite keeps times and JSON as text."""
    try:
        at = datetime.fromisoformat(created_at) if isinstance(created_at, str) else created_at
        values = json.loads(data) if isinstance(data, str | bytes) else data
        if not (isinstance(kind, str) and isinstance(at, datetime) and isinstance(values, dict)):
            return _NOBODY_SIGNED
        return factor_digest(kind, at if at.tzinfo else at.replace(tzinfo=UTC), values)
    except (ValueError, OverflowError, RecursionError, InvalidValue):
        return _NOBODY_SIGNED


def _is_there(cursor: Any) -> bool:
    return _TABLE in connection.introspection.table_names(cursor)
