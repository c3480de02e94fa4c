"""Changes that wait for a second person, and those that were decided, for pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from certuary.services.ports import Record
from certuary.store import record_rows
from certuary.store.database import read
from certuary.store.models import Approval


def waiting_now(now: datetime, limit: int) -> tuple[Mapping[str, object], ...]:
    """What tells who may decide the newest that have not expired. Those that cannot be read are left out."""
    return read(lambda: _waiting_now(now, limit))


def list_approvals(*, waiting: bool, before: int | None, limit: int) -> tuple[Record, ...]:
    """The newest first, those with a number below `before`."""
    return read(lambda: _list(waiting, before, limit))


def approval_number(name: str) -> int | None:
    """Also of one that was decided."""
    numbers = Approval.objects.filter(name=name).values_list("id", flat=True)
    return read(numbers.first)


def _waiting_now(now: datetime, limit: int) -> tuple[Mapping[str, object], ...]:
    rows = Approval.objects.filter(removed_at__isnull=True, expires_at__gt=now).order_by("-id")
    found = rows.values("kind", "requester", "group_ids", "least_role")
    try:
        return tuple(found[:limit])
    except record_rows.UNREADABLE:
        numbers = list(rows.values_list("id", flat=True)[:limit])
    return tuple(row for number in numbers for row in _readable(found.filter(id=number)))


def _readable(rows: Iterable[Mapping[str, object]]) -> list[Mapping[str, object]]:
    try:
        return list(rows)
    except record_rows.UNREADABLE:
        return []


def _list(waiting: bool, before: int | None, limit: int) -> tuple[Record, ...]:  # named above
    rows = Approval.objects.filter(removed_at__isnull=waiting)
    if before is not None:
        rows = rows.filter(id__lt=before)
    numbers: Sequence[int] = list(rows.order_by("-id").values_list("id", flat=True)[:limit])
    found = {
        record.id: record
        for record in record_rows.select("approval", id__in=numbers, removed_at__isnull=waiting)
    }
    return tuple(found[number] for number in numbers if number in found)
