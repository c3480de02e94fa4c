from __future__ import annotations

from datetime import timedelta

import pytest

from certuary.errors import AlreadyExists, BadRequest, InvalidValue, NotFound, NotPermitted
from certuary.services.passwords import HashedPassword
from certuary.services.register_application import (
    ANY_ADDRESS,
    ANY_NAME,
    Grants,
    Identity,
    NewApplication,
    change_application,
    hash_typed_password,
    register_application,
    remove_application,
    rotate_password,
    set_application_enabled,
)
from certuary.services.snapshot import GROUP_PROPERTY
from tests.memory_records import NOW
from tests.unit.services.change_fixtures import ADMIN_1, PASSWORDS, ROOT_USER, installation, kinds_of

ALL = Grants(
    networks=("10.0.0.0/8", "::ffff:192.0.2.1", "10.0.0.0/8"),
    profiles=("tls-server", "1"),
    labels=("plant",),
    group="Plant",
    subject_rule="CN=dev-*",
    expires_at=NOW + timedelta(days=1),
)


def new(name: str = "line-1", username: str = "line-1", password: str | None = None) -> NewApplication:
    return NewApplication(name=name, username=username, password=password, grants=Grants())


def test_what_is_not_given_has_its_stated_meaning() -> None:
    _, deps = installation()
    values = register_application(ROOT_USER, new(), PASSWORDS, deps).record.values
    assert values["networks"] == []
    assert values["profile_ids"] == []
    assert values["labels"] == []
    assert values["subject_rule"] == ""
    assert values["expires_at"] is None
    assert values["group_id"] == 1
    assert values["enabled"] is True


def test_no_network_and_no_subject_rule_are_warned_about() -> None:
    _, deps = installation()
    assert register_application(ROOT_USER, new(), PASSWORDS, deps).warnings == (ANY_ADDRESS, ANY_NAME)


def test_grants_are_resolved_and_made_canonical() -> None:
    _, deps = installation()
    request = NewApplication(name="line-1", username="line-1", password=None, grants=ALL)
    saved = register_application(ROOT_USER, request, PASSWORDS, deps)
    assert saved.record.values["networks"] == ["10.0.0.0/8", "192.0.2.1/32"]
    assert saved.record.values["profile_ids"] == [2, 1]
    assert saved.record.values["labels"] == ["plant"]
    assert saved.record.values["group_id"] == 2
    assert saved.record.values["expires_at"] == NOW + timedelta(days=1)
    assert saved.warnings == ()


@pytest.mark.parametrize(("value", "group_id"), [("GRP_002", 2), ("2", 2), ("GRP_009", 1)])
def test_a_new_application_joins_the_group_of_the_property_if_there_is_one(value: str, group_id: int) -> None:
    records, deps = installation()
    columns = {"property_key": GROUP_PROPERTY, "property_value": value, "status": "Active"}
    records.create("property", columns)
    assert register_application(ROOT_USER, new(), PASSWORDS, deps).record.values["group_id"] == group_id


def test_a_generated_password_is_given_back_once_and_verifies() -> None:
    _, deps = installation()
    saved = register_application(ROOT_USER, new(), PASSWORDS, deps)
    assert saved.generated_password is not None
    assert PASSWORDS.verify(str(saved.record.values["password_hash"]), saved.generated_password)
    assert saved.generated_password not in repr(saved)


def test_a_password_that_was_brought_is_not_given_back() -> None:
    _, deps = installation()
    saved = register_application(ROOT_USER, new(password="brought along"), PASSWORDS, deps)
    assert saved.generated_password is None
    assert PASSWORDS.verify(str(saved.record.values["password_hash"]), "brought along")


