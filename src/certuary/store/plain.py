"""Values as the rest takes them, whatever the database hands out.

SQLite keeps any value in any column. What somebody put there must read as another value than was signed, marked or
chained, and never fail: the check that names it comes after.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, TypeVar

T = TypeVar("T")

NO_TIME: Final = datetime(1, 1, 1, tzinfo=UTC)
MAX_NUMBER: Final = 2**63 - 1
"""SQLite orders text and octets behind every number: a query for up to this leaves them out."""


def octets(value: object) -> bytes:
    """psycopg hands out a view of its buffer."""
    if isinstance(value, bytes | memoryview):
        return bytes(value)
    return b"" if value is None else str(value).encode(errors="surrogatepass")


def moment(value: object) -> datetime:
    """SQLite has no time zones: what it keeps is UTC."""
    if not isinstance(value, datetime):
        return NO_TIME
    return value if value.tzinfo is not None else value.replace(tzinfo=UTC)


def text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def number(value: object) -> int:
    """0 for what is none: no row has that number."""
    return value if isinstance(value, int) else 0


def optional(read: Callable[[object], T], value: object) -> T | None:
    """For a column that may be NULL."""
    return None if value is None else read(value)
