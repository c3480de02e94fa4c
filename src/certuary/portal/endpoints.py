"""At which EST addresses an application may enrol, and under which profile: what its grants come to, from the records
alone, as `services.authorise.check_grant` reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from certuary.errors import NotFound
from certuary.portal.columns import numbers, texts
from certuary.services.est_state import active_value
from certuary.services.find_record import find_group_of_property, find_profile
from certuary.services.ports import Record, RecordStore
from certuary.services.snapshot import GROUP_PROPERTY, PROFILE_PROPERTY


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """`label` is empty for the address without one."""

    label: str
    profile: Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    default_profile: Record | None
    default_group: Record | None
    labels: Mapping[str, Record]
    """The profile of each."""

    @classmethod
    def read(cls, records: RecordStore) -> Endpoints:
        profiles = {profile.id: profile for profile in records.all("profile")}
        selected = ((str(one.values["name"]), profiles.get(_key(one))) for one in records.all("label"))
        return cls(
            default_profile=_default(records, PROFILE_PROPERTY),
            default_group=_default(records, GROUP_PROPERTY),
            labels={name: profile for name, profile in selected if profile is not None},
        )

    def of(self, application: Mapping[str, object]) -> tuple[Endpoint, ...]:
        """Its labels first; none when it can enrol nowhere."""
        granted, own_labels = numbers(application["profile_ids"]), texts(application["labels"])
        found = [
            Endpoint(label=label, profile=self.labels[label]) for label in own_labels if label in self.labels
        ]
        if (
            self._is_of_the_default_group(application)
            and self.default_profile
            and (granted or not own_labels)
        ):
            found.append(Endpoint(label="", profile=self.default_profile))
        return tuple(endpoint for endpoint in found if not granted or endpoint.profile.id in granted)

    def _is_of_the_default_group(self, application: Mapping[str, object]) -> bool:
        return self.default_group is not None and self.default_group.id == application["group_id"]


def _default(records: RecordStore, key: str) -> Record | None:
    value = active_value(records, key)
    try:
        if value is None:
            return None
        return (find_profile if key == PROFILE_PROPERTY else find_group_of_property)(records, value)
    except NotFound:
        return None


def _key(label: Record) -> int | str:
    number = label.values["profile_id"]
    return number if isinstance(number, int | str) else ""
