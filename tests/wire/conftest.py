from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.wire.cli_process import Shell, new_shell


@pytest.fixture(scope="session")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with an initialised home, to be copied and never changed."""
    shell = new_shell(tmp_path_factory.mktemp("cli") / "template")
    done = shell.run("init", "--hostname", "ca.example", "--organization", "Acme")
    assert done.code == 0, done.stderr
    return shell.directory


@pytest.fixture
def shell(initialised: Path, tmp_path: Path) -> Shell:
    """A home of the test's own."""
    shutil.copytree(initialised, tmp_path / "shell")
    return Shell(directory=tmp_path / "shell")
