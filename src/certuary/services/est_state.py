"""Is EST enabled? The answer for people who look at the properties, from the records alone.

It says what a worker's snapshot will say, but for whether a worker can open the authority's key: `/readyz` knows that.
"""

from __future__ import annotations

from certuary.core.profile import Profile
from certuary.errors import InvalidProfile, InvalidSeal, NotFound
from certuary.services.find_record import find_group_of_property, find_profile
from certuary.services.ports import Record, RecordStore
from certuary.services.snapshot import GROUP_PROPERTY, PROFILE_PROPERTY, is_active


def why_est_is_disabled(records: RecordStore) -> str | None:
    """The sentence that names what is missing; None while EST is enabled. `records` are those to be believed."""
    for key in (PROFILE_PROPERTY, GROUP_PROPERTY):
        value = active_value(records, key)
        if value is None:
            return f"property {key} is missing or not Active"
        try:
            _check(records, key, value)
        except NotFound:
            return f"property {key} names {value!r}, which does not exist"
        except (InvalidProfile, InvalidSeal) as problem:
            return f"property {key} names {value!r}, which cannot be used: {problem.detail}"
    return None


def active_value(records: RecordStore, key: str) -> str | None:
    """What the property says; None when it is missing, empty or not Active."""
    row = records.find("property", property_key=key)
    if row is None or not is_active(row.values["status"]):
        return None
    return str(row.values["property_value"]).strip() or None


def _check(records: RecordStore, key: str, value: str) -> None:
    if key == GROUP_PROPERTY:
        find_group_of_property(records, value)
    elif not _profile(find_profile(records, value)).est_default:
        raise InvalidProfile("it does not say est_default = true")


def _profile(record: Record) -> Profile:
    return Profile.from_toml(str(record.values["toml"]))
