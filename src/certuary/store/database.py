"""The edge of the database: one kind of error leaves it, and reads that belong together see one moment.

Here, and in the two batch modules, is all that differs between SQLite and PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TypeVar

from django.db import DataError, Error, IntegrityError, connection

from certuary.errors import AlreadyExists, DatabaseDown, InvalidValue

T = TypeVar("T")


@contextmanager
def database_errors() -> Iterator[None]:
    """Translate whatever the database raises. A failed connection is closed; the next use opens another."""
    try:
        yield
    except IntegrityError as problem:
        raise AlreadyExists("the change clashes with a record in the database") from problem
    except DataError as problem:
        raise InvalidValue("the database does not take such a value") from problem
    except Error as problem:
        close_broken_connection()
        raise DatabaseDown("the database cannot be used") from problem


def close_broken_connection() -> None:
    try:
        connection.close()
    except Error:
        connection.connection = None


def read(query: Callable[[], T]) -> T:
    """Run a query that changes nothing; once more on a new connection if the old one had died meanwhile."""
    had_connection = connection.connection is not None
    try:
        with database_errors():
            return query()
    except DatabaseDown:
        if not had_connection:
            raise
    with database_errors():
        return query()


def time_parameter(moment: datetime) -> object:
    """A time as raw SQL takes it: text without a zone in SQLite, whose columns compare as text."""
    return connection.ops.adapt_datetimefield_value(moment)


@contextmanager
def consistent_read() -> Iterator[None]:
    """Several reads of one moment, without a write lock.

    Django's `atomic` takes SQLite's write lock, as our changes need it; PostgreSQL shows each statement a
    newer moment unless told otherwise.
    """
    begin = {"sqlite": "BEGIN DEFERRED", "postgresql": "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"}
    with connection.cursor() as cursor:
        cursor.execute(begin[connection.vendor])
    try:
        yield
    except BaseException:
        with connection.cursor() as cursor:
            cursor.execute("ROLLBACK")
        raise
    with connection.cursor() as cursor:
        cursor.execute("COMMIT")
