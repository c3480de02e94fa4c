from __future__ import annotations

import pytest

from certuary.errors import InvalidValue, NotPermitted
from certuary.services.entitlement import (
    ROLES,
    Actor,
    check_is_ca_administrator,
    check_may_change,
    check_may_revoke,
    parse_role,
)
from certuary.services.ports import RecordKind
from tests.unit.services.change_fixtures import ADMIN_1, AUDITOR_1, OFFICER_1, ROOT_USER

KINDS: tuple[RecordKind, ...] = (
    "authority", "group", "profile", "label", "application", "user", "property",
)  # fmt: skip
OFFICER_OF_1 = {"name": "olga", "role": "officer", "group_ids": [1]}
APPLICATION_OF_1 = {"group_id": 1}
APPLICATION_OF_2 = {"group_id": 2}


def may(actor: Actor, kind: RecordKind, *, before: object = None, after: object = None) -> bool:
    try:
        check_may_change(actor, kind, before=before, after=after)  # type: ignore[arg-type]  # tables of cases
    except NotPermitted:
        return False
    return True


@pytest.mark.parametrize("kind", KINDS)
def test_a_ca_administrator_changes_every_kind_of_record(kind: RecordKind) -> None:
    assert may(ROOT_USER, kind, after={})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("actor", [OFFICER_1, AUDITOR_1], ids=lambda actor: actor.role)
def test_officers_and_auditors_change_no_record(actor: Actor, kind: RecordKind) -> None:
    state = {"id": 1, "group_id": 1, "name": "x", "role": "auditor", "group_ids": [1]}
    assert not may(actor, kind, after=state)
    assert not may(actor, kind, before=state)


@pytest.mark.parametrize("kind", ["profile", "label", "property"])
def test_an_administrator_changes_what_belongs_to_no_group(kind: RecordKind) -> None:
    assert may(ADMIN_1, kind, after={})


@pytest.mark.parametrize(
    ("kind", "before", "after", "allowed"),
    [
        ("authority", None, {}, False),
        ("group", None, {"code": "GRP_003"}, False),
        ("group", {"id": 1, "name": "a"}, {"id": 1, "name": "b"}, True),
        ("group", {"id": 2, "name": "a"}, {"id": 2, "name": "b"}, False),
        ("application", None, APPLICATION_OF_1, True),
        ("application", None, APPLICATION_OF_2, False),
        ("application", APPLICATION_OF_1, APPLICATION_OF_2, False),
        ("application", APPLICATION_OF_2, APPLICATION_OF_1, False),
        ("application", APPLICATION_OF_1, None, True),
        ("user", None, OFFICER_OF_1, True),
        ("user", None, {**OFFICER_OF_1, "role": "auditor"}, True),
        ("user", None, {**OFFICER_OF_1, "role": "administrator"}, False),
        ("user", None, {**OFFICER_OF_1, "role": "ca-administrator"}, False),
        ("user", None, {**OFFICER_OF_1, "group_ids": [1, 2]}, False),
        ("user", None, {**OFFICER_OF_1, "group_ids": []}, False),
        ("user", None, {**OFFICER_OF_1, "group_ids": None}, False),
        ("user", OFFICER_OF_1, {**OFFICER_OF_1, "role": "administrator"}, False),
    ],
)
def test_an_administrator_reaches_as_far_as_its_groups(
    kind: RecordKind, before: object, after: object, allowed: bool
) -> None:
    assert may(ADMIN_1, kind, before=before, after=after) is allowed


@pytest.mark.parametrize(
    ("change", "allowed"),
    [
        ({"password_hash": "new"}, True),
        ({"authenticators": ["digest"]}, True),
        ({"password_hash": "new", "must_change_password": False}, True),
        ({"authenticators": [], "group_ids": [1, 2]}, False),
        ({"role": "ca-administrator"}, False),
        ({"enabled": True}, False),
        ({"identities": [{"kind": "oidc"}]}, False),
        ({"password_hash": "new", "enabled": True}, False),
    ],
)
def test_everybody_changes_how_they_get_in_themselves_and_nothing_else(
    change: dict[str, object], allowed: bool
) -> None:
    own = {"name": "auditor-1", "role": "auditor", "password_hash": "old", "enabled": False}
    assert may(AUDITOR_1, "user", before=own, after={**own, **change}) is allowed


def test_nobody_changes_another_ones_password_by_that_right() -> None:
    other = {"name": "olga", "role": "officer", "group_ids": [1], "password_hash": "old"}
    assert not may(AUDITOR_1, "user", before=other, after={**other, "password_hash": "new"})


def test_an_own_record_that_is_not_there_yet_is_not_made_by_that_right() -> None:
    own = {"name": "auditor-1", "role": "auditor", "group_ids": [1]}
    assert not may(AUDITOR_1, "user", after=own)


@pytest.mark.parametrize(
    ("actor", "group_id", "allowed"),
    [
        (ROOT_USER, None, True),
        (ROOT_USER, 2, True),
        (OFFICER_1, 1, True),
        (OFFICER_1, 2, False),
        (OFFICER_1, None, False),
        (ADMIN_1, 1, False),
        (AUDITOR_1, 1, False),
    ],
)
def test_an_officer_revokes_within_its_groups(actor: Actor, group_id: int | None, allowed: bool) -> None:
    if allowed:
        check_may_revoke(actor, group_id)
        return
    with pytest.raises(NotPermitted):
        check_may_revoke(actor, group_id)


def test_what_takes_a_ca_administrator_is_refused_to_others() -> None:
    check_is_ca_administrator(ROOT_USER, "this")
    with pytest.raises(NotPermitted, match="this takes a CA Administrator; admin-1 is an administrator"):
        check_is_ca_administrator(ADMIN_1, "this")


@pytest.mark.parametrize(
    "text", ["CA Administrator", "ca-administrator", "ca_administrator", "  Ca  administrator "]
)
def test_a_role_is_read_as_people_write_it(text: str) -> None:
    assert parse_role(text) == "ca-administrator"


def test_an_unknown_role_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(InvalidValue, match=", ".join(ROLES)):
        parse_role("boss")
