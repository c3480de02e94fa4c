"""Pointing a process at a database, and making its tables."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.apps import apps
from django.db import connection, connections
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.questioner import MigrationQuestioner
from django.db.migrations.state import ProjectState

from certuary.errors import ConfigError, DatabaseDown
from certuary.store import setup
from certuary.store.feed import DjangoConfigFeed
from tests.postgres import PostgresServer


def pragma(name: str) -> object:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA {name}")
        row = cursor.fetchone()
    assert row is not None
    return row[0]


def test_a_new_sqlite_database_is_private_and_durable(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    setup.configure(f"sqlite:///{path}")
    steps: list[str] = []
    setup.migrate(steps.append)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "new.db-wal").stat().st_mode) == 0o600
    assert (pragma("journal_mode"), pragma("synchronous"), pragma("foreign_keys")) == ("wal", 2, 1)
    assert steps[0] == "database: store.0001_initial"
    connections.close_all()


def test_asking_whether_tables_are_there_makes_no_file(tmp_path: Path) -> None:
    setup.configure(f"sqlite:///{tmp_path}/none.db")
    assert not setup.is_migrated()
    assert list(tmp_path.iterdir()) == []


def test_a_migrated_database_says_so_and_is_migrated_once(database_url: str) -> None:
    assert setup.is_migrated()
    steps: list[str] = []
    setup.migrate(steps.append)
    assert steps == []


def test_a_database_without_the_last_migration_is_not_migrated(database_url: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'store' AND name <> '0001_initial'")
    assert not setup.is_migrated()


def test_nodes_that_migrate_one_postgresql_at_once_do_not_collide(postgres: PostgresServer) -> None:
    setup.configure(postgres.create_database("migrated_by_many"))

    def migrate(_number: int) -> bool:
        setup.migrate()
        migrated = setup.is_migrated()
        setup.close_connection()
        return migrated

    with ThreadPoolExecutor(4) as nodes:
        assert list(nodes.map(migrate, range(4))) == [True] * 4


def test_the_migrations_make_the_models_that_the_code_has(database_url: str) -> None:
    loader = MigrationLoader(connection)
    detector = MigrationAutodetector(
        loader.project_state(), ProjectState.from_apps(apps), MigrationQuestioner()
    )
    assert detector.changes(graph=loader.graph) == {}


@pytest.mark.parametrize(
    "url",
    ["", "mysql://x/y", "sqlite:///", "sqlite:///:memory:", "sqlite://x.db", "postgresql://user@host/"],
)
def test_an_unusable_url_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigError):
        setup.configure(url)


def test_a_password_in_a_bad_url_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        setup.configure("postgresql://user:seeded-secret@host:port:5/name?what=1")
    assert "seeded-secret" not in str(caught.value)


def test_an_unreachable_postgresql_is_a_database_that_is_down(tmp_path: Path) -> None:
    setup.configure(f"postgresql://nobody@/certuary?host={tmp_path}")
    with pytest.raises(DatabaseDown):
        DjangoConfigFeed().read(0)
    with pytest.raises(DatabaseDown):
        setup.is_migrated()


def test_a_database_without_tables_is_a_database_that_is_down(tmp_path: Path) -> None:
    setup.configure(f"sqlite:///{tmp_path}/empty.db")
    with pytest.raises(DatabaseDown):
        DjangoConfigFeed().read(0)
    connections.close_all()


def test_a_file_that_cannot_be_made_is_a_configuration_error(tmp_path: Path) -> None:
    setup.configure(f"sqlite:///{tmp_path}/no/such/directory.db")
    with pytest.raises(ConfigError, match="cannot be made"):
        setup.migrate()


def test_a_reader_survives_a_restart_of_postgresql() -> None:
    # Durable: else a crash takes the newest tables with it.
    with PostgresServer.start(durable=True) as server:
        setup.configure(server.create_database("certuary"))
        setup.migrate()
        before = DjangoConfigFeed().read(0)
        server.crash()
        with pytest.raises(DatabaseDown):
            DjangoConfigFeed().read(0)
        server.run_again()
        assert DjangoConfigFeed().read(0) == before
        server.crash()
        server.run_again()
        # The connection is dead, and nobody has noticed yet.
        assert DjangoConfigFeed().read(0) == before
        connections.close_all()
