"""The rows of second factors. Their table is the portal's library's; a command that lets a user in again empties it."""

from __future__ import annotations

from django.db import connection

_TABLE = "mfa_authenticator"


def drop(user_id: int) -> None:
    """Of one user. A database that never served a portal has no such table."""
    with connection.cursor() as cursor:
        if _TABLE in connection.introspection.table_names(cursor):
            cursor.execute("DELETE FROM mfa_authenticator WHERE user_id = %s", [user_id])
