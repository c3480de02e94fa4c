"""Set and remove rows of `api_properties`.

The table may also be edited by plain SQL, so nothing here guarantees what it holds; this says at once what would
otherwise be seen as a 503.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from certuary.core.profile import Profile
from certuary.errors import InvalidProfile, InvalidValue, NotFound
from certuary.services.change_deps import ChangeDeps
from certuary.services.change_record import change_records
from certuary.services.entitlement import Actor
from certuary.services.find_record import find_group_of_property, find_profile, nearest
from certuary.services.ports import Record, RecordStore
from certuary.services.snapshot import CACERTS_AUTHENTICATION_PROPERTY, GROUP_PROPERTY, PROFILE_PROPERTY

ACTIVE: Final = "Active"
INACTIVE: Final = "Inactive"
KNOWN: Final = (PROFILE_PROPERTY, GROUP_PROPERTY, CACERTS_AUTHENTICATION_PROPERTY)
CACERTS_AUTHENTICATION_VALUES: Final = ("default", "required", "none")
_LONGEST_KEY: Final = 100
_LONGEST_VALUE: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class PropertySaved:
    record: Record
    warnings: tuple[str, ...]


def set_property(actor: Actor, key: str, value: str, status: str, deps: ChangeDeps) -> PropertySaved:
    """Add the row or change it. A value that will not work yet is taken, with a warning."""
    columns = {"property_value": checked_property_value(key, value), "status": parse_status(status)}
    with change_records(actor, deps) as changes:
        current = changes.find("property", property_key=checked_property_key(key))
        if current is None:
            record = changes.create("property", {"property_key": key, **columns})
        else:
            record = changes.update(current, columns)
    return PropertySaved(record=record, warnings=warnings_about_property(key, value, deps.records))


def unset_property(actor: Actor, key: str, deps: ChangeDeps) -> None:
    property_row = find_property(deps.records, key)
    with change_records(actor, deps) as changes:
        changes.retire(property_row)


def find_property(records: RecordStore, key: str) -> Record:
    found = records.find("property", property_key=key)
    if found is None and key in KNOWN:
        raise NotFound(f"the property {key!r} is not set")
    if found is None:
        known = [*KNOWN, *(str(record.id) for record in records.all("property"))]
        raise NotFound(f"there is no property {key!r}{nearest(key, known)}")
    return found


def parse_status(text: str) -> str:
    for status in (ACTIVE, INACTIVE):
        if text.casefold() == status.casefold():
            return status
    raise InvalidValue(f"a property's status is {ACTIVE} or {INACTIVE}, not {text!r}", rule="property-status")


def checked_property_key(key: str) -> str:
    if not 0 < len(key) <= _LONGEST_KEY or not key.isascii() or not key.isprintable() or " " in key:
        raise InvalidValue(
            f"a property's key is up to {_LONGEST_KEY} ASCII characters without blanks", rule="property-key"
        )
    return key


def checked_property_value(key: str, value: str) -> str:
    if len(value) > _LONGEST_VALUE or not value.isprintable():
        raise InvalidValue(
            f"a property's value is up to {_LONGEST_VALUE} printable characters", rule="property-value"
        )
    if key == CACERTS_AUTHENTICATION_PROPERTY and value not in CACERTS_AUTHENTICATION_VALUES:
        raise InvalidValue(
            f"{key} is one of {', '.join(CACERTS_AUTHENTICATION_VALUES)}, not {value!r}",
            rule="property-value",
        )
    return value


def warnings_about_property(key: str, value: str, records: RecordStore) -> tuple[str, ...]:
    """Why the server would not be able to use the value, were it saved."""
    try:
        if key == PROFILE_PROPERTY:
            return _warnings_about_profile(find_profile(records, value))
        if key == GROUP_PROPERTY:
            find_group_of_property(records, value)
    except NotFound as problem:
        return (f"{problem.detail}; EST answers 503 until there is",)
    if key not in KNOWN:
        return (f"Certuary reads no property {key!r}{nearest(key, KNOWN)}",)
    return ()


def _warnings_about_profile(profile: Record) -> tuple[str, ...]:
    try:
        if Profile.from_toml(str(profile.values["toml"])).est_default:
            return ()
    except InvalidProfile:
        return (f"profile {profile.values['name']!r} cannot be used; EST answers 503 until it can",)
    return (
        f"profile {profile.values['name']!r} does not say est_default = true; EST answers 503 until it does",
    )
