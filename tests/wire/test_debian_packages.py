"""`deploy/debian-packages`: installs what is missing as root, else says the exact apt line."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "deploy" / "debian-packages"
TOOLS = ("sh", "python3", "sleep")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A directory of programs that is the whole PATH: `apt-get` writes down what it was told."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for tool in TOOLS:
        found = next(path for part in os.get_exec_path() if (path := Path(part) / tool).exists())
        (programs / tool).symlink_to(found)
    _program(programs, "apt-get", 'echo "$@" >> "$APT_LOG"')
    return programs


def _program(programs: Path, name: str, line: str) -> None:
    path = programs / name
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def _run(machine: Path, user: int, *packages: str) -> tuple[int, str, list[str]]:
    """Exit code, what stood on stderr, what apt-get was told."""
    _program(machine, "id", f"echo {user}")
    log = machine / "apt.log"
    done = subprocess.run(
        [SCRIPT, *packages],
        env={"PATH": str(machine), "APT_LOG": str(log)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stderr, log.read_text().splitlines() if log.exists() else []


def test_what_is_there_is_left_alone(machine: Path) -> None:
    assert _run(machine, 1000, "sleep") == (0, "", [])


def test_another_user_is_told_the_exact_apt_line(machine: Path) -> None:
    code, said, told = _run(machine, 1000, "sleep", "curl", "openssl")
    assert code == 1
    assert "sudo apt-get update && sudo apt-get install --yes --no-install-recommends curl openssl\n" in said
    assert told == []


def test_root_gets_what_is_missing(machine: Path) -> None:
    code, _, told = _run(machine, 0, "curl", "sleep", "openssl")
    assert code == 0
    assert told == ["install --yes --no-install-recommends curl openssl"]


def test_empty_package_lists_are_fetched_first(machine: Path) -> None:
    refuse_until_updated = '[ "$1" = update ] || grep -q update "$APT_LOG" 2>/dev/null || exit 100'
    (machine / "grep").symlink_to("/usr/bin/grep")
    _program(machine, "apt-get", f'{refuse_until_updated}\necho "$@" >> "$APT_LOG"')
    code, _, told = _run(machine, 0, "curl")
    assert code == 0
    assert told == ["update", "install --yes --no-install-recommends curl"]


def test_a_failed_installation_fails(machine: Path) -> None:
    _program(machine, "apt-get", "exit 100")
    code, _, _ = _run(machine, 0, "curl")
    assert code != 0
