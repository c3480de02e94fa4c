"""Point Django at a database, and bring its tables up to date.

No settings module and no environment variable: one call, made by whoever wires a process. The tuning of both
databases is here and argued in `docs/database.md`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from certuary.errors import ConfigError
from certuary.store import settings as fixed_settings
from certuary.store.database import database_errors

Progress = Callable[[str], None]

# Another process holds SQLite's write lock for milliseconds; a backup or a slow disk for longer.
SQLITE_BUSY_SECONDS = 10
SQLITE_CACHE_KIB = 8192
SQLITE_WAL_PAGES = 4000

_POSTGRESQL_OPTIONS: dict[str, Any] = {
    "application_name": "certuary",
    "connect_timeout": 5,
    # A server that vanished without a word is noticed in seconds, not after the kernel's quarter of an hour.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15000,
}

_SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    f"PRAGMA cache_size=-{SQLITE_CACHE_KIB}",
    # Fewer, larger checkpoints: an index page that many commits changed is then copied back once.
    f"PRAGMA wal_autocheckpoint={SQLITE_WAL_PAGES}",
    f"PRAGMA journal_size_limit={4 * SQLITE_WAL_PAGES * 4096}",
    "PRAGMA temp_store=MEMORY",
)
# Any constant will do: it keeps two nodes from migrating one PostgreSQL database at the same moment.
_MIGRATION_LOCK = 0x43455254


def configure(database_url: str, more_settings: Mapping[str, Any] | None = None) -> None:
    """Use this database in this process: `sqlite:///PATH` or `postgresql://...`. Repeatable.

    `more_settings` are Django's, for a process that also serves pages, or makes their tables.

    A process may be pointed at another database later; threads that still hold a connection keep the old one.
    """
    database = _parse(database_url)
    if not settings.configured:
        settings.configure(DATABASES={"default": database}, **{**_fixed_settings(), **(more_settings or {})})
        django.setup()
    elif not database.items() <= connections.settings["default"].items():
        connections.close_all()
        connections.settings = connections.configure_settings({"default": database})
        # Only a thread that has used the old one holds a connection object to forget.
        if connections.all(initialized_only=True):
            del connections["default"]


def migrate(progress: Progress | None = None) -> None:
    """Make or upgrade the tables. `progress` is told the name of each step before it begins."""
    with database_errors():
        _create_private_file()
        _migration_lock("pg_advisory_lock")
        try:
            executor = MigrationExecutor(connection, _announcer(progress))
            executor.migrate(executor.loader.graph.leaf_nodes())
        finally:
            _migration_lock("pg_advisory_unlock")


def is_migrated() -> bool:
    """Whether the tables are those of this release. Never creates a SQLite file."""
    path = _sqlite_path()
    if path is not None and not path.exists():
        return False
    with database_errors():
        executor = MigrationExecutor(connection)
        return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def close_connection() -> None:
    """Close this thread's connection: before a fork, and at the end of a thread."""
    connection.close()


def _fixed_settings() -> dict[str, Any]:
    return {name: value for name, value in vars(fixed_settings).items() if name.isupper()}


def _parse(database_url: str) -> dict[str, Any]:
    if database_url.startswith("sqlite:///"):
        return _sqlite(database_url.removeprefix("sqlite:///"))
    if database_url.startswith(("postgresql://", "postgres://")):
        return _postgresql(database_url)
    raise ConfigError("the database URL is sqlite:///PATH or postgresql://USER@HOST/DATABASE")


def _sqlite(path: str) -> dict[str, Any]:
    if not path or path == ":memory:":
        raise ConfigError("a SQLite database URL names a file: sqlite:////var/lib/certuary/certuary.db")
    options = {
        # Write locks are taken when a transaction begins: one that reads first could find it cannot write.
        "transaction_mode": "IMMEDIATE",
        "timeout": SQLITE_BUSY_SECONDS,
        "init_command": ";".join(_SQLITE_PRAGMAS),
    }
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": path, "OPTIONS": options, "CONN_MAX_AGE": None}


def _postgresql(database_url: str) -> dict[str, Any]:
    try:
        given = conninfo_to_dict(database_url)
    except ProgrammingError:
        # psycopg's text may repeat the password.
        raise ConfigError("the PostgreSQL database URL cannot be read") from None
    name = given.pop("dbname", None)
    if not name:
        raise ConfigError("the PostgreSQL database URL names no database: postgresql://USER@HOST/DATABASE")
    options = {**_POSTGRESQL_OPTIONS, **given}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": str(name),
        "OPTIONS": options,
        "CONN_MAX_AGE": None,
    }


def _sqlite_path() -> Path | None:
    database = connections.settings["default"]
    return Path(database["NAME"]) if database["ENGINE"].endswith("sqlite3") else None


def _create_private_file() -> None:
    """SQLite would create the file by the umask, and its -wal and -shm files copy its mode."""
    path = _sqlite_path()
    if path is None or path.exists():
        return
    try:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    except OSError as problem:
        raise ConfigError(f"the database file {path} cannot be made: {problem.strerror}") from None


def _migration_lock(function: str) -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {function}(%s)", [_MIGRATION_LOCK])


def _announcer(progress: Progress | None) -> Callable[..., None] | None:
    if progress is None:
        return None

    def announce(action: str, migration: object = None, _fake: bool = False) -> None:
        if action == "apply_start":
            progress(f"database: {migration}")

    return announce
