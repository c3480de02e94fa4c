"""Read audit events: pages for people, newest first; all of them as they were written, or stream by stream.

Pages go by the last row's number and never by OFFSET.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from certuary.services.ports import AuditRow, StoredEvent
from certuary.store.database import database_errors, read
from certuary.store.models import AuditEvent, AuditStream
from certuary.store.plain import moment, octets

MAX_PAGE = 1000
NOT_OF_APPLICATIONS = "NOT (audit_events.actor_kind = 'application')"
"""In words of its own: SQLite takes a partial index only where its condition stands in the statement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which events: all that is given must hold. `kind` is a whole kind, or its beginning up to a dot."""

    kind: str | None = None
    actor: str | None = None
    request_id: str | None = None


EVERY_EVENT = AuditFilter()


def list_events(
    wanted: AuditFilter = EVERY_EVENT, *, before: int | None = None, limit: int = 100
) -> tuple[StoredEvent, ...]:
    """One page, newest first; `before` is the last number of the previous one."""
    limit = max(1, min(limit, MAX_PAGE))
    rows = _matching(wanted)
    if before is not None:
        rows = rows.filter(id__lt=before)
    return read(lambda: tuple(stored_event(row) for row in rows.order_by("-id")[:limit]))


def all_events(wanted: AuditFilter = EVERY_EVENT, *, after: int = 0) -> Iterator[StoredEvent]:
    """Oldest first, read in pages, so that millions need little memory."""
    while page := _page_after(wanted, after):
        yield from page
        after = page[-1].number


def events_about(
    targets: Sequence[str], *, before: int | None = None, since: datetime | None = None, limit: int = 20
) -> tuple[StoredEvent, ...]:
    """What was done to records, such as "application:line-1", newest first; what applications did is not in it.

    `since` leaves out what was done to a record that had the name before.
    """
    rows = AuditEvent.objects.filter(target__in=targets).extra(where=[NOT_OF_APPLICATIONS])  # noqa: S610  # a constant
    if before is not None:
        rows = rows.filter(id__lt=before)
    if since is not None:
        rows = rows.filter(at__gte=since)
    return read(
        lambda: tuple(stored_event(row) for row in rows.order_by("-id")[: max(1, min(limit, MAX_PAGE))])
    )


def events_by_stream() -> Iterator[StoredEvent]:
    """Every event, stream by stream in the order of `seq`. Streamed; within `consistent_read`."""
    with database_errors():
        for row in AuditEvent.objects.order_by("stream", "seq", "id").iterator(chunk_size=MAX_PAGE):
            yield stored_event(row)


def stream_processes() -> Mapping[str, str]:
    """Who wrote each stream, as "est-0 on 3f2a..."."""
    with database_errors():
        return {row.stream: f"{row.process} on {row.node}" for row in AuditStream.objects.iterator()}


def _page_after(wanted: AuditFilter, after: int) -> tuple[StoredEvent, ...]:
    rows = _matching(wanted).filter(id__gt=after).order_by("id")
    return read(lambda: tuple(stored_event(row) for row in rows[:MAX_PAGE]))


def _matching(wanted: AuditFilter):  # type: ignore[no-untyped-def]  # Django's own generic, inferred
    rows = AuditEvent.objects.all()
    if wanted.kind is not None:
        rows = rows.filter(kind__startswith=f"{wanted.kind}.") | rows.filter(kind=wanted.kind)
    if wanted.actor is not None:
        rows = rows.filter(actor=wanted.actor)
    if wanted.request_id is not None:
        rows = rows.filter(request_id=wanted.request_id)
    return rows


def stored_event(row: AuditEvent) -> StoredEvent:
    event = AuditRow(
        at=moment(row.at),
        kind=str(row.kind),
        actor_kind=str(row.actor_kind),
        actor=str(row.actor),
        target=str(row.target),
        request_id=str(row.request_id),
        address=str(row.address),
        detail=str(row.detail),
    )
    return StoredEvent(
        number=row.pk,
        stream=str(row.stream),
        seq=row.seq if isinstance(row.seq, int) else None,
        previous=octets(row.previous),
        hash=octets(row.hash),
        event=event,
    )
