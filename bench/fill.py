"""Fill a SQLite database as if many certificates had been issued, in plain SQL: the server must not be running.

Each row copies one that the server wrote and changes what differs between certificates: serial, names, key, bytes
and times. Serials and times rise, names and keys come in no order, as they do when a server issues.
"""

from __future__ import annotations

import os
import random
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from certuary.core.values import SERIAL_RANDOM_OCTETS, make_serial, serial_to_text, time_to_text

Row = dict[str, Any]

_LIFETIME = timedelta(days=90)
_ISSUED_OVER = timedelta(days=80)


def fill(path: Path, count: int) -> None:
    """Add `count` certificates with their enrolments and audit events."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA synchronous=OFF")
    database.execute("PRAGMA cache_size=-1000000")
    database.execute("BEGIN")
    for table, change in (
        ("certificates", _certificate),
        ("enrolments", _enrolment),
        ("audit_events", _audit_event),
    ):
        template = _last_row(database, table)
        columns = list(template)
        statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
        database.executemany(statement, _rows(template, change, count))
    database.execute("COMMIT")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()


def revoke_newest(path: Path, count: int) -> None:
    """Mark the newest certificates as revoked, under a new revision, so that the next CRL carries them."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("BEGIN")
    database.execute("UPDATE config_revision SET value = value + 1")
    database.execute(
        "UPDATE certificates SET revoked_at = ?, revocation_reason = 'superseded',"
        " revoked_revision = (SELECT value FROM config_revision)"
        " WHERE id IN (SELECT id FROM certificates WHERE source = 'est' ORDER BY id DESC LIMIT ?)",
        (time_to_text(datetime.now(UTC)), count),
    )
    database.execute("COMMIT")
    database.close()


def _last_row(database: sqlite3.Connection, table: str) -> Row:
    database.row_factory = sqlite3.Row
    row = database.execute(f"SELECT * FROM {table} ORDER BY id DESC LIMIT 1").fetchone()
    values = dict(row)
    del values["id"]
    return values


def _rows(template: Row, change: Callable[[Row, datetime], None], count: int) -> Iterator[list[Any]]:
    began = datetime.now(UTC) - _ISSUED_OVER
    for number in range(count):
        row = dict(template)
        change(row, began + _ISSUED_OVER * (number / count))
        yield list(row.values())


def _certificate(row: Row, at: datetime) -> None:
    name = f"device-{os.urandom(5).hex()}"
    row["serial"] = _serial(at)
    row["subject"] = f"CN={name}"
    row["subject_key"] = f"cn={name}"
    row["key_hash"] = os.urandom(32).hex()
    row["der"] = random.randbytes(len(row["der"]))
    row["not_before"] = time_to_text(at)
    row["not_after"] = time_to_text(at + _LIFETIME)
    row["issued_at"] = time_to_text(at)


def _enrolment(row: Row, at: datetime) -> None:
    row["request_id"] = os.urandom(len(row["request_id"]) // 2).hex()
    row["at"] = time_to_text(at)
    row["serial"] = _serial(at)
    row["csr_der"] = random.randbytes(len(row["csr_der"]))


def _audit_event(row: Row, at: datetime) -> None:
    row["request_id"] = os.urandom(len(row["request_id"]) // 2).hex()
    row["at"] = time_to_text(at)
    row["target"] = f"certificate:{_serial(at)}"


def _serial(at: datetime) -> str:
    return serial_to_text(make_serial(int(at.timestamp() * 1000), os.urandom(SERIAL_RANDOM_OCTETS)))
