"""Take the pictures of `docs/screens`: `make screens`, on a server of its own with something to see.

Small on purpose: 960 x 600, and less than 60 KB each.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Final

from playwright.sync_api import Page, sync_playwright

from tests.browser.browsing import ROOT, Visitor, Watch, chromium
from tests.command import Commands
from tests.running_server import running_server

TARGET: Final = ROOT / "docs" / "screens"
MOST_OCTETS: Final = 60_000
SCREENS: Final = {
    "dashboard": "/",
    "applications": "/applications/",
    "new-application": "/applications/new/",
    "certificates": "/certificates/",
    "profile": "/profiles/1/",
    "users": "/users/",
    "refusals": "/refusals/",
    "audit": "/audit/",
    "groups": "/groups/",
}


def main() -> int:
    TARGET.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        with running_server(work / "home", environment={"CERTUARY_ENVIRONMENT": "Plant 4"}) as server:
            commands = Commands(server.home, work)
            for name in ("Line 4", "Gateways", "Badge readers"):
                commands.run("group", "add", name)
            for name in ("plc", "gateway", "badge-reader", "switch"):
                commands.add_application(name, "--ip", "10.0.0.0/24", "--subject-rule", f"CN={name}-*")
            with sync_playwright() as playwright, chromium(playwright, work, server.root_pem) as browser:
                size = {"width": 960, "height": 600}
                page = browser.new_context(viewport=size).new_page()  # type: ignore[arg-type]
                visitor = Visitor(page, server.portal_url, Watch())
                visitor.open("/sign-in/")
                _keep(page, "sign-in")
                visitor.sign_in("admin", commands.password_file.read_text())
                for name, path in SCREENS.items():
                    answer = page.goto(visitor.base + path)
                    if answer is not None and answer.ok:
                        _keep(page, name)
    return 0


def _keep(page: Page, name: str) -> None:
    path = TARGET / f"{name}.png"
    page.screenshot(path=path, animations="disabled", caret="hide")
    octets = path.stat().st_size
    print(f"{path.name}: {octets} octets{'' if octets <= MOST_OCTETS else ', more than there should be'}")  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
