"""Audit events for people, newest first, within what the reader may see, at a cost that their number does not raise.

Only the request has an index of its own. Times are found by number (`events_by_time`), and the rest is looked for among
a bounded number of events; a page that used them up says so, and the next one goes on there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Exists, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Concat, Substr

from certuary.services.ports import StoredEvent
from certuary.store.audit import stored_event
from certuary.store.database import read
from certuary.store.events_by_time import SLACK, first_number_at
from certuary.store.models import Application, AuditEvent, Certificate

LOOKED_AT: Final = 2_000
_EXPORTED: Final = 1000
_TARGET_LENGTH: Final = 128
SLACK_OF_NAMES: Final = timedelta(seconds=5)
"""An event is written a moment after its row; a node serves an application for two seconds after its removal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What a user of some groups sees: what they did, and what happened to those groups' applications."""

    user: str
    application_names: tuple[str, ...]
    application_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSearch:
    """All that is given must hold. `kind` is a whole kind, or its beginning up to a dot; no `reach` is everything."""

    kind: str = ""
    actor: str = ""
    target: str = ""
    request_id: str = ""
    since: datetime | None = None
    until: datetime | None = None
    reach: Reach | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage:
    """`older` and `newer` are numbers for `before` and `after`. `stopped`: rows remain that were not looked at."""

    events: tuple[StoredEvent, ...]
    older: int | None = None
    newer: int | None = None
    stopped: bool = False


def search_events(
    wanted: AuditSearch, *, before: int | None = None, after: int | None = None, limit: int = 50
) -> AuditPage:
    """One page of the events before, or after, the one with that number."""
    rows = _in_time(wanted)
    forwards = after is not None
    if before is not None:
        rows = rows.filter(id__lt=before)
    if after is not None:
        rows = rows.filter(id__gt=after)
    order = "id" if forwards else "-id"
    stop = _stop(rows, order) if _is_residual(wanted) else None
    if stop is not None:
        rows = rows.filter(id__lte=stop) if forwards else rows.filter(id__gte=stop)
    found = read(lambda: list(_matching(rows, wanted).order_by(order)[: limit + 1]))
    return _page(found, stop, cursor=after if forwards else before, forwards=forwards, limit=limit)


def find_event(number: int, reach: Reach | None) -> StoredEvent | None:
    rows = _within(AuditEvent.objects.filter(id=number), reach)
    row = read(rows.first)
    return None if row is None else stored_event(row)


def all_found(wanted: AuditSearch) -> Iterator[tuple[StoredEvent, ...]]:
    """Everything that is found, newest first, in parts, so that millions need little memory."""
    before: int | None = None
    while True:
        page = search_events(wanted, before=before, limit=_EXPORTED)
        yield page.events
        if page.older is None:
            return
        before = page.older


def _in_time(wanted: AuditSearch) -> QuerySet[AuditEvent]:
    rows = AuditEvent.objects.all()
    if wanted.request_id:
        return rows.filter(request_id=wanted.request_id)
    if wanted.since is not None:
        rows = rows.filter(id__gte=first_number_at(AuditEvent.objects.all(), wanted.since - SLACK))
    if wanted.until is not None:
        rows = rows.filter(id__lte=first_number_at(AuditEvent.objects.all(), wanted.until + SLACK))
    return rows


def _is_residual(wanted: AuditSearch) -> bool:
    return not wanted.request_id and wanted != AuditSearch(request_id=wanted.request_id)


def _stop(rows: QuerySet[AuditEvent], order: str) -> int | None:
    numbers = rows.order_by(order).values_list("id", flat=True)[LOOKED_AT - 1 : LOOKED_AT]
    return next(iter(read(lambda: list(numbers))), None)


def _matching(rows: QuerySet[AuditEvent], wanted: AuditSearch) -> QuerySet[AuditEvent]:
    if wanted.kind:
        rows = rows.filter(Q(kind=wanted.kind) | Q(kind__startswith=f"{wanted.kind}."))
    if wanted.actor:
        rows = rows.filter(actor=wanted.actor)
    if wanted.target:
        rows = rows.filter(target__contains=wanted.target)
    if wanted.since is not None:
        rows = rows.filter(at__gte=wanted.since)
    if wanted.until is not None:
        rows = rows.filter(at__lt=wanted.until)
    return _within(rows, wanted.reach)


def _within(rows: QuerySet[AuditEvent], reach: Reach | None) -> QuerySet[AuditEvent]:
    """A name can be given again once its application is removed: events count to whoever had it at their time.

    That is asked of those few events alone whose name is among the reach's.
    """
    if reach is None:
        return rows
    targets = [f"application:{name}"[:_TARGET_LENGTH] for name in reach.application_names]
    own = Application.objects.filter(id__in=reach.application_ids)
    had_it = own.filter(created_at__lte=OuterRef("at") + SLACK_OF_NAMES).filter(
        Q(removed_at__isnull=True) | Q(removed_at__gte=OuterRef("at") - SLACK_OF_NAMES)
    )
    named = had_it.annotate(target=Substr(Concat(Value("application:"), "name"), 1, _TARGET_LENGTH))
    certificates = Certificate.objects.filter(
        serial=OuterRef("target"), application_id__in=reach.application_ids
    )
    return rows.filter(
        Q(actor_kind="user", actor=reach.user)
        | Q(target=f"user:{reach.user}"[:_TARGET_LENGTH])
        | (
            Q(actor_kind="application", actor__in=reach.application_names)
            & Exists(had_it.filter(name=OuterRef("actor")))
        )
        | (Q(target__in=targets) & Exists(named.filter(target=OuterRef("target"))))
        | (Q(kind="certificate.revoked") & Exists(certificates))
    )


def _page(
    found: list[AuditEvent], stop: int | None, *, cursor: int | None, forwards: bool, limit: int
) -> AuditPage:
    is_full = len(found) > limit
    rows = found[:limit]
    stopped = stop is not None and not is_full
    onward = stop if stopped else (rows[-1].pk if is_full else None)
    back = rows[0].pk if rows else cursor
    if forwards:
        events = tuple(stored_event(row) for row in reversed(rows))
        return AuditPage(events=events, newer=onward, older=back, stopped=stopped)
    events = tuple(stored_event(row) for row in rows)
    return AuditPage(events=events, older=onward, newer=None if cursor is None else back, stopped=stopped)
