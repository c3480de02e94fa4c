"""Two persons in two browsers: one asks, the other approves; and the switch itself is turned off by both."""

from __future__ import annotations

from pathlib import Path

from tests.browser.browsing import NewVisitor, Visitor
from tests.browser.test_journeys import person
from tests.command import Commands


def test_one_person_asks_and_another_approves(
    admin: Visitor, new_visitor: NewVisitor, commands: Commands, tmp_path: Path
) -> None:
    second = person(new_visitor, commands, tmp_path, "second", "ca-administrator")
    admin.open("/approvals/")
    admin.look("approvals-empty")
    turn(admin, "External applications", "two persons")
    admin.look("switches")

    admin.open("/applications/new/")
    admin.fill("Name", "Line 9")
    admin.fill("Username", "line-9")
    admin.fill("IP addresses and networks", "10.0.0.0/24")
    admin.press("Proceed")
    assert "This takes two persons." in admin.text()
    admin.look("two-persons-confirm")
    admin.sign()
    assert admin.path.startswith("/approvals/")
    assert "waits for a second person" in admin.text()
    admin.look("approval-own")
    number = admin.path

    second.open("/")
    assert "1 waiting for you" in " ".join(second.page.locator("#navigation").inner_text().split())
    second.open("/approvals/")
    second.look("approvals")
    second.follow(name_of(admin))
    second.look("approval-to-decide")
    second.press("Approve")
    second.look("approval-confirm")
    second.sign("Sign and Approve")
    assert second.page.locator(".secret").count() > 0
    second.open(number)
    assert "Approved" in second.text()
    second.look("approval-approved")
    second.open("/applications/")
    second.follow("Line 9")

    turn(admin, "External applications", "one person")
    request = admin.path
    second.open(request)
    second.press("Reject")
    second.fill("Reason", "not this week")
    second.look("approval-reject")
    second.press("Proceed")
    second.sign("Sign and Reject")
    admin.open(request)
    assert "not this week" in admin.text()
    turn(admin, "External applications", "one person")
    second.open(admin.path)
    second.press("Approve")
    second.sign("Sign and Approve")
    assert second.path == "/switches/"


def turn(visitor: Visitor, kind: str, takes: str) -> None:
    visitor.open("/switches/")
    row = visitor.page.locator("main tr", has_text=kind)
    row.get_by_role("button", name=f"Take {takes}").click()
    visitor.page.wait_for_load_state()
    visitor.sign()


def name_of(visitor: Visitor) -> str:
    """Of the request whose page is open."""
    return (
        visitor.page.locator("main, header")
        .get_by_text("Request APR-")
        .first.inner_text()
        .removeprefix("Request ")
    )
