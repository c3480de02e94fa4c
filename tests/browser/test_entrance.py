"""Coming in, and what everybody meets: sign-in, the frame, the first list, Verify and Confirm."""

from __future__ import annotations

import time
from typing import Final

from playwright.sync_api import Route, expect

from tests.browser.browsing import NewVisitor, Visitor
from tests.browser.conftest import must_replace_password, replace_password
from tests.command import Commands

NOTE_THE_BUTTON: Final = """
() => document.addEventListener("submit", ({submitter}) => setTimeout(() => sessionStorage.setItem(
  "pressed", `${submitter.disabled ? "disabled" : "enabled"}, busy: ${submitter.getAttribute("aria-busy")}`), 100))
"""
"""While the answer is awaited, when a page can be asked nothing."""


def test_a_first_sign_in_asks_for_a_password_of_one_s_own(
    new_visitor: NewVisitor, commands: Commands
) -> None:
    visitor = new_visitor()
    visitor.look("sign-in")
    visitor.watch.expected.update((400, 403))
    visitor.sign_in("admin", "not the password")
    assert visitor.page.locator("#error-summary").is_visible()
    visitor.sign_in("admin", commands.password_file.read_text())
    assert visitor.path == "/"
    visitor.look("dashboard-first")
    if must_replace_password(visitor):
        replace_password(visitor, commands.password_file)
    visitor.open("/")
    assert not must_replace_password(visitor)


def test_a_group_is_added_edited_before_it_is_signed_and_signed(admin: Visitor) -> None:
    admin.open("/groups/")
    admin.look("groups")
    admin.press("New group")
    admin.look("group-new")
    admin.fill("Name", "Plnat seven")
    admin.press("Proceed")
    admin.look("confirm")
    admin.press("Edit")
    assert admin.page.get_by_label("Name", exact=True).input_value() == "Plnat seven"
    admin.fill("Name", "Plant seven")
    admin.press("Proceed")
    admin.watch.expected.add(403)
    admin.page.locator("section.sign").get_by_label("Password", exact=True).fill("wrong")
    admin.press("Sign and Save")
    assert "Nothing was signed" in admin.text()
    admin.sign()
    assert "Plant seven" in admin.text()


def test_a_press_is_answered_at_once_and_counts_once(admin: Visitor) -> None:
    admin.open("/groups/new/")
    admin.fill("Name", "Plant eight")
    admin.page.route("**/groups/new/", answer_slowly, times=1)
    admin.page.evaluate(NOTE_THE_BUTTON)
    admin.press("Proceed")
    assert admin.heading == "Verify and Confirm"
    assert admin.page.evaluate("sessionStorage.getItem('pressed')") == "disabled, busy: true"
    admin.page.go_back()
    proceed = admin.page.get_by_role("button", name="Proceed")
    expect(proceed).to_be_enabled()
    assert proceed.get_attribute("aria-busy") is None


def answer_slowly(route: Route) -> None:
    time.sleep(0.5)
    route.continue_()


def test_everything_works_with_the_keyboard_alone(new_visitor: NewVisitor, commands: Commands) -> None:
    visitor = new_visitor()
    keyboard = visitor.page.keyboard
    visitor.page.get_by_label("Username", exact=True).focus()
    keyboard.type("admin")
    keyboard.press("Tab")
    keyboard.type(commands.password_file.read_text())
    keyboard.press("Enter")
    visitor.page.wait_for_url(visitor.base + "/")
    keyboard.press("Tab")
    skip = visitor.page.evaluate("document.activeElement.textContent")
    assert skip == "Skip to the content"
    keyboard.press("/")
    assert visitor.page.evaluate("document.activeElement.id") == "search"


def test_an_application_is_registered_by_tab_and_enter_alone(admin: Visitor) -> None:
    admin.page.locator("body").focus()
    keyboard = admin.page.keyboard
    admin.open("/applications/")
    go_to(admin, "New")
    keyboard.press("Enter")
    admin.page.wait_for_url("**/applications/new/")
    for label, text in (("Name", "Keyboard line"), ("Username", "keyboard-line")):
        go_to(admin, label)
        keyboard.type(text)
    go_to(admin, "Subject rule (optional)")
    keyboard.type("CN=keyboard-*")
    go_to(admin, "Proceed")
    keyboard.press("Enter")
    admin.page.wait_for_url("**/confirm/**")
    go_to(admin, "Password")
    keyboard.type(admin.password)
    keyboard.press("Enter")
    admin.page.get_by_text("Keyboard line is registered").wait_for()


def test_menus_open_and_close_by_keys_and_the_focus_is_seen(admin: Visitor) -> None:
    admin.open("/groups/")
    keyboard = admin.page.keyboard
    go_to(admin, admin.name)
    assert admin.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    keyboard.press("Enter")
    menu = admin.page.locator("header .dropdown-menu")
    assert menu.is_visible()
    keyboard.press("Escape")
    assert not menu.is_visible()
    assert admin.page.evaluate("document.activeElement.textContent.trim()") == admin.name


def go_to(visitor: Visitor, name: str) -> None:
    """By Tab, to what a person would call so: its label, or its own words."""
    words = """() => {
        const one = document.activeElement;
        const text = one.labels && one.labels.length ? one.labels[0].textContent : one.textContent;
        return text.trim().replace(/\\s+/g, " ");
    }"""
    for _ in range(120):
        visitor.page.keyboard.press("Tab")
        if visitor.page.evaluate(words) == name:
            return
    raise AssertionError(f"{name} is not reached by Tab on {visitor.path}")


def test_the_theme_is_kept_and_there_before_the_first_paint(admin: Visitor) -> None:
    admin.page.emulate_media(color_scheme="light")
    admin.page.locator("header .dropdown > button").click()
    admin.page.get_by_role("button", name="Dark theme").click()
    admin.open("/groups/")
    assert admin.page.evaluate("document.documentElement.dataset.bsTheme") == "dark"


def test_an_unknown_address_is_a_page_with_a_way_back(admin: Visitor) -> None:
    admin.watch.expected.add(404)
    admin.open("/no/such/page/")
    admin.look("not-found")
    admin.press("Go to the dashboard")
    assert admin.path == "/"


def test_a_page_weighs_less_than_100_kilobytes_without_what_the_browser_keeps(admin: Visitor) -> None:
    for path in ("/", "/groups/"):
        admin.open(path)
        assert len(admin.page.content()) < 100_000, path
