"""Coming in without a password: by an identity provider that is another site, and by a client certificate."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.browsing import DESKTOP, NewVisitor, Visitor, Watch, chromium
from tests.browser.conftest import replace_password
from tests.command import Commands
from tests.oidc_provider import OidcProvider, oidc_provider, settings_for
from tests.people_ca import PeopleCa
from tests.running_server import RunningServer, running_server

PEOPLE = PeopleCa()
SUBJECT = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OidcProvider]:
    with oidc_provider(tmp_path_factory.mktemp("provider")) as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, provider: OidcProvider) -> Iterator[RunningServer]:
    """Not that of the other journeys: this one has the other ways in."""
    directory = tmp_path_factory.mktemp("ways-in")
    (directory / "people.pem").write_bytes(PEOPLE.pem)
    lines = settings_for(provider, directory, portal_client_ca_file=str(directory / "people.pem"))
    settings = {f"CERTUARY_{name.upper()}": str(value) for name, value in tomllib.loads(lines).items()}
    with running_server(
        directory / "home", environment={"CERTUARY_ENVIRONMENT": "Test", **settings}
    ) as running:
        yield running


@pytest.fixture(scope="module")
def commands(server: RunningServer) -> Commands:
    return Commands(server.home, server.home.parent)


@pytest.fixture(scope="module")
def browser(
    server: RunningServer, provider: OidcProvider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browser]:
    directory = tmp_path_factory.mktemp("chromium")
    (directory / "provider.pem").write_bytes(provider.ca_pem)
    with (
        sync_playwright() as playwright,
        chromium(playwright, directory, server.root_pem, directory / "provider.pem") as running,
    ):
        yield running


def test_a_user_is_bound_to_an_identity_and_comes_in_by_the_provider(
    admin: Visitor, new_visitor: NewVisitor, provider: OidcProvider, watch: Watch, tmp_path: Path
) -> None:
    watch.visits = (provider.issuer,)
    password = add_administrator(admin, "olga")
    admin.press("Bind an identity")
    admin.look("identity-new")
    admin.press("Proceed")
    assert admin.page.locator("#error-summary").is_visible()
    admin.fill("Subject at Acme", SUBJECT)
    admin.press("Proceed")
    admin.look("identity-confirm")
    assert provider.issuer in admin.text()
    admin.press("Edit")
    assert admin.value("Subject at Acme") == SUBJECT
    admin.press("Proceed")
    admin.sign()
    assert SUBJECT in admin.text()
    admin.look("user-identities")

    olga = new_visitor()
    olga.look("sign-in-ways")
    olga.open("/groups/1/edit/")
    assert olga.path.startswith("/sign-in/")
    olga.press("Sign in with Acme")
    expect(olga.page.locator("h1")).to_have_text("Provider")
    assert olga.page.url.startswith(provider.issuer), "another site, as the browser sees it"
    olga.page.get_by_label("Who are you?").fill(SUBJECT)
    olga.page.get_by_role("button", name="Continue").click()
    olga.page.wait_for_url(olga.base + "/groups/1/edit/")
    cookies = {cookie["name"]: cookie for cookie in olga.page.context.cookies()}
    assert cookies["__Host-certuary-session"]["sameSite"] == "Strict"
    assert "__Host-certuary-flow" not in cookies

    olga.name, olga.password = "olga", password
    replace_password(olga, tmp_path / "password")
    olga.open("/groups/1/edit/")
    olga.fill("Name", "Line seven")
    olga.press("Proceed")
    olga.sign()
    assert "Line seven" in olga.text()
    olga.open("/account/")
    assert SUBJECT in olga.text()
    assert "identity provider" in olga.text()
    olga.look("account-identities")


def test_a_subject_that_nobody_has_is_told_so_and_can_begin_anew(
    new_visitor: NewVisitor, provider: OidcProvider, watch: Watch
) -> None:
    watch.visits, watch.expected = (provider.issuer,), {403}
    stranger = new_visitor()
    stranger.press("Sign in with Acme")
    stranger.page.get_by_label("Who are you?").fill("nobody")
    stranger.page.get_by_role("button", name="Continue").click()
    expect(stranger.page.locator("h1")).to_have_text("You are not signed in")
    stranger.look("not-signed-in")
    stranger.press("Back to the sign-in")
    assert stranger.heading == "Sign in"


def test_a_user_comes_in_by_a_certificate(
    browser: Browser, server: RunningServer, commands: Commands, watch: Watch, tmp_path: Path
) -> None:
    person = PEOPLE.issue("Petra Example")
    certificate, key = person.write(tmp_path)
    commands.run("user", "add", "petra", "--role", "auditor", "--group", "GRP_001")
    commands.run("user", "identity", "add", "petra", "--certificate", certificate)
    context = browser.new_context(
        viewport=DESKTOP,  # type: ignore[arg-type]
        reduced_motion="reduce",
        # Playwright stands between, with the certificate; it does not know the store that trusts our root.
        ignore_https_errors=True,
        client_certificates=[
            {"origin": server.portal_url, "certPath": str(certificate), "keyPath": str(key)}
        ],
    )
    try:
        page = context.new_page()
        watch.on(page)
        petra = Visitor(page, server.portal_url, watch)
        petra.open("/sign-in/")
        petra.press("Sign in with a certificate")
        assert petra.path == "/"
        petra.open("/account/")
        assert "Petra Example" in petra.text()
        assert "certificate" in petra.text()
    finally:
        context.close()


def add_administrator(admin: Visitor, name: str) -> str:
    """Their password, as the page shows it once; their page is open then."""
    admin.open("/users/new/")
    admin.fill("Username", name)
    admin.page.get_by_label("Administrator: ").and_(admin.page.locator("[value=administrator]")).check()
    admin.page.get_by_label("GRP_001").check()
    admin.press("Proceed")
    admin.sign()
    password = admin.page.locator(".secret").first.inner_text()
    admin.open("/users/")
    admin.follow(name)
    return password
