from __future__ import annotations

import pytest

from certuary.errors import InvalidValue, NotFound, NotPermitted
from certuary.services.set_property import find_property, set_property, unset_property
from certuary.services.snapshot import CACERTS_AUTHENTICATION_PROPERTY, GROUP_PROPERTY, PROFILE_PROPERTY
from tests.unit.services.change_fixtures import ADMIN_1, OFFICER_1, detail_of, installation, kinds_of


def test_a_property_is_added_and_then_changed() -> None:
    records, deps = installation()
    set_property(ADMIN_1, PROFILE_PROPERTY, "tls-device", "Active", deps)
    saved = set_property(ADMIN_1, PROFILE_PROPERTY, "tls-server", "inactive", deps)
    assert saved.record.values == {
        "property_key": PROFILE_PROPERTY,
        "property_value": "tls-server",
        "status": "Inactive",
    }
    assert kinds_of(records) == ["property.added", "property.changed"]
    assert detail_of(records)["before"] == {"property_value": "tls-device", "status": "Active"}


@pytest.mark.parametrize(
    ("key", "value", "warning"),
    [
        (PROFILE_PROPERTY, "tls-device", ""),
        (PROFILE_PROPERTY, "1", ""),
        (PROFILE_PROPERTY, "tls-server", "does not say est_default = true"),
        (PROFILE_PROPERTY, "tls-devise", "did you mean 'tls-device'?; EST answers 503"),
        (GROUP_PROPERTY, "GRP_001", ""),
        (GROUP_PROPERTY, "2", ""),
        (GROUP_PROPERTY, "Plant", "EST answers 503"),
        (GROUP_PROPERTY, "GRP_004", "EST answers 503"),
        (CACERTS_AUTHENTICATION_PROPERTY, "required", ""),
        ("est.ca.server.group", "GRP_001", f"did you mean '{GROUP_PROPERTY}'"),
        ("something.else", "x", "reads no property 'something.else'"),
    ],
)
def test_a_value_that_will_not_work_is_taken_with_a_warning(key: str, value: str, warning: str) -> None:
    records, deps = installation()
    saved = set_property(ADMIN_1, key, value, "Active", deps)
    assert records.find("property", property_key=key) is not None
    assert bool(saved.warnings) is bool(warning)
    assert all(warning in text for text in saved.warnings)


@pytest.mark.parametrize(
    ("key", "value", "status"),
    [
        ("", "v", "Active"),
        ("k" * 101, "v", "Active"),
        ("a b", "v", "Active"),
        ("ä", "v", "Active"),
        ("k", "v\n", "Active"),
        ("k", "v" * 4097, "Active"),
        ("k", "v", "On"),
        (CACERTS_AUTHENTICATION_PROPERTY, "sometimes", "Active"),
    ],
)
def test_what_no_property_can_be_is_refused(key: str, value: str, status: str) -> None:
    records, deps = installation()
    with pytest.raises(InvalidValue):
        set_property(ADMIN_1, key, value, status, deps)
    assert records.all("property") == ()


def test_an_officer_sets_no_property() -> None:
    records, deps = installation()
    with pytest.raises(NotPermitted):
        set_property(OFFICER_1, PROFILE_PROPERTY, "tls-device", "Active", deps)
    assert records.all("property") == ()


def test_a_property_that_is_unset_is_gone_and_a_second_time_not_found() -> None:
    records, deps = installation()
    set_property(ADMIN_1, PROFILE_PROPERTY, "tls-device", "Active", deps)
    unset_property(ADMIN_1, PROFILE_PROPERTY, deps)
    assert records.all("property") == ()
    with pytest.raises(NotFound):
        unset_property(ADMIN_1, PROFILE_PROPERTY, deps)


def test_a_property_that_is_not_there_is_named_with_the_nearest() -> None:
    records, _ = installation()
    with pytest.raises(NotFound, match=f"did you mean '{PROFILE_PROPERTY}'"):
        find_property(records, "est.ca.server.user.profil")


def test_a_known_property_that_is_not_set_is_said_to_be_not_set() -> None:
    records, _ = installation()
    with pytest.raises(NotFound, match=f"the property '{GROUP_PROPERTY}' is not set"):
        find_property(records, GROUP_PROPERTY)


def test_a_profile_that_cannot_be_used_is_warned_about() -> None:
    records, deps = installation()
    records.update("profile", 1, {"toml": "nonsense"})
    saved = set_property(ADMIN_1, PROFILE_PROPERTY, "tls-device", "Active", deps)
    assert saved.warnings == ("profile 'tls-device' cannot be used; EST answers 503 until it can",)
