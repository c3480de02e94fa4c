"""Find rows of a growing table by when they were written: numbers rise with time, so a few probes find the place.

Several processes write at once, and clocks differ: what is found is widened by `SLACK` on both sides, and whoever asks
compares the times themselves.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Final, TypeVar

from django.db.models import Max, Model, Q, QuerySet

from certuary.store.database import read
from certuary.store.plain import NO_TIME

SLACK: Final = timedelta(minutes=2)
_NEAR: Final = timedelta(seconds=2)
"""Where nearly every row is found: two minutes of a busy hour are a hundred thousand rows."""

_MOST: Final = 100
_UNREADABLE: Final = 20
"""How many rows whose time cannot be read are passed over."""

M = TypeVar("M", bound=Model)


def first_number_at(rows: QuerySet[M], moment: datetime) -> int:
    """The number of the first row written at that moment or later; one above the last when there is none."""
    low, high = 1, (read(lambda: rows.aggregate(last=Max("id"))["last"]) or 0) + 1
    while low < high:
        middle = (low + high) // 2
        found = _next_from(rows, middle)
        if found is None or found[1] >= moment:
            high = middle
        else:
            low = found[0] + 1
    return low


def written_at(rows: QuerySet[M], moment: datetime) -> list[M]:
    """The rows of that very moment, by number; a hundred at most. `rows` are filtered as wanted, but not by time."""
    if moment == NO_TIME:
        return []
    every = rows.model._default_manager.all()
    for slack in (_NEAR, SLACK):
        first, last = first_number_at(every, moment - slack), first_number_at(every, moment + slack)
        inside = rows.filter(Q(id__gte=first) & Q(id__lte=last) & Q(at=moment)).order_by("id")
        found: list[M] = read(partial(list, inside[:_MOST]))
        if found:
            return found
    return []


def _next_from(rows: QuerySet[M], number: int) -> tuple[int, datetime] | None:
    """The next row whose time can be read; SQLite keeps any value, and a few such rows hide nothing around them."""
    found = read(
        lambda: list(rows.filter(id__gte=number).order_by("id").values_list("id", "at")[:_UNREADABLE])
    )
    readable = ((number, at) for number, at in found if isinstance(at, datetime))
    return next(readable, (found[-1][0], NO_TIME) if found else None)
