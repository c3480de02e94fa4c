"""Values as the rest takes them, whatever the database hands out.

SQLite keeps any value in any column. What somebody put there must read as another value than was signed, marked or
chained, and never fail: the check that names it comes after.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

NO_TIME: Final = datetime(1, 1, 1, tzinfo=UTC)
MAX_NUMBER: Final = 2**63 - 1
"""SQLite orders text and octets behind every number: a query for up to this leaves them out."""


def octets(value: object) -> bytes:
    """psycopg hands out a view of its buffer."""
    if isinstance(value, bytes | memoryview):
        return bytes(value)
    return b"" if value is None else str(value).encode(errors="surrogatepass")


def moment(value: object) -> datetime:
    return value if isinstance(value, datetime) else NO_TIME
