"""A real Chromium that trusts one root, and watches: what it prints, what its policy forbids, what axe-core finds."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Playwright, Request, Response

CHROMIUM: Final = "/usr/bin/chromium"
ROOT: Final = Path(__file__).parents[2]
AXE: Final = Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js"
SCREENSHOTS: Final = ROOT / "screenshots"
DESKTOP: Final = {"width": 1280, "height": 800}
PHONE: Final = {"width": 360, "height": 740}
_FLAGS: Final = (
    "--no-sandbox",  # tests may run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@contextmanager
def chromium(playwright: Playwright, home: Path, *roots_pem: Path) -> Iterator[Browser]:
    """In a home of its own, whose NSS store trusts these roots: a warning of the browser would fail the page."""
    store = home / ".pki" / "nssdb"
    store.mkdir(parents=True)
    for arguments in (
        ("-N", "--empty-password"),
        *(("-A", "-t", "C,,", "-n", f"root {root}", "-i", str(root)) for root in roots_pem),
    ):
        subprocess.run(["certutil", "-d", f"sql:{store}", *arguments], check=True, capture_output=True)
    environment: dict[str, str | float | bool] = {"HOME": str(home), "PATH": "/usr/bin:/bin"}
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_FLAGS), env=environment)
    try:
        yield browser
    finally:
        browser.close()


@dataclass
class Watch:
    """What went wrong in a browser, in its words. `expected` are statuses that a journey asks for itself, `visits` the
    origins that it goes to beside the portal's."""

    troubles: list[str] = field(default_factory=list)
    expected: set[int] = field(default_factory=set)
    visits: tuple[str, ...] = ()

    def on(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.troubles.append(f"script failed: {error}"))
        page.on("response", self._response)
        page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not self._is_expected(message.text):
            self.troubles.append(f"{message.type}: {message.text} ({message.location})")

    def _is_expected(self, text: str) -> bool:
        found = re.search(r"status of (\d+)", text)
        return found is not None and int(found[1]) in self.expected

    def _response(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self.expected:
            self.troubles.append(f"{response.status} {response.request.method} {response.url}")

    def _request(self, request: Request) -> None:
        if "csp-report" in request.url:
            self.troubles.append(f"the policy forbade: {request.post_data}")
        if not request.url.startswith(("https://localhost:", "data:", "blob:", *self.visits)):
            self.troubles.append(f"loaded from elsewhere: {request.url}")


class Visitor:
    """A person with a browser window at the portal."""

    def __init__(self, page: Page, base: str, watch: Watch) -> None:
        self.page = page
        self.base = base
        self.watch = watch
        self.name = ""
        self.password = ""

    def open(self, path: str) -> None:
        self.page.goto(self.base + path)

    @property
    def path(self) -> str:
        return self.page.url.removeprefix(self.base)

    @property
    def heading(self) -> str:
        return self.page.locator("h1").inner_text()

    def text(self) -> str:
        return self.page.locator("main").inner_text()

    def sign_in(self, name: str, password: str) -> None:
        if not self.path.startswith("/sign-in/"):
            self.open("/sign-in/")
        self.page.get_by_label("Username", exact=True).fill(name)
        self.page.get_by_label("Password", exact=True).fill(password)
        self.page.locator("main").get_by_role("button", name="Sign in", exact=True).click()
        self.name, self.password = name, password

    def press(self, name: str) -> None:
        """A button or link of the page's content, by its words."""
        main = self.page.locator("main")
        found = main.get_by_role("button", name=name).or_(main.get_by_role("link", name=name))
        found.first.click()
        self.page.wait_for_load_state()

    def follow(self, name: str) -> None:
        """A link of just these words, such as a record's name in a list."""
        self.page.locator("main").get_by_role("link", name=name, exact=True).first.click()
        self.page.wait_for_load_state()

    def fill(self, label: str, text: str) -> None:
        self._field(label).fill(text)

    def value(self, label: str) -> str:
        return self._field(label).input_value()

    def _field(self, label: str) -> Locator:
        """A label says, too, that its field is optional."""
        words = re.compile(rf"^\s*{re.escape(label)}(\s+\(optional\))?\s*$")
        return self.page.locator("main").get_by_label(words).first

    def sign(self, button: str = "") -> None:
        """Sign and Save, on Verify and Confirm."""
        assert self.heading == "Verify and Confirm", self.text()
        block = self.page.locator("section.sign")
        block.get_by_label("Username", exact=True).fill(self.name)
        block.get_by_label("Password", exact=True).fill(self.password)
        if button:
            block.get_by_role("button", name=button).click()
        else:
            block.locator("button[type=submit]").click()
        self.page.wait_for_load_state()
        assert self.heading != "Verify and Confirm", self.text()

    def look(self, name: str) -> None:
        """Have axe-core look, in both themes; keep pictures; nothing may stand out at the width of a phone."""
        for theme in ("light", "dark"):
            self.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            findings = serious_findings(self.page)
            assert not findings, f"{name} ({theme}):\n" + "\n".join(findings)
            self._keep(f"{name}-{theme}")
        self.page.emulate_media(color_scheme="light", reduced_motion="reduce")
        self.page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        try:
            wide = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
            self._keep(f"{name}-phone")
            assert wide <= 0, f"{name}: {wide} pixels stand out at {PHONE['width']}"
        finally:
            self.page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]

    def _keep(self, name: str) -> None:
        SCREENSHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


def serious_findings(page: Page, only: Sequence[str] = ()) -> list[str]:
    """By all rules, or `only` by some."""
    page.evaluate(AXE.read_text() + "; undefined")
    chosen = {"type": "rule", "values": list(only)} if only else {"type": "tag", "values": _RULES}
    options = {"runOnly": chosen, "resultTypes": ["violations"]}
    found: dict[str, Any] = page.evaluate(f"axe.run(document, {json.dumps(options)})")
    return [
        f"{one['impact']}: {one['help']}: {node['html'][:200]} {_measured(node)}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def _measured(node: dict[str, Any]) -> str:
    return "; ".join(str(check["message"]) for check in node["any"])


NewVisitor = Callable[[], Visitor]
