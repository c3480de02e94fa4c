"""Read audit events: pages for people, newest first, and all of them in the order they were written.

Pages go by the last row's number and never by OFFSET.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from certuary.services.ports import AuditRow
from certuary.store.database import read
from certuary.store.models import AuditEvent

MAX_PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which events: all that is given must hold. `kind` is a whole kind, or its beginning up to a dot."""

    kind: str | None = None
    actor: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberedEvent:
    """`number` rises with each event; a gap is a transaction that was undone."""

    number: int
    event: AuditRow


EVERY_EVENT = AuditFilter()


def list_events(
    wanted: AuditFilter = EVERY_EVENT, *, before: int | None = None, limit: int = 100
) -> tuple[NumberedEvent, ...]:
    """One page, newest first; `before` is the last number of the previous one."""
    limit = max(1, min(limit, MAX_PAGE))
    rows = _matching(wanted)
    if before is not None:
        rows = rows.filter(id__lt=before)
    return read(lambda: tuple(_numbered(row) for row in rows.order_by("-id")[:limit]))


def all_events(wanted: AuditFilter = EVERY_EVENT, *, after: int = 0) -> Iterator[NumberedEvent]:
    """Oldest first, read in pages, so that millions need little memory."""
    while page := _page_after(wanted, after):
        yield from page
        after = page[-1].number


def _page_after(wanted: AuditFilter, after: int) -> tuple[NumberedEvent, ...]:
    rows = _matching(wanted).filter(id__gt=after).order_by("id")
    return read(lambda: tuple(_numbered(row) for row in rows[:MAX_PAGE]))


def _matching(wanted: AuditFilter):  # type: ignore[no-untyped-def]  # Django's own generic, inferred
    rows = AuditEvent.objects.all()
    if wanted.kind is not None:
        rows = rows.filter(kind__startswith=f"{wanted.kind}.") | rows.filter(kind=wanted.kind)
    if wanted.actor is not None:
        rows = rows.filter(actor=wanted.actor)
    if wanted.request_id is not None:
        rows = rows.filter(request_id=wanted.request_id)
    return rows


def _numbered(row: AuditEvent) -> NumberedEvent:
    event = AuditRow(
        at=row.at,
        kind=row.kind,
        actor_kind=row.actor_kind,
        actor=row.actor,
        target=row.target,
        request_id=row.request_id,
        address=row.address,
        detail=row.detail,
    )
    return NumberedEvent(number=row.pk, event=event)
