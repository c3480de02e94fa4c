"""Charts as data: what `charts.js` draws, and the same numbers as a table for those who do not see it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from certuary.store.dashboard import DayCount

MOST_SERIES: Final = 5
OTHERS: Final = "all others"


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """`tone` names its colour in `portal.css`; colours are never the only sign, the legend and the table name it."""

    name: str
    tone: str
    values: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Bars by day, stacked. `summary` says in a sentence what the picture shows."""

    id: str
    title: str
    summary: str
    days: tuple[date, ...]
    series: tuple[Series, ...]

    @property
    def total(self) -> int:
        return sum(series.total for series in self.series)

    @property
    def script_id(self) -> str:
        return f"{self.id}-data"

    @property
    def data(self) -> dict[str, object]:
        """For the script: times in seconds, as its library takes them."""
        return {
            "days": [int(datetime.combine(day, time(), UTC).timestamp()) for day in self.days],
            "series": [
                {"name": series.name, "tone": series.tone, "values": series.values} for series in self.series
            ],
        }

    @property
    def rows(self) -> tuple[tuple[date, tuple[int, ...]], ...]:
        """The days that have something, newest last."""
        by_day = zip(*(series.values for series in self.series), strict=True)
        return tuple((day, counts) for day, counts in zip(self.days, by_day, strict=True) if any(counts))


def days_from(first: date, count: int) -> tuple[date, ...]:
    return tuple(first + timedelta(days=number) for number in range(count))


def series_by_name(
    days: Sequence[date], counts: Iterable[DayCount], names: Mapping[int | str, str]
) -> tuple[Series, ...]:
    """The largest have a series each, the rest share one: a picture of fifty profiles shows none of them."""
    totals: Counter[int | str] = Counter()
    found: Counter[tuple[int | str, date]] = Counter()
    for one in counts:
        totals[one.what] += one.count
        found[one.what, one.day] += one.count
    largest = [what for what, total in totals.most_common(MOST_SERIES) if total]
    rest = [what for what in totals if what not in largest]
    named = [
        Series(
            name=names.get(what, str(what)),
            tone=f"series-{number}",
            values=tuple(found[what, day] for day in days),
        )
        for number, what in enumerate(largest, start=1)
    ]
    if any(totals[what] for what in rest):
        values = tuple(sum(found[what, day] for what in rest) for day in days)
        named.append(Series(name=OTHERS, tone="series-rest", values=values))
    return tuple(named)
