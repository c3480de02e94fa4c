from __future__ import annotations

import pytest

from certuary.errors import Conflict, InvalidValue, NotFound, NotPermitted
from certuary.services.manage_user import NewUser, add_user, set_user_enabled, set_user_password
from tests.unit.services.change_fixtures import (
    ADMIN_1,
    AUDITOR_1,
    PASSWORDS,
    ROOT_USER,
    installation,
    kinds_of,
)


def new(name: str = "olga", role: str = "officer", groups: tuple[str, ...] = ("GRP_001",)) -> NewUser:
    return NewUser(name=name, role=role, groups=groups, password=None)


def test_a_new_user_has_role_groups_and_a_password_shown_once() -> None:
    _, deps = installation()
    saved = add_user(ROOT_USER, new(groups=("GRP_001", "Plant", "GRP_001")), PASSWORDS, deps)
    assert saved.record.values["role"] == "officer"
    assert saved.record.values["group_ids"] == [1, 2]
    assert saved.generated_password is not None
    assert PASSWORDS.verify(str(saved.record.values["password_hash"]), saved.generated_password)
    assert saved.generated_password not in repr(saved)


def test_a_brought_password_is_not_shown() -> None:
    _, deps = installation()
    request = NewUser(name="olga", role="CA Administrator", groups=(), password="brought along")
    saved = add_user(ROOT_USER, request, PASSWORDS, deps)
    assert saved.generated_password is None
    assert saved.record.values["role"] == "ca-administrator"


@pytest.mark.parametrize("role", ["administrator", "officer", "auditor"])
def test_a_user_of_these_roles_needs_a_group(role: str) -> None:
    _, deps = installation()
    with pytest.raises(InvalidValue, match="--group"):
        add_user(ROOT_USER, new(role=role, groups=()), PASSWORDS, deps)


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        (new(role="boss"), InvalidValue),
        (new(name="a/b"), InvalidValue),
        (new(groups=("GRP_009",)), NotFound),
        (NewUser(name="o", role="officer", groups=("1",), password="short"), InvalidValue),
    ],
)
def test_a_user_that_cannot_be_is_refused(request_: NewUser, problem: type[Exception]) -> None:
    records, deps = installation()
    with pytest.raises(problem):
        add_user(ROOT_USER, request_, PASSWORDS, deps)
    assert records.all("user") == ()


def test_an_administrator_adds_officers_and_no_administrators() -> None:
    records, deps = installation()
    add_user(ADMIN_1, new(), PASSWORDS, deps)
    with pytest.raises(NotPermitted):
        add_user(ADMIN_1, new(name="adam", role="administrator"), PASSWORDS, deps)
    assert [user.values["name"] for user in records.all("user")] == ["olga"]


def test_the_last_enabled_ca_administrator_is_not_disabled() -> None:
    _, deps = installation()
    for name in ("one", "two"):
        add_user(ROOT_USER, new(name=name, role="ca-administrator", groups=()), PASSWORDS, deps)
    assert set_user_enabled(ROOT_USER, "one", enabled=False, deps=deps).values["enabled"] is False
    with pytest.raises(Conflict, match="two is the last"):
        set_user_enabled(ROOT_USER, "two", enabled=False, deps=deps)
    assert set_user_enabled(ROOT_USER, "two", enabled=True, deps=deps).values["enabled"] is True
    assert set_user_enabled(ROOT_USER, "one", enabled=True, deps=deps).values["enabled"] is True
    set_user_enabled(ROOT_USER, "two", enabled=False, deps=deps)


def test_everybody_gives_themselves_a_new_password() -> None:
    records, deps = installation()
    add_user(ROOT_USER, new(name="auditor-1", role="auditor"), PASSWORDS, deps)
    made_up = set_user_password(AUDITOR_1, "auditor-1", None, PASSWORDS, deps)
    assert made_up.generated_password is not None
    chosen = set_user_password(AUDITOR_1, "auditor-1", "a better one", PASSWORDS, deps)
    assert chosen.generated_password is None
    assert PASSWORDS.verify(str(chosen.record.values["password_hash"]), "a better one")
    assert kinds_of(records) == ["user.added", "user.changed", "user.changed"]


def test_nobody_of_low_rank_gives_another_a_new_password() -> None:
    _, deps = installation()
    add_user(ROOT_USER, new(), PASSWORDS, deps)
    with pytest.raises(NotPermitted):
        set_user_password(AUDITOR_1, "olga", None, PASSWORDS, deps)
