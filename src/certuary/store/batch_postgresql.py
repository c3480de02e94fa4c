"""Commit a batch to PostgreSQL: one statement of many rows for all tables, in one round trip.

A statement that inserts into several tables commits them together by itself. Per item that costs the worker a
fifth of `executemany` and PostgreSQL no more. Statements are made per shape of item and number of rows, and stay
prepared.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import chain

import psycopg
from django.db import connection
from psycopg.types.numeric import Int8Dumper
from psycopg.types.string import BytesBinaryDumper

from certuary.core.audit_chain import Head
from certuary.errors import DatabaseDown
from certuary.store.batch_rows import TABLES, ChainedItem, rows_by_table
from certuary.store.batch_session import ItemRefused
from certuary.store.database import database_errors
from certuary.store.event_stream import stored_head

ROWS = 16
"""The most rows of one table in one statement."""

PREPARED_STATEMENTS = 4 * ROWS

# The last is a value too long for an index; its class says operational.
_FAULTS_OF_AN_ITEM = (psycopg.IntegrityError, psycopg.DataError, psycopg.errors.ProgramLimitExceeded)


class _UntypedInteger(Int8Dumper):
    """Sent without a type, as texts and NULL are: else each mix of sizes and NULLs were another statement."""

    oid = 0


class _UntypedBytes(BytesBinaryDumper):
    oid = 0


class PostgresqlSession:
    """`BatchSession` on this thread's Django connection, below Django's cursors, which prepare nothing."""

    def __init__(self) -> None:
        with database_errors():
            connection.ensure_connection()
        self._connection: psycopg.Connection = connection.connection
        self._connection.prepare_threshold = 0
        self._connection.prepared_max = PREPARED_STATEMENTS
        self._cursor = psycopg.RawCursor(self._connection)
        self._cursor.adapters.register_dumper(int, _UntypedInteger)
        self._cursor.adapters.register_dumper(bytes, _UntypedBytes)

    def commit(self, items: Sequence[ChainedItem]) -> None:
        parts = _parts(items)
        try:
            if len(parts) == 1:
                self._insert(parts[0])
                return
            with self._connection.pipeline(), self._connection.transaction():
                for part in parts:
                    self._insert(part)
        except _FAULTS_OF_AN_ITEM as problem:
            raise ItemRefused from problem
        except psycopg.Error as problem:
            # A standby after a failover is read-only: whatever it is, another connection may do better.
            raise DatabaseDown("the database cannot be written") from problem

    def head(self, stream: str) -> Head | None:
        with database_errors():
            return stored_head(stream)

    def close(self) -> None:
        connection.close()

    def _insert(self, items: Sequence[ChainedItem]) -> None:
        tables = rows_by_table(items)
        statement = _statement(tuple(len(rows) for rows in tables))
        self._cursor.execute(statement, list(chain.from_iterable(chain.from_iterable(tables))))


def _parts(items: Sequence[ChainedItem]) -> list[Sequence[ChainedItem]]:
    """Items of one shape together, at most `ROWS` of them: each part is one statement. Usually there is one."""
    by_shape: dict[tuple[bool, bool, bool], list[ChainedItem]] = {}
    for chained in items:
        item = chained.item
        shape = item.certificate is None, item.enrolment is None, item.order is None
        by_shape.setdefault(shape, []).append(chained)
    return [
        alike[start : start + ROWS] for alike in by_shape.values() for start in range(0, len(alike), ROWS)
    ]


@cache
def _statement(rows: tuple[int, ...]) -> bytes:
    """Inserts with that many rows for each of `TABLES`; the last, the audit events, always has some.

    WITH a AS (INSERT INTO certificates ... VALUES ($1, ...), ...), b AS (...) INSERT INTO audit_events ...
    """
    inserts, marks = [], 0
    for (table, columns), count in zip(TABLES, rows, strict=True):
        values = []
        for _ in range(count):
            values.append(", ".join(f"${marks + position}" for position in range(1, len(columns) + 1)))
            marks += len(columns)
        if count:
            into = f"INSERT INTO {table} ({', '.join(columns)})"  # constants
            inserts.append(f"{into} VALUES ({'), ('.join(values)})")
    *first, last = inserts
    named = ", ".join(f"t{number} AS ({insert})" for number, insert in enumerate(first))
    return (f"WITH {named} {last}" if named else last).encode()
