"""One server for all journeys, and browsers that watch; each journey ends with nothing to complain of."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from certuary.portal.access import RULES
from tests.browser.browsing import DESKTOP, NewVisitor, Visitor, Watch, chromium
from tests.command import Commands
from tests.running_server import RunningServer, running_server

# The journeys walk through these; they are walked as soon as all of them are there.
PAGES = (
    "application-new",
    "profile-new",
    "label-new",
    "certificate-revoke",
    "account-totp",
    "refusal",
    "users",
    "audit",
)
collect_ignore = [] if set(PAGES) <= set(RULES) else ["test_journeys.py"]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    home = tmp_path_factory.mktemp("browser") / "home"
    with running_server(home, environment={"CERTUARY_ENVIRONMENT": "Test"}) as running:
        yield running


@pytest.fixture(scope="session")
def commands(server: RunningServer) -> Commands:
    """`certuary` as the first administrator, with the password of the first start."""
    return Commands(server.home, server.home.parent)


@pytest.fixture(scope="module")
def browser(server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Ends with its module: while Playwright runs, its event loop is this thread's."""
    with (
        sync_playwright() as playwright,
        chromium(playwright, tmp_path_factory.mktemp("chromium"), server.root_pem) as running,
    ):
        yield running


@pytest.fixture
def watch() -> Iterator[Watch]:
    watch = Watch()
    yield watch
    assert not watch.troubles


@pytest.fixture
def new_visitor(browser: Browser, server: RunningServer, watch: Watch) -> Iterator[NewVisitor]:
    """Each in a window without cookies."""
    contexts = []

    def open_window() -> Visitor:
        context = browser.new_context(viewport=DESKTOP, reduced_motion="reduce")  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        watch.on(page)
        visitor = Visitor(page, server.portal_url, watch)
        visitor.open("/sign-in/")
        return visitor

    yield open_window
    for context in contexts:
        context.close()


@pytest.fixture
def admin(new_visitor: NewVisitor, commands: Commands) -> Visitor:
    """The first administrator, signed in, with a password of their own: the first one signs nothing here."""
    visitor = new_visitor()
    visitor.sign_in("admin", commands.password_file.read_text())
    if must_replace_password(visitor):
        replace_password(visitor, commands.password_file)
    return visitor


def must_replace_password(visitor: Visitor) -> bool:
    return visitor.page.locator(".notice a[href='/account/password/']").count() > 0


def replace_password(visitor: Visitor, password_file: Path) -> None:
    new = f"a better password {os.urandom(4).hex()}"
    visitor.open("/account/password/")
    visitor.fill("Present password", visitor.password)
    visitor.fill("New password", new)
    visitor.fill("New password, once more", new)
    visitor.press("Sign and Save")
    assert visitor.path == "/account/", visitor.text()
    visitor.password = new
    password_file.write_text(new)
