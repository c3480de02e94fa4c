"""One running server for all clients, and a directory per test to work in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.running_server import RunningServer, running_server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("interop") / "home") as running:
        yield running
