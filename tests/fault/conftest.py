"""Homes that are ready to serve, copied from one that is made once; and a PostgreSQL that can crash."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.postgres import PostgresServer
from tests.running_server import CERTUARY

TEMPLATE = "initialised"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def initialised_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("fault") / "home"
    subprocess.run([CERTUARY, "init", "--home", home], check=True, capture_output=True)
    return home


@pytest.fixture
def home(initialised_home: Path, tmp_path: Path) -> Path:
    """A home on SQLite of this test's own."""
    return Path(shutil.copytree(initialised_home, tmp_path / "home"))


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """As an operator runs it: a commit is on disk before it is confirmed."""
    with PostgresServer.start(durable=True) as server:
        yield server


@pytest.fixture(scope="session")
def initialised_postgres_home(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("fault-postgresql") / "home"
    url = postgres.create_database(TEMPLATE)
    subprocess.run([CERTUARY, "init", "--home", home, "--database-url", url], check=True, capture_output=True)
    return home


@pytest.fixture
def postgres_home(postgres: PostgresServer, initialised_postgres_home: Path, tmp_path: Path) -> Path:
    """A home on a PostgreSQL database of this test's own."""
    home = Path(shutil.copytree(initialised_postgres_home, tmp_path / "home"))
    url = postgres.create_database(f"test_{next(_numbers)}", template=TEMPLATE)
    settings = home / "certuary.toml"
    settings.write_text(settings.read_text().replace(postgres.url(TEMPLATE), url))
    return home


_told: list[str] = []


@pytest.fixture
def tell() -> Callable[[str], None]:
    """Say a figure that is worth reading after a run that passed."""
    return _told.append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _told:
        terminalreporter.section("faults")
    for line in _told:
        terminalreporter.write_line(line)
