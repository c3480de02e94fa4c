"""A token of the API for the first administrator of a home, with every scope: `python -m tests.api_token HOME`.

In a process of its own, as Django is configured for one database in each.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from django.conf import settings

from certuary.server.wiring import PORTAL_ROLES
from certuary.services.trust import PORTAL_NAME, PORTAL_ROLE
from tests.wire.cli_process import new_shell
from tests.wire.portal.pages import ADMIN, PASSWORD, Portal, unlock

ROOT = Path(__file__).parents[1]


def new_home(directory: Path, *flags: str) -> Path:
    """Its administrator's password was chosen, not made up, and so may sign."""
    shell = new_shell(directory)
    (directory / "admin-password").write_text(PASSWORD + "\n")
    done = shell.run("init", "--hostname", "localhost", *flags)
    assert done.code == 0, done.stderr
    return shell.home


def new_token(home: Path) -> str:
    command = [sys.executable, "-m", "tests.api_token", str(home)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=120)
    return done.stdout


def main() -> int:
    home = Path(sys.argv[1])
    keys = unlock(home)
    portal = Portal.open(home, keys)
    # As the portal's own process has it: tokens are kept under it.
    settings.SECRET_KEY = keys.store(PORTAL_ROLES).load_secret(PORTAL_NAME, role=PORTAL_ROLE).hex()
    from certuary.portal.api.tokens import SCOPES, make_token

    actor, deps = portal.changes_as(ADMIN)
    user = portal.stores.records.find("user", name=ADMIN)
    assert user is not None
    sys.stdout.write(make_token(actor, user, "tests", tuple(SCOPES), 30, deps)[1])
    return 0


if __name__ == "__main__":
    sys.exit(main())
