"""Names of what rows point at by number, each looked up once for a page."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest

from certuary.portal.deps import deps_of
from certuary.store.database import read
from certuary.store.models import ProfileVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileName:
    profile_id: int
    name: str
    number: int

    def __str__(self) -> str:
        return f"{self.name} v{self.number}"


class Names:
    def __init__(self, request: HttpRequest) -> None:
        self._records = deps_of(request).records
        self._applications: dict[int, str] = {}
        self._profiles: dict[int, ProfileName | None] = {}
        self.authorities = {
            record.id: str(record.values["name"]) for record in self._records.all("authority")
        }

    def application(self, application_id: int | None) -> str:
        if application_id is None:
            return ""
        if application_id not in self._applications:
            record = self._records.find_ever("application", application_id)
            self._applications[application_id] = "" if record is None else str(record.values["name"])
        return self._applications[application_id]

    def profile(self, version_id: int | None) -> ProfileName | None:
        if version_id is None:
            return None
        if version_id not in self._profiles:
            self._profiles[version_id] = read(lambda: _profile(version_id))
        return self._profiles[version_id]


def _profile(version_id: int) -> ProfileName | None:
    row = ProfileVersion.objects.select_related("profile").filter(id=version_id).first()
    if row is None:
        return None
    return ProfileName(profile_id=row.profile.pk, name=row.profile.name, number=row.number)
