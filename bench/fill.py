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
from functools import partial
from pathlib import Path
from typing import Any

from certuary.core.mark import Marker
from certuary.core.values import (
    SERIAL_RANDOM_OCTETS,
    make_serial,
    serial_to_text,
    time_from_text,
    time_to_text,
)
from certuary.server.config import load_settings
from certuary.server.wiring import home_marker, unlock_keys
from certuary.services.ports import CertificateRow

Row = dict[str, Any]

_LIFETIME = timedelta(days=90)
_ISSUED_OVER = timedelta(days=80)


def fill(home: Path, count: int) -> None:
    """Add `count` certificates with their enrolments and audit events."""
    marker = home_marker_of(home)
    database = sqlite3.connect(home / "certuary.db", isolation_level=None)
    database.execute("PRAGMA synchronous=OFF")
    database.execute("PRAGMA cache_size=-1000000")
    database.execute("BEGIN")
    for table, change in (
        ("certificates", partial(change_certificate, marker=marker)),
        ("enrolments", change_enrolment),
        ("audit_events", change_audit_event),
    ):
        template = _last_row(database, table)
        columns = list(template)
        statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
        database.executemany(statement, _rows(template, change, count))
    database.execute("COMMIT")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()


def revoke_newest(home: Path, count: int) -> None:
    """Revoke the newest certificates, under a new revision, so that the next CRL carries them."""
    marker = home_marker_of(home)
    database = sqlite3.connect(home / "certuary.db", isolation_level=None)
    database.row_factory = sqlite3.Row
    database.execute("BEGIN")
    database.execute("UPDATE config_revision SET value = value + 1")
    (revision,) = database.execute("SELECT value FROM config_revision").fetchone()
    revocation = (time_to_text(datetime.now(UTC)), "superseded", revision)
    newest = database.execute(
        "SELECT * FROM certificates WHERE source = 'est' ORDER BY id DESC LIMIT ?", (count,)
    ).fetchall()
    database.executemany(
        "UPDATE certificates SET revoked_at = ?, revocation_reason = ?, revoked_revision = ?, mark = ? WHERE id = ?",
        ((*revocation, marker.certificate(_revoked(dict(row), *revocation)), row["id"]) for row in newest),
    )
    database.execute("COMMIT")
    database.close()


def home_marker_of(home: Path) -> Marker:
    settings = load_settings(home)
    return home_marker(settings, unlock_keys(settings))


def _revoked(row: Row, revoked_at: str, reason: str, revision: int) -> CertificateRow:
    return _value(
        {**row, "revoked_at": revoked_at, "revocation_reason": reason, "revoked_revision": revision}
    )


def _value(row: Row) -> CertificateRow:
    """A row of SQLite as the mark wants it."""
    times = {
        column: None if row[column] is None else time_from_text(row[column])
        for column in ("not_before", "not_after", "issued_at", "revoked_at")
    }
    return CertificateRow(**{**row, **times, "serial": int(row["serial"], 16)})


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


def change_certificate(row: Row, at: datetime, *, marker: Marker) -> None:
    name = f"device-{os.urandom(5).hex()}"
    row["serial"] = _serial(at)
    row["subject"] = f"CN={name}"
    row["subject_key"] = f"cn={name}"
    row["key_hash"] = os.urandom(32).hex()
    row["der"] = random.randbytes(len(row["der"]))
    row["not_before"] = time_to_text(at)
    row["not_after"] = time_to_text(at + _LIFETIME)
    row["issued_at"] = time_to_text(at)
    row["mark"] = marker.certificate(_value(row))


def change_enrolment(row: Row, at: datetime) -> None:
    row["request_id"] = os.urandom(len(row["request_id"]) // 2).hex()
    row["at"] = time_to_text(at)
    row["serial"] = _serial(at)
    row["csr_der"] = random.randbytes(len(row["csr_der"]))


def change_audit_event(row: Row, at: datetime) -> None:
    row["request_id"] = os.urandom(len(row["request_id"]) // 2).hex()
    row["at"] = time_to_text(at)
    row["target"] = f"certificate:{_serial(at)}"


def _serial(at: datetime) -> str:
    return serial_to_text(make_serial(int(at.timestamp() * 1000), os.urandom(SERIAL_RANDOM_OCTETS)))
