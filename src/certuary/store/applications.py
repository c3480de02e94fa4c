"""Look applications up in pages for people, by name: the last page costs what the first one does."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery

from certuary.services.ports import ORDER_OPERATION, Record
from certuary.store import record_rows
from certuary.store.database import read
from certuary.store.models import Application, Enrolment

MAX_PAGE = 1000
ENABLED, DISABLED, EXPIRED = "enabled", "disabled", "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationFilter:
    """Which applications: all that is given must hold. `text` is looked for in names and usernames, in any case."""

    text: str = ""
    group_ids: Collection[int] | None = None
    status: str = ""
    names: Collection[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationPage:
    """In the order of their names. `has_earlier` and `has_later` say whether there are more on either side."""

    records: tuple[Record, ...]
    has_earlier: bool
    has_later: bool


def list_applications(
    wanted: ApplicationFilter, now: datetime, *, after: str = "", before: str = "", limit: int = 50
) -> ApplicationPage:
    """The page after a name, or the one before it. Blocking; `DatabaseDown` when it cannot be had."""
    limit = max(1, min(limit, MAX_PAGE))
    rows = _matching(wanted, now)
    if before:
        found = _numbers(rows.filter(name__lt=before).order_by("-name"), limit)
        return _page(found[:limit], has_earlier=len(found) > limit, has_later=True)
    if after:
        rows = rows.filter(name__gt=after)
    found = _numbers(rows.order_by("name"), limit)
    return _page(found[:limit], has_earlier=bool(after), has_later=len(found) > limit)


def last_used(application_ids: Collection[int]) -> Mapping[int, datetime]:
    """When each last asked for a certificate and was known; an application that never did is not in it."""
    # By a range and not by the number itself: for that, PostgreSQL walks back through everybody's requests, and one
    # that asked long ago costs them all.
    own = Enrolment.objects.filter(application_id__lte=OuterRef("pk")).exclude(operation=ORDER_OPERATION)
    newest = own.order_by("-application_id", "-id")
    rows = Application.objects.filter(pk__in=application_ids).annotate(
        whose=Subquery(newest.values("application_id")[:1]), last=Subquery(newest.values("at")[:1])
    )
    found = read(lambda: list(rows.values_list("pk", "whose", "last")))
    return {number: at for number, whose, at in found if whose == number and at is not None}


def _matching(wanted: ApplicationFilter, now: datetime) -> QuerySet[Application]:
    rows = Application.objects.filter(removed_at__isnull=True)
    if wanted.text:
        rows = rows.filter(Q(name__icontains=wanted.text) | Q(username__icontains=wanted.text))
    if wanted.group_ids is not None:
        rows = rows.filter(group_id__in=wanted.group_ids)
    if wanted.names is not None:
        rows = rows.filter(name__in=wanted.names)
    expired = Q(expires_at__isnull=False, expires_at__lte=now)
    if wanted.status == DISABLED:
        return rows.filter(enabled=False)
    if wanted.status == EXPIRED:
        return rows.filter(expired, enabled=True)
    return rows.filter(~expired, enabled=True) if wanted.status == ENABLED else rows


def _numbers(rows: QuerySet[Application], limit: int) -> list[int]:
    return read(lambda: list(rows.values_list("pk", flat=True)[: limit + 1]))


def _page(numbers: list[int], **more: bool) -> ApplicationPage:
    wanted: dict[str, Any] = {"id__in": numbers}
    return ApplicationPage(records=tuple(read(lambda: record_rows.select("application", **wanted))), **more)
