"""Each contract test that takes `database_url` runs twice: on SQLite and on PostgreSQL, with fresh tables."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connections

from certuary.store import setup
from tests import django_process
from tests.postgres import PostgresServer

# Django's models can be imported only after it is configured; nothing opens this one.
django_process.configure()

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer.start() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_postgresql(postgres: PostgresServer) -> str:
    _migrate(postgres.create_database("template_of_tests"))
    return "template_of_tests"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of this test's own, configured in this process."""
    make = _new_sqlite if request.param == "sqlite" else _new_postgresql
    url = make(request, tmp_path)
    setup.configure(url)
    yield url
    connections.close_all()


def _new_sqlite(request: pytest.FixtureRequest, directory: Path) -> str:
    path = directory / "certuary.db"
    shutil.copy(request.getfixturevalue("migrated_sqlite"), path)
    return f"sqlite:///{path}"


def _new_postgresql(request: pytest.FixtureRequest, _directory: Path) -> str:
    server: PostgresServer = request.getfixturevalue("postgres")
    template: str = request.getfixturevalue("migrated_postgresql")
    return server.create_database(f"test_{next(_numbers)}", template=template)


def _migrate(url: str) -> None:
    setup.configure(url)
    setup.migrate()
    connections.close_all()
