"""Read what a profile said at each of its versions."""

from __future__ import annotations

from certuary.services.ports import ProfileVersionRow
from certuary.store.database import read
from certuary.store.marked_rows import profile_version
from certuary.store.models import ProfileVersion


def list_versions(
    profile_id: int, *, before: int | None = None, limit: int | None = None
) -> tuple[ProfileVersionRow, ...]:
    """Newest first. As the database has them: a mark may not hold."""
    found = ProfileVersion.objects.filter(profile_id=profile_id).order_by("-number")
    rows = (found if before is None else found.filter(number__lt=before))[:limit]
    return read(lambda: tuple(profile_version(version) for version in rows))


def find_version(profile_id: int, number: int) -> ProfileVersionRow | None:
    rows = ProfileVersion.objects.filter(profile_id=profile_id, number=number)
    return read(lambda: next((profile_version(version) for version in rows), None))
