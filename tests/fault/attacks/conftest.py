"""One server per database for all attacks that are undone afterwards."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.fault.attacks.outcomes import Outcomes
from tests.fault.attacks.scene import SLOWEST, Scene, Stage
from tests.fault.conftest import TEMPLATE
from tests.postgres import PostgresServer

DATABASES = ("sqlite", "postgresql")
MakeHome = Callable[[str], Path]
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def make_home(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> MakeHome:
    """A home on a database of its own."""

    def make(database: str) -> Path:
        target = tmp_path_factory.mktemp("attacks") / "home"
        if database == "sqlite":
            return Path(shutil.copytree(request.getfixturevalue("initialised_home"), target))
        postgres: PostgresServer = request.getfixturevalue("postgres")
        home = Path(shutil.copytree(request.getfixturevalue("initialised_postgres_home"), target))
        url = postgres.create_database(f"attacked_{next(_numbers)}", template=TEMPLATE)
        settings = home / "certuary.toml"
        settings.write_text(settings.read_text().replace(postgres.url(TEMPLATE), url))
        return home

    return make


@pytest.fixture(scope="session")
def stage(
    make_home: MakeHome,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stage]:
    """Attacked and mended again and again: a test leaves it as it was."""
    stage = Stage(
        tuple(Scene(make_home(database), tmp_path_factory.mktemp("attacker")) for database in DATABASES)
    )
    stage.each(Scene.prepare)
    with ExitStack() as servers:
        for scene in stage.scenes:
            servers.callback(scene.stop)
        stage.each(Scene.start)
        yield stage


@pytest.fixture(scope="session")
def outcomes() -> Iterator[Outcomes]:
    outcomes = Outcomes()
    yield outcomes
    outcomes.write_if_asked()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in SLOWEST.lines():
        terminalreporter.write_line(line)
