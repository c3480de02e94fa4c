"""Run `certuary` as a person would, and read what it says."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.running_server import CERTUARY


class Commands:
    """Commands on one home, changes signed off by its first administrator."""

    def __init__(self, home: Path, work: Path) -> None:
        self.home = home
        self.password_file = work / "admin-password"
        self.password_file.write_text(admin_password(home))
        self.password_file.chmod(0o600)

    def run(self, *arguments: str | Path, expect: int = 0) -> subprocess.CompletedProcess[str]:
        environment = dict(os.environ) | {
            "CERTUARY_ADMIN": "admin",
            "CERTUARY_ADMIN_PASSWORD_FILE": str(self.password_file),
        }
        done = subprocess.run(
            [CERTUARY, "--home", self.home, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            env=environment,
            check=False,
        )
        assert done.returncode == expect, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def json(self, *arguments: str | Path) -> Any:
        return json.loads(self.run("--json", *arguments).stdout)

    def add_application(self, name: str, *options: str) -> tuple[str, str]:
        """Give back the credentials of a new application of that name."""
        secret = self.password_file.with_name(f"{name}-password")
        secret.write_text(f"secret of {name}")
        secret.chmod(0o600)
        self.run("application", "add", name, "--username", name, "--password-file", secret, *options)
        return name, f"secret of {name}"


def admin_password(home: Path) -> str:
    """As `first-start.txt` tells it."""
    lines = (home / "first-start.txt").read_text().splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("CA Administrator"))
    return lines[at + 1].split()[-1]
