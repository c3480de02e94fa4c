"""Two persons at the command line: what takes two is refused there, and what waits is listed, rejected, withdrawn."""

from __future__ import annotations

import json
from typing import Any

import pytest

from certuary.errors import SecondPersonNeeded
from certuary.services.approvals import Wanted, ask_for_approval
from certuary.services.entitlement import CA_ADMINISTRATOR
from certuary.services.manage_user import NewUser, add_user
from certuary.services.switch_rule import switch_rule
from tests.wire.cli_process import Shell, new_shell
from tests.wire.portal.pages import PASSWORD, Portal

BOSS = "boss"


@pytest.fixture
def shell(portal: Portal) -> Shell:
    """Changes of applications and users take two persons: admin, whose shell this is, and boss."""
    actor, deps = portal.changes_as()
    new = NewUser(name=BOSS, role=CA_ADMINISTRATOR, groups=(), password=PASSWORD)
    add_user(actor, new, portal.deps.passwords, deps)
    for rule in ("application", "user"):
        switch_rule(actor, rule, enabled=True, deps=deps)
    return new_shell(portal.home.parent)


def asked(portal: Portal, username: str) -> str:
    actor, deps = portal.changes_as(username)
    wanted = Wanted(change="application-new", title="A new application", content="{}", shown="[]")
    needed = SecondPersonNeeded("two", kind="application", group_ids=(1,), least_role="administrator")
    return str(ask_for_approval(actor, wanted, needed, deps).values["name"])


def data(shell: Shell, *command: str) -> Any:
    done = shell.run(*command, "--json")
    assert done.code == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "command",
    [
        ("application", "add", "plant-7", "--username", "plant-7"),
        ("application", "disable", "quickstart"),
        ("application", "rotate", "quickstart"),
        ("application", "remove", "quickstart"),
        ("user", "disable", "officer-grp_001"),
        ("user", "add", "eve", "--role", "ca-administrator"),
    ],
)
def test_a_command_does_not_come_past_the_rule(
    command: tuple[str, ...], portal: Portal, shell: Shell
) -> None:
    before = [record.values for kind in ("application", "user") for record in portal.stores.records.all(kind)]
    done = shell.run(*command)
    assert done.code == 77
    assert "certuary: two-persons: changes of this kind take two persons here" in done.stderr
    assert "a second person approves it" in done.stderr
    after = [record.values for kind in ("application", "user") for record in portal.stores.records.all(kind)]
    assert after == before


def test_what_waits_is_listed_and_rejected(portal: Portal, shell: Shell) -> None:
    name = asked(portal, BOSS)
    (row,) = data(shell, "approval", "list")
    assert (row["name"], row["requester"], row["seal"]) == (name, BOSS, "holds")
    assert data(shell, "approval", "show", name)["digest"] == row["digest"]
    assert data(shell, "approval", "reject", name, "--reason", "no such plant") == {"rejected": name}
    assert data(shell, "approval", "list") == []
    (row,) = data(shell, "approval", "list", "--decided")
    assert (row["state"], row["decided_by"], row["reason"]) == ("rejected", "admin", "no such plant")


def test_ones_own_is_withdrawn_and_not_rejected(portal: Portal, shell: Shell) -> None:
    name = asked(portal, "admin")
    assert shell.run("approval", "reject", name, "--reason", "x").code == 77
    assert data(shell, "approval", "withdraw", name) == {"withdrawn": name}
    assert shell.run("approval", "withdraw", asked(portal, BOSS)).code == 77


def test_the_rules_are_told_and_one_that_was_altered_counts_as_on(portal: Portal, shell: Shell) -> None:
    portal.execute("DELETE FROM security_switches WHERE name = 'two-persons.application'")
    found = {row["kind"]: row for row in data(shell, "approval", "rules")}
    assert (found["application"]["persons"], found["group"]["persons"]) == (2, 1)
    assert "its row is gone" in found["application"]["problem"]
    done = shell.run("seal", "verify", "--json")
    assert done.code == 65
    assert [(one["kind"], one["name"]) for one in json.loads(done.stdout)] == [
        ("switch", "two-persons.application")
    ]
    assert shell.run("seal", "forget", "switch", "two-persons.application").code == 77


def test_whoever_holds_the_key_store_lets_a_ca_administrator_in_again(portal: Portal, shell: Shell) -> None:
    (shell.directory / "new-password").write_text("another password\n")
    done = shell.run("user", "recover", BOSS, "--password-file", "new-password")
    assert done.code == 0, done.stderr
