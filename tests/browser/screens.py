"""Take the pictures of `docs/screens`: `make screens`, on a busy home of their own.

Small on purpose: 1280 x 800, and less than 120 KB each.
"""

from __future__ import annotations

import base64
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal

from playwright.sync_api import Page, sync_playwright

from tests.browser.addresses import addresses
from tests.browser.browsing import DESKTOP, ROOT, Visitor, Watch, chromium
from tests.browser.busy_home import enrol_devices, made
from tests.running_server import running_server
from tests.wire.portal.pages import PASSWORD

TARGET: Final = ROOT / "docs" / "screens"
MOST_OCTETS: Final = 120_000
_TO_WEBP: Final = """async (url) => {
    const picture = new Image();
    picture.src = url;
    await picture.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [picture.width, picture.height];
    canvas.getContext("2d").drawImage(picture, 0, 0);
    return canvas.toDataURL("image/webp", 0.9);
}"""
"""A browser makes PNGs only, and those of a screen full of text are twice as large."""
Theme = Literal["light", "dark"]


def main() -> int:
    TARGET.mkdir(exist_ok=True)
    for old in TARGET.iterdir():
        old.unlink()
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        with running_server(made(work), environment={"CERTUARY_ENVIRONMENT": "Plant 4"}) as server:
            where = addresses(server.home, enrol_devices(server))
            with sync_playwright() as playwright, chromium(playwright, work, server.root_pem) as browser:
                page = browser.new_context(viewport=DESKTOP).new_page()  # type: ignore[arg-type]
                converter = browser.new_page()
                visitor = Visitor(page, server.portal_url, Watch())
                visitor.sign_in("alice", PASSWORD)
                for name, (theme, go) in _screens(where).items():
                    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
                    go(visitor)
                    _keep(page, converter, name)
    return 0


def _screens(where: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[Theme, Callable[[Visitor], None]]]:
    """The best eight."""

    def at(name: str, number: int = 0) -> Callable[[Visitor], None]:
        return lambda visitor: visitor.open(where[name][number])

    return {
        "dashboard": ("light", at("dashboard")),
        "applications": ("light", at("applications")),
        "verify-and-confirm": ("light", _edit_an_application(where["application"][0])),
        "application-broken": ("light", at("application", 1)),
        "profile-editor": ("light", at("profile-edit")),
        "certificate": ("dark", at("certificate")),
        "refusal": ("light", at("refusal")),
        "dashboard-dark": ("dark", at("dashboard")),
    }


def _edit_an_application(page_of_it: str) -> Callable[[Visitor], None]:
    def go(visitor: Visitor) -> None:
        visitor.open(f"{page_of_it}edit/")
        visitor.fill("Username", "plc-line-1")
        visitor.fill("IP addresses and networks", "10.20.1.0/24\n10.21.0.0/16")
        visitor.fill("Expires", "2027-06-30")
        visitor.press("Proceed")

    return go


def _keep(page: Page, converter: Page, name: str) -> None:
    png = base64.b64encode(page.screenshot(animations="disabled", caret="hide")).decode()
    webp = base64.b64decode(converter.evaluate(_TO_WEBP, f"data:image/png;base64,{png}").partition(",")[2])
    (TARGET / f"{name}.webp").write_bytes(webp)
    word = "" if len(webp) <= MOST_OCTETS else ", more than there should be"
    print(f"{name}.webp: {len(webp)} octets{word}")  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
