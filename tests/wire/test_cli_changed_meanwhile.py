"""A command that only reads, while another process changes what it reads."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.wire.cli_process import CERTUARY, Shell

# The other process adds a group as soon as this one has read records.
_OVERTAKEN = f"""
import subprocess
from certuary.cli.main import run
from certuary.server import wiring

check_schema = wiring.check_schema

def once_the_store_is_open():
    check_schema()
    from certuary.store import record_rows
    select = record_rows.select

    def overtaken(kind, **match):
        read = select(kind, **match)
        record_rows.select = select
        subprocess.run([{str(CERTUARY)!r}, "group", "add", "Meanwhile"], check=True, stdout=2)
        return read

    record_rows.select = overtaken
    wiring.check_schema = check_schema

wiring.check_schema = once_the_store_is_open
run()
"""


def overtaken(shell: Shell, *arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", _OVERTAKEN, *arguments, "--json"],
        cwd=shell.directory,
        env=shell.environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_a_verification_of_the_seals_is_of_one_moment(shell: Shell) -> None:
    assert overtaken(shell, "seal", "verify", "--records-only") == []


@pytest.mark.parametrize("kind", ["group", "user"])
def test_a_list_and_its_seals_are_of_one_moment(shell: Shell, kind: str) -> None:
    items = overtaken(shell, kind, "list")
    assert [item["seal"] for item in items] == ["holds"]