@pytest.mark.parametrize(
    ("name", "username", "password"),
    [
        ("", "u", None),
        ("-x", "u", None),
        ("x ", "u", None),
        ("x" * 65, "u", None),
        ("a\nb", "u", None),
        ("n", "", None),
        ("n", "with:colon", None),
        ("n", " u", None),
        ("n", "u" * 129, None),
        ("n", "u\x00", None),
        ("n", "u", "short"),
        ("n", "u", "x" * 257),
        ("n", "u", "line\nbreak-in-it"),
    ],
)
def test_names_and_passwords_that_cannot_work_are_refused(
    name: str, username: str, password: str | None
) -> None:
    records, deps = installation()
    with pytest.raises(InvalidValue):
        register_application(ROOT_USER, new(name, username, password), PASSWORDS, deps)
    assert records.all("application") == ()


@pytest.mark.parametrize(
    ("grants", "problem", "text"),
    [
        (Grants(networks=("10.0.0.1/8",)), InvalidValue, "network"),
        (Grants(networks=("office",)), InvalidValue, "not an address"),
        (Grants(profiles=("tls-servr",)), NotFound, "did you mean 'tls-server'"),
        (Grants(profiles=("9" * 30,)), NotFound, "there is no profile"),
        (Grants(labels=("plnt",)), NotFound, "did you mean 'plant'"),
        (Grants(group="GRP_009"), NotFound, "there is no group"),
        (Grants(subject_rule="CN"), BadRequest, "CN"),
    ],
)
def test_a_grant_that_does_not_hold_is_refused(grants: Grants, problem: type[Exception], text: str) -> None:
    records, deps = installation()
    request = NewApplication(name="n", username="u", password=None, grants=grants)
    with pytest.raises(problem, match=text):
        register_application(ROOT_USER, request, PASSWORDS, deps)
    assert records.all("application") == ()


@pytest.mark.parametrize(("name", "username"), [("line-1", "other"), ("other", "line-1")])
def test_a_name_or_username_that_is_taken_is_refused(name: str, username: str) -> None:
    _, deps = installation()
    register_application(ROOT_USER, new(), PASSWORDS, deps)
    with pytest.raises(AlreadyExists):
        register_application(ROOT_USER, new(name, username), PASSWORDS, deps)


def test_an_administrator_of_another_group_registers_nothing_there() -> None:
    records, deps = installation()
    request = NewApplication(name="n", username="u", password=None, grants=Grants(group="GRP_002"))
    with pytest.raises(NotPermitted):
        register_application(ADMIN_1, request, PASSWORDS, deps)
    assert records.all("application") == ()


def test_a_change_touches_only_what_it_names() -> None:
    _, deps = installation()
    request = NewApplication(name="n", username="u", password=None, grants=ALL)
    before = register_application(ROOT_USER, request, PASSWORDS, deps).record.values
    saved = change_application(ROOT_USER, "n", Grants(networks=("192.0.2.0/24",)), deps)
    assert saved.record.values == {**before, "networks": ["192.0.2.0/24"]}
    assert saved.warnings == ()


def test_a_change_can_take_a_limit_away_and_warns_of_it() -> None:
    _, deps = installation()
    request = NewApplication(name="n", username="u", password=None, grants=ALL)
    register_application(ROOT_USER, request, PASSWORDS, deps)
    open_grants = Grants(networks=(), profiles=(), labels=(), subject_rule=" ", never_expires=True)
    saved = change_application(ROOT_USER, "n", open_grants, deps)
    assert saved.record.values["expires_at"] is None
    assert saved.record.values["labels"] == []
    assert saved.warnings == (ANY_ADDRESS, ANY_NAME)


def test_another_name_and_username_keep_the_password_and_are_told_under_both_names() -> None:
    records, deps = installation()
    before = register_application(ROOT_USER, new(), PASSWORDS, deps).record.values
    identity = Identity(name="line-2", username="line-2-user")
    saved = change_application(ROOT_USER, "line-1", Grants(), deps, identity=identity)
    assert saved.record.values == {**before, "name": "line-2", "username": "line-2-user"}
    assert [(row.kind, row.target) for row in records.audit][-2:] == [
        ("application.changed", "application:line-1"),
        ("application.renamed", "application:line-2"),
    ]


