"""Every screen of a home with much in it: readable by axe-core in both themes, and nothing cut off at any width."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from certuary.portal.access import RULES
from tests.browser.addresses import NO_PAGES, addresses
from tests.browser.browsing import DESKTOP, SCREENSHOTS, Visitor, Watch, chromium, serious_findings
from tests.browser.busy_home import LONG_NAME, enrol_devices, made
from tests.running_server import RunningServer, running_server
from tests.wire.portal.pages import PASSWORD

WIDTHS = (360, 768, 1280, 2560)
MOST_OCTETS = 100_000
CUT_OFF = """
() => [...document.querySelectorAll("main a, main button, main input, main select, main textarea, header button")]
  .filter((one) => one.checkVisibility() && !one.closest(".table-responsive, pre, textarea, .visually-hidden"))
  .filter((one) => { const box = one.getBoundingClientRect(); return box.left < -1 || box.right > innerWidth + 1; })
  .map((one) => one.outerHTML.slice(0, 120))
"""


WORDS = """
() => {
  const copy = document.querySelector("main").cloneNode(true);
  copy.querySelectorAll("pre, script").forEach((one) => one.remove());
  return copy.textContent;
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    server: RunningServer
    addresses: Mapping[str, tuple[str, ...]]


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Busy]:
    home = made(tmp_path_factory.mktemp("busy"))
    with running_server(home, environment={"CERTUARY_ENVIRONMENT": "Plant 4, staging"}) as server:
        yield Busy(server=server, addresses=addresses(home, enrol_devices(server)))


@pytest.fixture(scope="module")
def busy_browser(busy: Busy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with (
        sync_playwright() as playwright,
        chromium(playwright, tmp_path_factory.mktemp("chromium"), busy.server.root_pem) as running,
    ):
        yield running


@pytest.fixture
def alice(busy: Busy, busy_browser: Browser, watch: Watch) -> Iterator[Visitor]:
    """A CA Administrator, signed in."""
    context = busy_browser.new_context(viewport=DESKTOP, reduced_motion="reduce")  # type: ignore[arg-type]
    page = context.new_page()
    watch.on(page)
    visitor = Visitor(page, busy.server.portal_url, watch)
    visitor.sign_in("alice", PASSWORD)
    yield visitor
    context.close()


def test_every_page_has_an_address_here_or_a_reason_why_not(busy: Busy) -> None:
    pages = {name for name in RULES if ":" not in name}
    assert pages == busy.addresses.keys() | NO_PAGES.keys()
    assert not busy.addresses.keys() & NO_PAGES.keys()


def test_every_screen_is_whole_and_accessible(alice: Visitor, busy: Busy) -> None:
    """One window for all: a sign-in for each screen would take longer than the look at it."""
    alice.watch.expected.add(404)
    SCREENSHOTS.mkdir(exist_ok=True)
    wrong: list[str] = []
    for name, paths in {**busy.addresses, "nowhere": ("/no/such/page/",)}.items():
        for number, path in enumerate(paths):
            alice.open(path)
            if (alice.heading == "Nothing here") != (name == "nowhere"):
                wrong.append(f"{path}: {alice.heading}")
            seen = (*faults(alice.page), *faults_of_themes(alice.page, f"{name}-{number}"))
            wrong += [f"{path}: {fault}" for fault in seen]
    assert not wrong, "\n".join(wrong)


def test_a_change_that_waits_to_be_signed_is_whole_and_accessible(alice: Visitor, busy: Busy) -> None:
    (path,) = busy.addresses["application-edit"]
    alice.open(path)
    alice.fill("IP addresses and networks", "10.0.0.0/24\n2001:db8::/32")
    alice.press("Proceed")
    assert alice.heading == "Verify and Confirm"
    wrong = (*faults(alice.page), *faults_of_themes(alice.page, "confirm-0"))
    assert not wrong, "\n".join(wrong)


def faults(page: Page) -> Iterator[str]:
    """What is too heavy, stands out of the window or is cut off, at any width. Colours make no difference to it."""
    if len(page.content()) > MOST_OCTETS:
        yield f"weighs {len(page.content())} octets"
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if wide > 0:
            yield f"{wide} pixels stand out at {width}"
        for control in page.evaluate(CUT_OFF):
            yield f"cut off at {width}: {control}"
    page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]


def faults_of_themes(page: Page, name: str) -> Iterator[str]:
    """All rules in the light theme; in the dark one those that look at colours."""
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    yield from serious_findings(page)
    page.screenshot(path=SCREENSHOTS / f"{name}-light.png")
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    yield from (f"dark: {finding}" for finding in serious_findings(page, only=("color-contrast",)))
    page.screenshot(path=SCREENSHOTS / f"{name}-dark.png")


def test_lists_fit_a_laptop_without_scrolling_sideways(alice: Visitor) -> None:
    for path in (
        "/applications/",
        "/certificates/",
        "/users/",
        "/groups/",
        "/profiles/",
        "/audit/",
        "/labels/",
    ):
        alice.open(path)
        wide = alice.page.locator("main .table-responsive").first.evaluate(
            "one => one.scrollWidth - one.clientWidth"
        )
        assert wide <= 0, f"{path}: the list is {wide} pixels wider than its place"


def test_columns_are_chosen_remembered_and_exported(alice: Visitor) -> None:
    alice.open("/applications/?status=enabled")
    menu = alice.page.locator("details.menu")
    menu.locator("summary").click()
    alice.page.keyboard.press("Escape")
    assert menu.get_attribute("open") is None
    menu.locator("summary").click()
    menu.get_by_label("Labels").check()
    menu.get_by_label("Username").uncheck()
    menu.get_by_role("button", name="Show these").click()
    alice.page.wait_for_url("**status=enabled*")
    alice.open("/applications/")
    heads = alice.page.locator("main thead th").all_inner_texts()
    assert "LABELS" in [head.upper() for head in heads]
    assert "USERNAME" not in [head.upper() for head in heads]
    rows = alice.page.evaluate("fetch('?format=json').then((answer) => answer.json())")
    assert "labels" in rows[0]
    assert "username" not in rows[0]
    assert LONG_NAME in {row["name"] for row in rows}


def test_a_filter_in_force_is_a_chip_that_takes_it_away(alice: Visitor) -> None:
    alice.open("/applications/?q=reader&status=enabled")
    alice.page.locator(".chip", has_text="reader").click()
    alice.page.wait_for_url(re.compile(r"/applications/\?status=enabled$"))


def test_no_page_shows_how_a_machine_writes(alice: Visitor, busy: Busy) -> None:
    """Backticks, and values as JSON or Python have them. What is code says so."""
    alice.watch.expected.add(404)
    for name in ("dashboard", "application", "certificate", "refusal", "audit-event"):
        for path in busy.addresses[name]:
            alice.open(path)
            found = re.findall(r"`|\bNone\b|\bnull\b|\[[\"'\]]", alice.page.evaluate(WORDS))
            assert not found, f"{path}: {found}"
