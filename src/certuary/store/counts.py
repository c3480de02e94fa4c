"""Counts for the dashboard: kept beside the rows they count, a slice at a time, never by a transaction that issues.

Every certificate adds one to the day it expires on; every revocation takes one away, once both were looked at. So the
order in which the two are found does not matter, and neither does a stop in between: position and counts are one
transaction. Certificates of the listener itself (`source` "tls") are nobody's and are not counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Count, Exists, F, Max, Min, Model, OuterRef, Q, QuerySet
from django.db.models.functions import TruncDate
from django.db.models.sql.compiler import SQLCompiler

from certuary.errors import AlreadyExists
from certuary.services.ports import Clock, NewestRows
from certuary.store.database import database_errors, read
from certuary.store.models import (
    Application,
    Certificate,
    ConfigRevision,
    CountedApplication,
    CountingPosition,
    DailyCount,
    Enrolment,
    ExpiryCount,
    ProfileVersion,
)

ISSUED: Final = "issued"
REFUSED: Final = "refused"
NO_GROUP: Final = 0
NO_PROFILE: Final = 0
POSITION_ID: Final = 1
_HIGHEST_ID: Final = 2**63 - 1
_KEPT: Final = timedelta(days=400)
_EXPIRED_KEPT: Final = timedelta(days=30)

_DAILY_COLUMNS: Final = ("day", "kind", "profile_id", "group_id", "reason")
_EXPIRY_COLUMNS: Final = ("day", "group_id")

DailyKey = tuple[date, str, int, int, str]
ExpiryKey = tuple[date, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slice:
    """What one step adds, and where it leaves off."""

    daily: Mapping[DailyKey, int]
    expiry: Mapping[ExpiryKey, int]
    groups: Mapping[int, int]
    before: CountingPosition
    certificate_id: int
    enrolment_id: int
    revision: int
    is_complete: bool


class DjangoCounts:
    """Implements `services.ports.CountStore`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def newest_rows(self) -> NewestRows:
        """Two looks at the ends of two indexes."""
        return read(
            lambda: NewestRows(certificate_id=_highest(Certificate), enrolment_id=_highest(Enrolment))
        )

    def commits_in_order(self) -> bool:
        """SQLite has one writer at a time, so a row's number tells when it was committed; PostgreSQL has many."""
        return connection.vendor == "sqlite"

    def count_slice(self, settled: NewestRows, *, size: int) -> bool:
        now = self._clock.now()
        with database_errors():
            position = _position(now)
            if position is None:
                return False
            counted = _read_slice(position, settled, size)
            try:
                with transaction.atomic():
                    _write_slice(counted, now)
            except _OvertakenError:
                return False
        return counted.is_complete

    def has_moved_application(self) -> bool:
        return read(_has_moved_application)

    def recount(self) -> None:
        with database_errors():
            _forget()

    def prune(self) -> None:
        today = self._clock.now().date()
        with database_errors():
            DailyCount.objects.filter(day__lt=today - _KEPT).delete()
            ExpiryCount.objects.filter(day__lt=today - _EXPIRED_KEPT).delete()


class _Day(TruncDate):
    """The day of a time, which every row of a slice asks for. None where SQLite keeps what is no time."""

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_: Any) -> tuple[str, Any]:
        # Django would call a function in Python for each row. What is stored is UTC.
        sql, parameters = compiler.compile(self.lhs)
        return f"date({sql})", parameters


def _has_moved_application() -> bool:
    counted = CountedApplication.objects.filter(application_id=OuterRef("id"))
    # SQLite may keep a text there, which counts as no group and is above every number: moved for ever otherwise.
    there = Application.objects.filter(group_id__lte=_HIGHEST_ID)
    return there.filter(Exists(counted.exclude(group_id=OuterRef("group_id")))).exists()


def _forget() -> None:
    with transaction.atomic():
        for model in (DailyCount, ExpiryCount, CountedApplication, CountingPosition):
            model._default_manager.all().delete()


