"""Commit a batch to SQLite: one transaction, one statement a table.

`executemany` would step, and hand the interpreter's lock to and fro, once per row; one statement of many rows
does so once. Statements are made per number of rows, up to `ROWS`, and stay prepared.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import cache
from itertools import chain

from django.db import connection

from certuary.core.audit_chain import Head
from certuary.errors import DatabaseDown
from certuary.store.batch_rows import TABLES, ChainedItem, Value, rows_by_table
from certuary.store.batch_session import ItemRefused
from certuary.store.database import database_errors
from certuary.store.event_stream import stored_head

ROWS = 16
"""The most rows in one statement: four tables times this many fit the driver's cache of 128 statements."""


class SqliteSession:
    """`BatchSession` on this thread's Django connection, below Django's cursors: they rewrite each statement."""

    def __init__(self) -> None:
        with database_errors():
            connection.ensure_connection()
        self._cursor = connection.connection.cursor(sqlite3.Cursor)

    def commit(self, items: Sequence[ChainedItem]) -> None:
        try:
            self._cursor.execute("BEGIN IMMEDIATE")
            self._insert(items)
            self._cursor.execute("COMMIT")
        except sqlite3.Error as problem:
            self._roll_back()
            if isinstance(problem, sqlite3.OperationalError):
                raise DatabaseDown("the database cannot be written") from problem
            raise ItemRefused from problem
        except (OverflowError, UnicodeError) as problem:  # a value that the driver cannot bind
            self._roll_back()
            raise ItemRefused from problem

    def head(self, stream: str) -> Head | None:
        with database_errors():
            return stored_head(stream)

    def close(self) -> None:
        connection.close()

    def _insert(self, items: Sequence[ChainedItem]) -> None:
        for (table, columns), rows in zip(TABLES, rows_by_table(items), strict=True):
            for start in range(0, len(rows), ROWS):
                part = rows[start : start + ROWS]
                values: list[Value] = list(chain.from_iterable(part))
                self._cursor.execute(_statement(table, columns, len(part)), values)

    def _roll_back(self) -> None:
        # SQLite has rolled back by itself after some errors, a full disk among them.
        if connection.connection is not None and connection.connection.in_transaction:
            self._cursor.execute("ROLLBACK")


@cache
def _statement(table: str, columns: tuple[str, ...], rows: int) -> str:
    row = f"({', '.join('?' * len(columns))})"
    values = ", ".join([row] * rows)
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {values}"  # noqa: S608  # constants
