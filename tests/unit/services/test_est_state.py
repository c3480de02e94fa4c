"""Whether EST is enabled, as the properties page says it."""

from __future__ import annotations

import pytest

from certuary.services.est_state import why_est_is_disabled
from certuary.services.snapshot import GROUP_PROPERTY, PROFILE_PROPERTY
from tests.unit.services.change_fixtures import installation


@pytest.mark.parametrize(
    ("profile", "group", "status", "sentence"),
    [
        ("tls-device", "GRP_001", "Active", None),
        (" 1 ", "2", " active ", None),
        ("tls-device", "GRP_001", "Inactive", f"property {PROFILE_PROPERTY} is missing or not Active"),
        ("tls-device", "", "Active", f"property {GROUP_PROPERTY} is missing or not Active"),
        ("none", "GRP_001", "Active", f"property {PROFILE_PROPERTY} names 'none', which does not exist"),
        ("tls-device", "Plant", "Active", f"property {GROUP_PROPERTY} names 'Plant', which does not exist"),
    ],
)
def test_it_is_enabled_or_the_sentence_names_the_key(
    profile: str, group: str, status: str, sentence: str | None
) -> None:
    records, _ = installation()
    for key, value in ((PROFILE_PROPERTY, profile), (GROUP_PROPERTY, group)):
        records.create("property", {"property_key": key, "property_value": value, "status": status})
    assert why_est_is_disabled(records) == sentence


def test_a_profile_that_is_no_default_one_is_named() -> None:
    records, _ = installation()
    for key, value in ((PROFILE_PROPERTY, "tls-server"), (GROUP_PROPERTY, "GRP_001")):
        records.create("property", {"property_key": key, "property_value": value, "status": "Active"})
    assert "est_default" in str(why_est_is_disabled(records))
