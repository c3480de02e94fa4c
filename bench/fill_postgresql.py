"""Fill a PostgreSQL database as `bench.fill` fills SQLite: rows as a server writes them, by COPY."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from bench import fill
from certuary.core.values import time_to_text

_ISSUED_OVER = timedelta(days=80)


def fill_postgresql(home: Path, url: str, count: int) -> None:
    """Add `count` certificates with their enrolments and audit events, issued over the last 80 days."""
    marker = fill.home_marker_of(home)
    with psycopg.connect(url, row_factory=dict_row) as connection:
        connection.execute("SET timezone = 'UTC'")
        for table, template, change in (
            (
                "certificates",
                _certificate_template(connection),
                partial(fill.change_certificate, marker=marker),
            ),
            ("enrolments", _enrolment_template(connection), fill.change_enrolment),
            ("audit_events", _last(connection, "audit_events"), _audit_event),
        ):
            _copy(connection, table, template, change, count)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def _copy(
    connection: psycopg.Connection[fill.Row],
    table: str,
    template: fill.Row,
    change: Callable[[fill.Row, datetime], None],
    count: int,
) -> None:
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, template))
    )
    began = datetime.now(UTC) - _ISSUED_OVER
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for number in range(count):
            row = dict(template)
            change(row, began + _ISSUED_OVER * (number / count))
            copy.write_row(list(row.values()))


def _certificate_template(connection: psycopg.Connection[fill.Row]) -> fill.Row:
    """The listener's own, made one of the first application's."""
    row = _last(connection, "certificates")
    application = connection.execute("SELECT id FROM applications ORDER BY id LIMIT 1").fetchone()
    version = connection.execute("SELECT id FROM profile_versions ORDER BY id LIMIT 1").fetchone()
    assert application is not None
    assert version is not None
    return row | {"source": "est", "application_id": application["id"], "profile_version_id": version["id"]}


def _enrolment_template(connection: psycopg.Connection[fill.Row]) -> fill.Row:
    certificate = _certificate_template(connection)
    return {
        "request_id": "0" * 32,
        "at": "",
        "operation": "simpleenroll",
        "outcome": "issued",
        "reason": "",
        "application_id": certificate["application_id"],
        "profile_version_id": certificate["profile_version_id"],
        "label": "",
        "address": "192.0.2.7",
        "serial": "",
        "csr_der": os.urandom(300),
    }


def _audit_event(row: fill.Row, at: datetime) -> None:
    fill.change_audit_event(row, at)
    # Each its own place in a stream of its own: the chain of the server's stream goes on behind it.
    row |= {"stream": "filled", "seq": None}


def _last(connection: psycopg.Connection[fill.Row], table: str) -> fill.Row:
    """Times as text, as the rows of `bench.fill` have them."""
    statement = sql.SQL("SELECT * FROM {} ORDER BY id DESC LIMIT 1").format(sql.Identifier(table))
    row = connection.execute(statement).fetchone()
    assert row is not None
    del row["id"]
    return {
        column: time_to_text(value.astimezone(UTC)) if isinstance(value, datetime) else value
        for column, value in row.items()
    }
