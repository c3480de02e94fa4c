"""Run the real `certuary` command on a home of the test's own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CERTUARY = Path(sys.executable).with_name("certuary")
ADMIN_PASSWORD = "a password for tests"


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    code: int
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """Commands run in `directory`, which holds the home and the files that they name."""

    directory: Path

    @property
    def home(self) -> Path:
        return self.directory / "home"

    def environment(self, **more: str) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("CERTUARY_")}
        ours = {
            "CERTUARY_HOME": str(self.home),
            "CERTUARY_ADMIN": "admin",
            "CERTUARY_ADMIN_PASSWORD_FILE": str(self.directory / "admin-password"),
            "COLUMNS": "200",
            "NO_COLOR": "1",
        }
        return {**kept, **ours, **more}

    def run(self, *arguments: str, environment: Mapping[str, str] | None = None, given: str = "") -> Done:
        done = subprocess.run(
            [CERTUARY, *arguments],
            cwd=self.directory,
            env=environment or self.environment(),
            input=given,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Done(code=done.returncode, stdout=done.stdout, stderr=done.stderr)


def new_shell(directory: Path) -> Shell:
    """No home yet; the administrator's password is in a file."""
    directory.mkdir(parents=True, exist_ok=True)
    password_file = directory / "admin-password"
    password_file.write_text(ADMIN_PASSWORD + "\n")
    password_file.chmod(0o600)
    return Shell(directory=directory)
