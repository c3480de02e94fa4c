"""Two persons: the first signature asks, the second makes the change, and nobody is both."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from certuary.services.entitlement import CA_ADMINISTRATOR
from certuary.services.manage_user import NewUser, add_user
from certuary.services.ports import Record
from certuary.services.switch_rule import switch_rule
from tests.wire.portal.pages import PASSWORD, Confirm, Portal, PortalClient, text_of

BOSS: Final = "boss"
FORM: Final = {
    "name": "plant-7",
    "username": "plant-7",
    "password_source": "generate",
    "password": "",
    "networks": "10.0.0.0/24",
    "group": "GRP_001",
    "subject_rule": "CN=plant-*",
    "expires_at": "",
}


@pytest.fixture
def boss(portal: Portal) -> PortalClient:
    """The browser of another CA Administrator."""
    actor, deps = portal.changes_as()
    new = NewUser(name=BOSS, role=CA_ADMINISTRATOR, groups=(), password=PASSWORD)
    add_user(actor, new, portal.deps.passwords, deps)
    return signed_in(BOSS)


@pytest.fixture
def ruled(portal: Portal, boss: PortalClient) -> Portal:
    """Changes of applications take two persons."""
    turn_on(portal, "application")
    return portal


def turn_on(portal: Portal, rule: str) -> None:
    actor, deps = portal.changes_as()
    switch_rule(actor, rule, enabled=True, deps=deps)


def signed_in(name: str) -> PortalClient:
    client = PortalClient()
    assert client.sign_in(name).status_code == 302
    return client


def ask(client: PortalClient, confirm: Confirm, **changes: str) -> Record:
    """Ask for a new application; gives the request that then waits."""
    form = {**FORM, **changes}
    answer = confirm(client, client.post_form("/applications/new/", form).url)
    assert answer.status_code == 302, text_of(answer)
    assert answer.url.startswith("/approvals/"), answer.url
    return waiting()[0]


def waiting() -> tuple[Record, ...]:
    from certuary.store.approvals import waiting_approvals

    return waiting_approvals(100)


def approve(client: PortalClient, approval: Record, confirm: Confirm, password: str = PASSWORD) -> Any:
    url = f"/approvals/{approval.id}/"
    answer = client.post_form(f"{url}approve/", {}, page="/")
    return confirm(client, answer.url, password) if answer.status_code == 302 else answer


def application(portal: Portal, name: str = "plant-7") -> Record | None:
    return portal.stores.records.find("application", name=name)


def events(portal: Portal, kind: str) -> list[Any]:
    from certuary.store.models import AuditEvent

    return list(AuditEvent.objects.filter(kind=kind).order_by("id"))


def test_a_change_under_the_rule_waits_until_a_second_person_approves_it(
    ruled: Portal, client: PortalClient, boss: PortalClient, confirm: Confirm
) -> None:
    approval = ask(client, confirm)
    assert application(ruled) is None
    assert "waits for a second person" in text_of(client.get(f"/approvals/{approval.id}/"))
    done = approve(boss, approval, confirm)
    assert done.status_code == 200, text_of(done)
    assert "Its password" in text_of(done)
    found = application(ruled)
    assert found is not None
    assert found.values["networks"] == ["10.0.0.0/24"]
    assert waiting() == ()


def test_both_names_are_in_the_audit_log_and_both_seals_are_kept(
    ruled: Portal, client: PortalClient, boss: PortalClient, confirm: Confirm
) -> None:
    approval = ask(client, confirm)
    approve(boss, approval, confirm)
    added = events(ruled, "application.added")[-1]
    assert added.actor == BOSS
    detail = json.loads(added.detail)
    assert (detail["requested_by"], detail["approval"]) == ("admin", approval.values["name"])
    assert [one.actor for one in events(ruled, "approval.requested")] == ["admin"]
    assert [one.actor for one in events(ruled, "approval.approved")] == [BOSS]
    assert events(ruled, "change.refused") == []
    page = text_of(boss.get(f"/approvals/{approval.id}/"))
    assert "First admin" in page
    assert f"Second {BOSS}" in page
