"""Who uses a profile: labels, applications, and the endpoint without a label."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest

from certuary.portal.columns import numbers, texts
from certuary.portal.deps import deps_of
from certuary.portal.scope import visible_applications
from certuary.services.est_state import active_value
from certuary.services.ports import Record
from certuary.services.snapshot import GROUP_PROPERTY, PROFILE_PROPERTY


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileUse:
    labels: tuple[Record, ...]
    applications: tuple[Record, ...]
    """Those that the reader may see."""
    is_default: bool
    """The property selects it for the endpoint without a label."""


class ProfileUses:
    """For one page: reads each kind of record once."""

    def __init__(self, request: HttpRequest) -> None:
        records = deps_of(request).records
        self._labels = records.all("label")
        self._applications = visible_applications(request)
        self._selected = active_value(records, PROFILE_PROPERTY)
        group = active_value(records, GROUP_PROPERTY)
        self._group_ids = {
            record.id for record in records.all("group") if group in (record.values["code"], str(record.id))
        }

    def of(self, profile: Record) -> ProfileUse:
        is_default = self._selected in (profile.values["name"], str(profile.id))
        labels = tuple(label for label in self._labels if label.values["profile_id"] == profile.id)
        names = {label.values["name"] for label in labels}
        applications = tuple(
            application
            for application in self._applications
            if self._is_used_by(application, profile, names, is_default=is_default)
        )
        return ProfileUse(labels=labels, applications=applications, is_default=is_default)

    def _is_used_by(
        self, application: Record, profile: Record, labels: set[object], *, is_default: bool
    ) -> bool:
        """As `services.authorise.check_grant` reads what a missing grant means."""
        granted, own_labels = numbers(application.values["profile_ids"]), texts(application.values["labels"])
        if granted:
            return profile.id in granted
        if own_labels:
            return not labels.isdisjoint(own_labels)
        return is_default and application.values["group_id"] in self._group_ids