def test_a_name_that_another_application_had_is_not_taken_by_a_change() -> None:
    _, deps = installation()
    register_application(ROOT_USER, new(), PASSWORDS, deps)
    register_application(ROOT_USER, new(name="gone", username="gone"), PASSWORDS, deps)
    remove_application(ROOT_USER, "gone", deps)
    with pytest.raises(AlreadyExists, match="choose a name that none had"):
        change_application(ROOT_USER, "line-1", Grants(), deps, identity=Identity(name="gone"))
    with pytest.raises(InvalidValue, match="at least one thing"):
        change_application(ROOT_USER, "line-1", Grants(), deps, identity=Identity(name="line-1"))


def test_a_username_that_is_taken_is_not_given_by_a_change() -> None:
    _, deps = installation()
    register_application(ROOT_USER, new(), PASSWORDS, deps)
    register_application(ROOT_USER, new(name="other", username="other"), PASSWORDS, deps)
    with pytest.raises(AlreadyExists):
        change_application(ROOT_USER, "line-1", Grants(), deps, identity=Identity(username="other"))


def test_a_change_of_nothing_is_refused() -> None:
    _, deps = installation()
    register_application(ROOT_USER, new(), PASSWORDS, deps)
    with pytest.raises(InvalidValue, match="at least one thing"):
        change_application(ROOT_USER, "line-1", Grants(), deps)


def test_disabling_rotating_and_removing_are_changes_of_the_record() -> None:
    records, deps = installation()
    register_application(ROOT_USER, new(), PASSWORDS, deps)
    assert (
        set_application_enabled(ROOT_USER, "line-1", enabled=False, deps=deps).record.values["enabled"]
        is False
    )
    assert (
        set_application_enabled(ROOT_USER, "line-1", enabled=True, deps=deps).record.values["enabled"] is True
    )
    rotated = rotate_password(ROOT_USER, "line-1", None, PASSWORDS, deps)
    assert rotated.generated_password is not None
    assert PASSWORDS.verify(str(rotated.record.values["password_hash"]), rotated.generated_password)
    brought = rotate_password(ROOT_USER, "line-1", "brought along", PASSWORDS, deps)
    assert brought.generated_password is None
    remove_application(ROOT_USER, "line-1", deps)
    assert records.all("application") == ()
    assert kinds_of(records) == ["application.added", *["application.changed"] * 4, "application.removed"]


def test_an_application_that_is_not_there_is_named_with_the_nearest() -> None:
    _, deps = installation()
    register_application(ROOT_USER, new(), PASSWORDS, deps)
    with pytest.raises(NotFound, match="there is no application 'line-2'; did you mean 'line-1'"):
        remove_application(ROOT_USER, "line-2", deps)


def test_a_password_that_was_hashed_when_it_was_typed_is_kept_as_that_hash() -> None:
    _, deps = installation()
    typed = hash_typed_password("correct horse battery", PASSWORDS)
    request = NewApplication(name="line-1", username="line-1", password=typed, grants=Grants())
    saved = register_application(ROOT_USER, request, PASSWORDS, deps)
    assert saved.record.values["password_hash"] == typed.hash
    assert saved.generated_password is None
    assert PASSWORDS.verify(typed.hash, "correct horse battery")


def test_a_rotation_takes_a_password_that_was_hashed_when_it_was_typed() -> None:
    _, deps = installation()
    register_application(ROOT_USER, new(), PASSWORDS, deps)
    typed = hash_typed_password("correct horse battery", PASSWORDS)
    rotated = rotate_password(ROOT_USER, "line-1", typed, PASSWORDS, deps)
    assert rotated.record.values["password_hash"] == typed.hash
    assert rotated.generated_password is None


def test_a_typed_password_is_checked_before_it_is_hashed() -> None:
    with pytest.raises(InvalidValue, match="8 to 256"):
        hash_typed_password("short", PASSWORDS)


def test_a_hashed_password_is_an_argon2id_hash_and_does_not_show_it() -> None:
    with pytest.raises(InvalidValue):
        HashedPassword("correct horse battery")
    typed = hash_typed_password("correct horse battery", PASSWORDS)
    assert typed.hash not in repr(typed)