class _OvertakenError(Exception):
    """Another process counted meanwhile."""


def _position(now: datetime) -> CountingPosition | None:
    """None where another process is beginning at this moment."""
    found = CountingPosition.objects.filter(id=POSITION_ID).first()
    if found is not None:
        return found
    try:
        with database_errors():
            _forget()
            return CountingPosition.objects.create(
                id=POSITION_ID,
                certificate_id=0,
                enrolment_id=0,
                revision=0,
                is_complete=False,
                counted_at=now,
            )
    except AlreadyExists:
        return None


def _read_slice(position: CountingPosition, settled: NewestRows, size: int) -> _Slice:
    # Read first: whatever is revoked later has a higher revision, and is taken away by a later slice.
    revision = _revision_end(position.revision, size)
    certificate_id = _end(Certificate, position.certificate_id, settled.certificate_id, size)
    enrolment_id = _end(Enrolment, position.enrolment_id, settled.enrolment_id, size)
    daily: Counter[DailyKey] = Counter()
    expiry: Counter[ExpiryKey] = Counter()
    names = _Names()
    _count_issued(position, certificate_id, names, daily, expiry)
    _count_refused(position, enrolment_id, names, daily)
    _take_revoked_away(position, certificate_id, revision, names, expiry)
    return _Slice(
        daily=daily,
        expiry=expiry,
        groups=names.new_groups,
        before=position,
        certificate_id=certificate_id,
        enrolment_id=enrolment_id,
        revision=revision,
        is_complete=certificate_id >= settled.certificate_id and enrolment_id >= settled.enrolment_id,
    )


def _count_issued(
    position: CountingPosition,
    end: int,
    names: _Names,
    daily: Counter[DailyKey],
    expiry: Counter[ExpiryKey],
) -> None:
    new = _counted().filter(id__gt=position.certificate_id, id__lte=end)
    groups = _grouped(
        new,
        "application_id",
        "profile_version_id",
        issued_on=_Day("issued_at", tzinfo=UTC),
        expires_on=_Day("not_after", tzinfo=UTC),
    )
    for row in groups:
        group, count = names.group(row["application_id"]), row["n"]
        daily[row["issued_on"], ISSUED, names.profile(row["profile_version_id"]), group, ""] += count
        expiry[row["expires_on"], group] += count


def _count_refused(position: CountingPosition, end: int, names: _Names, daily: Counter[DailyKey]) -> None:
    new = Enrolment.objects.filter(id__gt=position.enrolment_id, id__lte=end, outcome=REFUSED)
    groups = _grouped(new, "application_id", "reason", day=_Day("at", tzinfo=UTC))
    for row in groups:
        group = names.group(row["application_id"])
        daily[row["day"], REFUSED, NO_PROFILE, group, row["reason"]] += row["n"]


def _take_revoked_away(
    position: CountingPosition, certificate_end: int, revision: int, names: _Names, expiry: Counter[ExpiryKey]
) -> None:
    """Those counted before and revoked since, and those counted now whose revocation was looked at before."""
    revoked_since = Q(revoked_revision__gt=position.revision, revoked_revision__lte=revision)
    counted = Q(id__lte=certificate_end)
    looked_at = Q(revoked_revision__lte=position.revision, id__gt=position.certificate_id)
    gone = _counted().filter(revoked_revision__isnull=False).filter((revoked_since | looked_at) & counted)
    for row in _grouped(gone, "application_id", expires_on=_Day("not_after", tzinfo=UTC)):
        expiry[row["expires_on"], names.group(row["application_id"])] -= row["n"]


def _counted() -> QuerySet[Certificate]:
    return Certificate.objects.exclude(source="tls")


def _grouped(rows: QuerySet[Any], *columns: str, **computed: Any) -> Iterable[dict[str, Any]]:
    groups: Iterable[dict[str, Any]] = (
        rows.annotate(**computed).values(*columns, *computed).annotate(n=Count("id")).order_by()
    )
    return groups


