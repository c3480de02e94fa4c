from __future__ import annotations

import pytest

from certuary.errors import AlreadyExists, InvalidValue, NotFound, NotPermitted
from certuary.services.manage_group import add_group, add_label, remove_label, rename_group
from tests.unit.services.change_fixtures import ADMIN_1, ROOT_USER, installation


def test_a_new_group_gets_the_next_free_code() -> None:
    records, deps = installation()
    assert add_group(ROOT_USER, "Third", deps).values["code"] == "GRP_003"
    records.create("group", {"code": "GRP_1041", "name": "Far"})
    assert add_group(ROOT_USER, "Next", deps).values["code"] == "GRP_1042"


def test_a_code_of_another_form_does_not_disturb_the_count() -> None:
    records, deps = installation()
    records.create("group", {"code": "LEGACY", "name": "Old"})
    assert add_group(ROOT_USER, "Third", deps).values["code"] == "GRP_003"


def test_a_group_name_that_is_taken_is_refused() -> None:
    _, deps = installation()
    with pytest.raises(AlreadyExists):
        add_group(ROOT_USER, "Plant", deps)


def test_an_administrator_adds_no_group() -> None:
    _, deps = installation()
    with pytest.raises(NotPermitted):
        add_group(ADMIN_1, "Third", deps)


def test_a_label_selects_a_profile_by_name_or_number() -> None:
    _, deps = installation()
    assert add_label(ADMIN_1, "dev", "tls-device", deps).values["profile_id"] == 1
    assert add_label(ADMIN_1, "srv", "2", deps).values["profile_id"] == 2


@pytest.mark.parametrize("name", ["simpleenroll", "cacerts", "a/b", "", "crls"])
def test_a_label_that_would_be_an_operation_is_refused(name: str) -> None:
    _, deps = installation()
    with pytest.raises(InvalidValue):
        add_label(ROOT_USER, name, "tls-device", deps)


def test_a_label_of_an_unknown_profile_is_refused() -> None:
    _, deps = installation()
    with pytest.raises(NotFound):
        add_label(ROOT_USER, "dev", "nothing", deps)


def test_a_removed_label_is_gone() -> None:
    records, deps = installation()
    remove_label(ADMIN_1, "plant", deps)
    assert records.find("label", name="plant") is None
    with pytest.raises(NotFound):
        remove_label(ADMIN_1, "plant", deps)


def test_a_group_gets_another_name_and_keeps_its_code() -> None:
    _, deps = installation()
    assert rename_group(ROOT_USER, "GRP_002", "North", deps).values == {"code": "GRP_002", "name": "North"}


def test_a_group_is_renamed_by_an_administrator_of_its_own() -> None:
    _, deps = installation()
    rename_group(ADMIN_1, "GRP_001", "Ours", deps)
    with pytest.raises(NotPermitted):
        rename_group(ADMIN_1, "GRP_002", "Theirs", deps)


def test_a_group_takes_no_name_of_another() -> None:
    _, deps = installation()
    with pytest.raises(AlreadyExists):
        rename_group(ROOT_USER, "GRP_001", "Plant", deps)
    with pytest.raises(InvalidValue):
        rename_group(ROOT_USER, "GRP_001", "<b>", deps)
