"""Two persons over the REST API: a change is kept and answered 202, and another user's call makes it."""

from __future__ import annotations

import json

import pytest

from certuary.services.entitlement import CA_ADMINISTRATOR
from certuary.services.manage_group import add_label, remove_label
from certuary.services.manage_user import NewUser, add_user
from certuary.services.register_application import Grants, NewApplication, register_application
from certuary.services.switch_rule import switch_rule
from tests.wire.portal.pages import PASSWORD, Portal
from tests.wire.portal.test_api import Script, assert_problem, script_for, script_of

BOSS = "boss"


@pytest.fixture
def first(portal: Portal) -> Script:
    return script_of(portal)


@pytest.fixture
def second(portal: Portal) -> Script:
    """Of another CA Administrator; changes of applications, labels and groups then take two."""
    return second_person(portal, "application", "profile", "group")


def second_person(portal: Portal, *rules: str) -> Script:
    actor, deps = portal.changes_as()
    new = NewUser(name=BOSS, role=CA_ADMINISTRATOR, groups=(), password=PASSWORD)
    add_user(actor, new, portal.deps.passwords, deps)
    for rule in rules:
        switch_rule(actor, rule, enabled=True, deps=deps)
    return script_for(portal, BOSS)


def test_a_change_is_kept_and_made_by_the_second_person(
    portal: Portal, first: Script, second: Script
) -> None:
    asked = first.post(
        "/applications", {"name": "plant-7", "username": "plant-7", "networks": ["10.0.0.0/24"]}
    )
    assert asked.status_code == 202, asked.content
    url = json.loads(asked.content)["url"]
    assert asked["Location"] == url
    path = url.removeprefix("/api/v1")
    assert portal.stores.records.find("application", name="plant-7") is None
    seen = json.loads(second.get(path).content)
    assert ["Name", "plant-7"] in [[line["label"], line["value"]] for line in seen["shown"]]
    made = second.post(f"{path}/approve", {"digest": seen["digest"]})
    assert made.status_code == 200, made.content
    assert json.loads(made.content)["secrets"][0]["label"] == "Its password"
    found = portal.stores.records.find("application", name="plant-7")
    assert found is not None
    assert found.values["networks"] == ["10.0.0.0/24"]
    assert json.loads(second.get(path).content)["state"] == "approved"


def test_an_identity_is_bound_and_taken_away_by_two(portal: Portal, first: Script, second: Script) -> None:
    """Of the second person, too; nobody asks for one of their own."""
    actor, deps = portal.changes_as()
    switch_rule(actor, "user", enabled=True, deps=deps)
    body = {"issuer": "https://id.example", "subject": "248289761001"}

    assert_problem(first.post(f"/users/{first.username}/identities", body), 409, "own-role")

    def identities() -> object:
        return second.get(f"/users/{second.username}").json()["identities"]

    for path, left in (("identities", 1), ("identities/remove", 0)):
        before = identities()
        asked = first.post(f"/users/{second.username}/{path}", body)
        assert asked.status_code == 202, asked.content
        assert identities() == before
        kept = json.loads(asked.content)
        url = kept["url"].removeprefix("/api/v1")
        assert "248289761001" in str(second.get(url).json()["shown"])
        made = second.post(f"{url}/approve", {"digest": kept["digest"]})
        assert made.status_code == 200, made.content
        found = identities()
        assert isinstance(found, list)
        assert len(found) == left


def test_a_user_s_role_and_groups_are_kept_as_what_they_mean(
    portal: Portal, first: Script, second: Script
) -> None:
    """Not as they were typed: a group's name may be another group's once this is approved."""
    actor, deps = portal.changes_as()
    switch_rule(actor, "user", enabled=True, deps=deps)
    asked = first.post("/users", {"name": "olga", "role": "Officer", "groups": ["Plant"]})
    assert asked.status_code == 202, asked.content
    kept = json.loads(asked.content)
    assert "GRP_002" in str(second.get(kept["url"].removeprefix("/api/v1")).json()["shown"])
    approve(second, kept)
    olga = second.get("/users/olga").json()
    assert (olga["role"], olga["groups"]) == ("officer", ["GRP_002"])
    changed = {"role": "CA Administrator", "groups": []}
    again = first.call("PUT", "/users/olga/role", changed, sign=True)
    assert again.status_code == 202, again.content