def _end(model: type[Model], after: int, last: int, size: int) -> int:
    """The number of the last row of the slice. Numbers may have wide gaps: a slice begins at a row."""
    if last <= after:
        return after
    rows = model._default_manager.filter(pk__gt=after, pk__lte=last)
    first = rows.aggregate(first=Min("pk"))["first"]
    return last if first is None else min(last, int(first) + size - 1)


def _revision_end(after: int, size: int) -> int:
    """Whole revisions, of about `size` revocations. No further than revisions go: plain SQL may have written any."""
    newest = ConfigRevision.objects.values_list("value", flat=True).get(id=1)
    revoked = Certificate.objects.filter(revoked_revision__gt=after, revoked_revision__lte=newest)
    last = list(
        revoked.order_by("revoked_revision").values_list("revoked_revision", flat=True)[size - 1 : size]
    )
    return int(last[0]) if last and last[0] is not None else int(newest)


class _Names:
    """Whose a certificate is: the group of its application, the profile of its version. One look-up each.

    What is no number, as plain SQL may have left it in SQLite, is nobody's."""

    def __init__(self) -> None:
        self._groups = dict(CountedApplication.objects.values_list("application_id", "group_id"))
        self._profiles: dict[int, int] = {}
        self.new_groups: dict[int, int] = {}

    def group(self, application_id: int | None) -> int:
        """As it was when the application's first certificate was counted; `has_moved_application` finds others."""
        if not isinstance(application_id, int):
            return NO_GROUP
        if application_id not in self._groups:
            found = Application.objects.filter(id=application_id).values_list("group_id", flat=True).first()
            group = found if isinstance(found, int) else NO_GROUP
            self._groups[application_id] = self.new_groups[application_id] = group
        return self._groups[application_id]

    def profile(self, version_id: int | None) -> int:
        if not isinstance(version_id, int):
            return NO_PROFILE
        if version_id not in self._profiles:
            found = ProfileVersion.objects.filter(id=version_id).values_list("profile_id", flat=True).first()
            self._profiles[version_id] = found if isinstance(found, int) else NO_PROFILE
        return self._profiles[version_id]


def _write_slice(counted: _Slice, now: datetime) -> None:
    before = counted.before
    # True stays: "complete" says that everything there was at the beginning has been counted.
    complete: Any = True if counted.is_complete else F("is_complete")
    moved = CountingPosition.objects.filter(
        id=POSITION_ID,
        certificate_id=before.certificate_id,
        enrolment_id=before.enrolment_id,
        revision=before.revision,
    ).update(
        certificate_id=counted.certificate_id,
        enrolment_id=counted.enrolment_id,
        revision=counted.revision,
        is_complete=complete,
        counted_at=now,
    )
    if not moved:
        raise _OvertakenError
    new = [CountedApplication(application_id=key, group_id=group) for key, group in counted.groups.items()]
    CountedApplication.objects.bulk_create(new, ignore_conflicts=True)
    for daily_key, count in counted.daily.items():
        _add(DailyCount, dict(zip(_DAILY_COLUMNS, daily_key, strict=True)), count)
    for expiry_key, count in counted.expiry.items():
        _add(ExpiryCount, dict(zip(_EXPIRY_COLUMNS, expiry_key, strict=True)), count)


def _add(model: type[Model], key: dict[str, Any], count: int) -> None:
    """The position's row is locked by now, so nobody else adds."""
    rows = model._default_manager
    if key["day"] is None:
        return  # of a row whose time cannot be read: it stands on no day
    if count and not rows.filter(**key).update(count=F("count") + count):
        rows.create(**key, count=count)


def _highest(model: type[Model]) -> int:
    return int(model._default_manager.aggregate(highest=Max("pk"))["highest"] or 0)
