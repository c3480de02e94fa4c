"""What the dashboard shows, from counts that `store.counts` keeps: no query here grows with the certificates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import QuerySet, Sum

from certuary.store.counts import ISSUED, POSITION_ID, REFUSED
from certuary.store.database import read
from certuary.store.models import CountingPosition, Crl, DailyCount, ExpiryCount, Profile
from certuary.store.plain import moment, number


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCount:
    """`what` is a profile's number or a refusal's rule."""

    day: date
    what: int | str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CountingState:
    """`is_complete` once everything that was there has been counted; `counted_at` None before the first look."""

    is_complete: bool
    counted_at: datetime | None


def counting_state() -> CountingState:
    found = read(lambda: CountingPosition.objects.filter(id=POSITION_ID).first())
    if found is None:
        return CountingState(is_complete=False, counted_at=None)
    return CountingState(is_complete=found.is_complete, counted_at=found.counted_at)


def issued_by_day(since: date, group_ids: Sequence[int] | None) -> tuple[DayCount, ...]:
    """By day and profile. `group_ids` None is every group."""
    return _by_day(ISSUED, "profile_id", since, group_ids)


def refused_by_day(since: date, group_ids: Sequence[int] | None) -> tuple[DayCount, ...]:
    """By day and rule."""
    return _by_day(REFUSED, "reason", since, group_ids)


def expiring_by_day(first: date, last: date, group_ids: Sequence[int] | None) -> dict[date, int]:
    def query() -> dict[date, int]:
        rows = _of_groups(ExpiryCount.objects.filter(day__gte=first, day__lte=last), group_ids)
        return {row["day"]: row["n"] for row in rows.values("day").annotate(n=Sum("count")).order_by("day")}

    return read(query)


def _by_day(kind: str, what: str, since: date, group_ids: Sequence[int] | None) -> tuple[DayCount, ...]:
    def query() -> tuple[DayCount, ...]:
        rows = _of_groups(DailyCount.objects.filter(kind=kind, day__gte=since), group_ids)
        groups = rows.values("day", what).annotate(n=Sum("count")).order_by("day", what)
        return tuple(DayCount(day=row["day"], what=row[what], count=row["n"]) for row in groups)

    return read(query)


def _of_groups(rows: QuerySet[Any], group_ids: Sequence[int] | None) -> QuerySet[Any]:
    return rows if group_ids is None else rows.filter(group_id__in=group_ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class CrlAge:
    authority_id: int
    number: int
    this_update: datetime
    next_update: datetime


def newest_crls(authority_ids: Sequence[int]) -> tuple[CrlAge, ...]:
    """Without the lists themselves, which may be megabytes."""
    columns = ("authority_id", "number", "this_update", "next_update")

    def query() -> tuple[CrlAge, ...]:
        newest = (
            Crl.objects.filter(authority_id=authority).order_by("-number").values(*columns).first()
            for authority in authority_ids
        )
        return tuple(
            CrlAge(
                authority_id=row["authority_id"],
                number=number(row["number"]),
                this_update=moment(row["this_update"]),
                next_update=moment(row["next_update"]),
            )
            for row in newest
            if row is not None
        )

    return read(query)


def profile_names() -> dict[int, str]:
    """Also of those that were removed: what was issued under them is still counted."""
    return read(lambda: dict(Profile.objects.values_list("id", "name")))