def test_what_a_change_does_not_name_stays_though_it_is_gone(portal: Portal, first: Script) -> None:
    """A label that was removed stays among an application's, to no effect."""
    actor, deps = portal.changes_as()
    add_label(actor, "line-9", "tls-device", deps)
    new = NewApplication(
        name="plant-7", username="plant-7", password=PASSWORD, grants=Grants(labels=("line-9",))
    )
    register_application(actor, new, portal.deps.passwords, deps)
    remove_label(actor, "line-9", deps)
    second = second_person(portal, "application")
    asked = first.call("PATCH", "/applications/plant-7", {"networks": ["10.1.0.0/16"]}, sign=True)
    assert asked.status_code == 202, asked.content
    approve(second, json.loads(asked.content))
    found = portal.stores.records.find("application", name="plant-7")
    assert found is not None
    assert (found.values["networks"], found.values["labels"]) == (["10.1.0.0/16"], ["line-9"])


def test_what_was_kept_is_told_again_under_the_same_key(first: Script, second: Script) -> None:
    headers = {"idempotency-key": "k1"}
    kept, again = (first.post("/groups", {"name": "Second plant"}, headers=headers) for _ in range(2))
    assert (kept.status_code, again.status_code) == (202, 202)
    assert again["Idempotency-Replayed"] == "true"
    assert (again["Location"], again.json()) == (kept["Location"], kept.json())
    assert len(second.get("/approvals").json()["items"]) == 1


def test_who_asked_does_not_approve_it(portal: Portal, first: Script, second: Script) -> None:
    asked = json.loads(first.post("/groups", {"name": "Second plant"}).content)
    path = asked["url"].removeprefix("/api/v1")
    answer = first.post(f"{path}/approve", {"digest": asked["digest"]})
    assert_problem(answer, 403, "two-persons")


def test_another_digest_and_a_wrong_password_approve_nothing(
    portal: Portal, first: Script, second: Script
) -> None:
    asked = json.loads(first.post("/groups", {"name": "Second plant"}).content)
    path = asked["url"].removeprefix("/api/v1")
    assert_problem(second.post(f"{path}/approve", {"digest": "0" * 64}), 409, "conflict")
    right = {"digest": asked["digest"]}
    assert_problem(second.post(f"{path}/approve", right, password="wrong"), 403, "signature-refused")
    assert_problem(second.call("POST", f"{path}/approve", right), 403, "signature-required")
    assert portal.stores.records.find("group", name="Second plant") is None


def test_it_is_rejected_and_withdrawn(portal: Portal, first: Script, second: Script) -> None:
    urls = [
        json.loads(first.post("/labels", {"name": name, "profile": "tls-device"}).content)["url"]
        for name in ("line-8", "line-9")
    ]
    rejected, withdrawn = (url.removeprefix("/api/v1") for url in urls)
    listed = [one["name"] for one in json.loads(second.get("/approvals").content)["items"]]
    assert set(listed) == {path.split("/")[-1] for path in (rejected, withdrawn)}
    assert json.loads(second.post(f"{rejected}/reject", {"reason": "no"}).content)["state"] == "rejected"
    assert_problem(second.post(f"{withdrawn}/withdraw"), 403, "two-persons")
    assert json.loads(first.post(f"{withdrawn}/withdraw").content)["state"] == "withdrawn"
    decided = json.loads(second.get("/approvals?state=decided").content)["items"]
    assert {one["state"] for one in decided} == {"rejected", "withdrawn"}


def test_every_change_of_an_application_is_kept(portal: Portal, first: Script, second: Script) -> None:
    asked = json.loads(first.post("/applications", {"name": "plant-7", "username": "plant-7"}).content)
    approve(second, asked)
    calls = [
        ("PATCH", "/applications/plant-7", {"networks": ["10.1.0.0/16"]}),
        ("POST", "/applications/plant-7/rotate", {"password": "a typed password"}),
        ("POST", "/applications/plant-7/disable", {}),
        ("DELETE", "/applications/plant-7", None),
    ]
    for method, path, body in calls:
        answer = first.call(method, path, body, sign=True)
        assert answer.status_code == 202, (path, answer.content)
        approve(second, json.loads(answer.content))
    assert portal.stores.records.find("application", name="plant-7") is None


def approve(script: Script, asked: dict[str, str]) -> None:
    name, digest = asked["approval"], asked["digest"]
    answer = script.post(f"/approvals/{name}/approve", {"digest": digest})
    assert answer.status_code == 200, answer.content
