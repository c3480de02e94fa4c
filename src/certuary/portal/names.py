"""Names of what certificates point at by number, each kind looked up once for a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from certuary.services.ports import CertificateRow
from certuary.store.database import read
from certuary.store.models import Application, ProfileVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileName:
    profile_id: int
    name: str
    number: int

    def __str__(self) -> str:
        return f"{self.name} v{self.number}"


class Names:
    def __init__(self, rows: Sequence[CertificateRow]) -> None:
        self._applications = application_names(row.application_id for row in rows)
        self._profiles = _profile_names(row.profile_version_id for row in rows)

    def application(self, row: CertificateRow) -> str:
        """ "" for a certificate of nobody's."""
        return self._applications.get(row.application_id or 0, "")

    def profile(self, row: CertificateRow) -> ProfileName | None:
        return self._profiles.get(row.profile_version_id or 0)


def application_names(numbers: Iterable[int | None]) -> dict[int, str]:
    """Also of those that were removed."""
    rows = Application.objects.filter(id__in={number for number in numbers if number is not None})
    return {number: str(name) for number, name in read(lambda: list(rows.values_list("id", "name")))}


def _profile_names(numbers: Iterable[int | None]) -> dict[int, ProfileName]:
    wanted = {number for number in numbers if number is not None}
    rows = ProfileVersion.objects.filter(id__in=wanted).select_related("profile")
    return {
        row.pk: ProfileName(profile_id=row.profile.pk, name=str(row.profile.name), number=row.number)
        for row in read(lambda: list(rows))
    }
