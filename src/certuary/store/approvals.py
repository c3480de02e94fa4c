"""Changes that wait for a second person, and those that were decided, for pages."""

from __future__ import annotations

from collections.abc import Sequence

from certuary.services.ports import Record
from certuary.store import record_rows
from certuary.store.database import read
from certuary.store.models import Approval


def waiting_approvals(limit: int) -> tuple[Record, ...]:
    """The newest."""
    return list_approvals(waiting=True, before=None, limit=limit)


def list_approvals(*, waiting: bool, before: int | None, limit: int) -> tuple[Record, ...]:
    """The newest first, those with a number below `before`."""
    return read(lambda: _list(waiting, before, limit))


def approval_number(name: str) -> int | None:
    """Also of one that was decided."""
    numbers = Approval.objects.filter(name=name).values_list("id", flat=True)
    return read(numbers.first)


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
