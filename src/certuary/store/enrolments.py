"""Look refused enrolments up, for people. Pages go by the last row's time and number, never by OFFSET."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from certuary.store.database import read
from certuary.store.models import AuditEvent, Enrolment
from certuary.store.plain import moment, number, octets, optional, text

_COLUMNS = (
    "id",
    "request_id",
    "at",
    "operation",
    "outcome",
    "reason",
    "application_id",
    "profile_version_id",
    "label",
    "address",
    "serial",
    "csr_der",
)


_TEXTS = ("request_id", "operation", "outcome", "reason", "label", "address")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundEnrolment:
    id: int
    request_id: str
    at: datetime
    operation: str
    outcome: str
    reason: str
    application_id: int | None
    profile_name: str
    profile_id: int | None
    profile_version: int | None
    label: str
    address: str
    serial: str | None
    csr_der: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundEvent:
    kind: str
    at: datetime
    actor_kind: str
    actor: str
    address: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalFilter:
    """All that is given must hold. `application_ids` None is every application, and requests of none."""

    application_ids: tuple[int, ...] | None = None
    reason: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class PageKey:
    """Where a page ends: the time and number of its last row."""

    at: datetime
    id: int


def list_refusals(
    wanted: RefusalFilter, *, older_than: PageKey | None = None, limit: int = 50
) -> tuple[FoundEnrolment, ...]:
    """Newest first; one row more than `limit` when there are older ones."""
    rows = Enrolment.objects.filter(outcome="refused")
    if wanted.application_ids is not None:
        rows = rows.filter(application_id__in=wanted.application_ids)
    if wanted.reason:
        rows = rows.filter(reason=wanted.reason)
    if wanted.since is not None:
        rows = rows.filter(at__gte=wanted.since)
    if older_than is not None:
        # The first condition is what an index is walked by; the second cuts those of the same moment.
        rows = rows.filter(at__lte=older_than.at)
        rows = rows.filter(Q(at__lt=older_than.at) | Q(id__lt=older_than.id))
    page = rows.order_by("-at", "-id")
    return read(lambda: tuple(_found(page.values(*_columns())[: limit + 1])))


def find_enrolments(request_id: str) -> tuple[FoundEnrolment, ...]:
    rows = Enrolment.objects.filter(request_id=request_id).order_by("id")
    return read(lambda: tuple(_found(rows.values(*_columns())[:10])))


def find_enrolment(number: int) -> FoundEnrolment | None:
    rows = Enrolment.objects.filter(pk=number)
    return read(lambda: next(iter(_found(rows.values(*_columns()))), None))


def find_events(request_id: str) -> tuple[FoundEvent, ...]:
    rows = AuditEvent.objects.filter(request_id=request_id).order_by("id")
    return read(lambda: tuple(map(_event, rows[:20])))


def _event(row: AuditEvent) -> FoundEvent:
    return FoundEvent(
        kind=text(row.kind),
        at=moment(row.at),
        actor_kind=text(row.actor_kind),
        actor=text(row.actor),
        address=text(row.address),
        detail=text(row.detail),
    )


def _columns() -> tuple[str, ...]:
    return (
        *_COLUMNS,
        "profile_version__number",
        "profile_version__profile_id",
        "profile_version__profile__name",
    )


def _found(rows: Iterable[Mapping[str, Any]]) -> Iterable[FoundEnrolment]:
    for row in rows:
        yield FoundEnrolment(
            id=row["id"],
            at=moment(row["at"]),
            **{name: text(row[name]) for name in _TEXTS},
            application_id=optional(number, row["application_id"]),
            serial=optional(text, row["serial"]),
            csr_der=optional(octets, row["csr_der"]),
            profile_name=optional(text, row["profile_version__profile__name"]) or "",
            profile_id=optional(number, row["profile_version__profile_id"]),
            profile_version=optional(number, row["profile_version__number"]),
        )
