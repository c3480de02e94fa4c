"""How much is issued and refused, what expires, and what needs somebody's hand: for the dashboard and the API.

Every number comes from counts or from tables that stay small: it costs the same with a million certificates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from certuary.portal.charts import Chart, Series, days_from, series_by_name
from certuary.services.ports import NodeRow, Record, RecordStore
from certuary.store import dashboard as counts
from certuary.store.nodes import list_nodes

ISSUED_DAYS: Final = 30
REFUSED_DAYS: Final = 7
EXPIRY_DAYS: Final = 90
SILENT_AFTER: Final = timedelta(seconds=30)
_WINDOWS: Final = ((7, "broken"), (30, "attention"), (90, "quiet"))
_NEAR_END: Final = timedelta(days=90)
_EVERYBODY_S_KINDS: Final = frozenset({"manifest", "authority", "profile", "label", "switch"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """How many certificates expire within so many days."""

    days: int
    tone: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """`share` is of the most frequent one, 0 to 100, for the bar."""

    name: str
    count: int
    share: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorityLine:
    name: str
    kind: str
    not_after: datetime
    days_left: int
    tone: str
    crl: counts.CrlAge | None
    crl_tone: str
    crl_words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLine:
    node: NodeRow
    tone: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    kind: str
    name: str
    reason: str


def issued_chart(today: date, groups: Sequence[int] | None) -> Chart:
    days = days_from(today - timedelta(days=ISSUED_DAYS - 1), ISSUED_DAYS)
    names: dict[int | str, str] = {0: "no profile"}
    names.update(counts.profile_names().items())
    series = series_by_name(days, counts.issued_by_day(days[0], groups), names)
    total = sum(one.total for one in series)
    return Chart(
        id="issued",
        title="Issued per day",
        summary=f"{total:,} certificates in the last {ISSUED_DAYS} days, by profile",
        days=days,
        series=series,
    )


def expiring_chart(today: date, groups: Sequence[int] | None) -> Chart:
    days = days_from(today, EXPIRY_DAYS)
    found = counts.expiring_by_day(days[0], days[-1], groups)
    values = [max(0, found.get(day, 0)) for day in days]
    series = []
    begin = 0
    for end, tone in _WINDOWS:
        name = f"within {end} days" if begin == 0 else f"in {begin} to {end} days"
        inside = tuple(value if begin <= place < end else 0 for place, value in enumerate(values))
        series.append(Series(name=name, tone=f"tone-{tone}", values=inside))
        begin = end
    return Chart(
        id="expiring",
        title="Expiring",
        summary=f"{sum(values):,} certificates that nobody revoked expire in the next {EXPIRY_DAYS} days",
        days=days,
        series=tuple(series),
    )


def windows_of(expiring: Chart) -> tuple[Window, ...]:
    totals = [series.total for series in expiring.series]
    return tuple(
        Window(days=days, tone=tone if totals[number] else "quiet", count=sum(totals[: number + 1]))
        for number, (days, tone) in enumerate(_WINDOWS)
    )


def refused_reasons(today: date, groups: Sequence[int] | None) -> tuple[Reason, ...]:
    totals: dict[str, int] = {}
    for one in counts.refused_by_day(today - timedelta(days=REFUSED_DAYS - 1), groups):
        totals[str(one.what)] = totals.get(str(one.what), 0) + one.count
    most = max(totals.values(), default=0)
    return tuple(
        Reason(name=rule, count=count, share=max(1, 100 * count // most))
        for rule, count in sorted(totals.items(), key=lambda item: (-item[1], item[0]))
    )


def authority_lines(records: Sequence[Record], now: datetime) -> tuple[AuthorityLine, ...]:
    crls = {crl.authority_id: crl for crl in counts.newest_crls([int(record.id) for record in records])}
    return tuple(_authority_line(record, crls.get(int(record.id)), now) for record in records)


def _authority_line(record: Record, crl: counts.CrlAge | None, now: datetime) -> AuthorityLine:
    not_after = record.values["not_after"]
    if not isinstance(not_after, datetime):  # plain SQL put something else there, and its seal is broken
        not_after = now
    left = not_after - now
    crl_tone, crl_words = _crl_state(record, crl, now)
    return AuthorityLine(
        name=str(record.values["name"]),
        kind=str(record.values["kind"]),
        not_after=not_after,
        days_left=max(0, left.days),
        tone="broken" if left <= timedelta(0) else "attention" if left < _NEAR_END else "good",
        crl=crl,
        crl_tone=crl_tone,
        crl_words=crl_words,
    )


def _crl_state(record: Record, crl: counts.CrlAge | None, now: datetime) -> tuple[str, str]:
    if crl is None:
        return "attention", "none published"
    if crl.next_update <= now:
        return "broken", "out of date"
    lifetime = crl.next_update - crl.this_update
    # Renewed at half its lifetime: a quarter left means that this has failed for a quarter.
    return ("attention", "runs out soon") if crl.next_update - now < lifetime / 4 else ("good", "current")


def node_lines(now: datetime) -> tuple[NodeLine, ...]:
    return tuple(_node_line(node, now) for node in list_nodes(now))


def _node_line(node: NodeRow, now: datetime) -> NodeLine:
    if now - node.seen_at > SILENT_AFTER:
        return NodeLine(node=node, tone="broken", words="Not answering")
    if not node.ready:
        return NodeLine(node=node, tone="broken", words="Not ready")
    if node.warnings:
        return NodeLine(node=node, tone="attention", words="Ready, with warnings")
    return NodeLine(node=node, tone="good", words="Ready")


def broken_records(records: RecordStore, groups: Sequence[int] | None) -> tuple[Broken, ...]:
    """What the nodes found. Without all groups: what concerns everybody, and applications of one's own groups."""
    told = records.problems_told()
    own = {
        str(record.values["name"])
        for record in (records.all("application") if told and groups is not None else ())
        if record.values["group_id"] in (groups or ())
    }
    return tuple(
        Broken(kind=subject.kind, name=subject.name, reason=reason)
        for subject, reason in sorted(told.items())
        if groups is None
        or subject.kind in _EVERYBODY_S_KINDS
        or (subject.kind == "application" and subject.name in own)
    )
