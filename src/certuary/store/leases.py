"""Leases: which process does the background jobs. A holder that dies is replaced when its lease runs out.

A lease spares double work; it is not what keeps data right. Two processes that both believe they hold it (a
stopped clock, a paused machine) are told apart by the unique numbers of what they write.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.db import connection, transaction
from django.db.models import Q

from certuary.errors import AlreadyExists
from certuary.store.database import database_errors
from certuary.store.models import Lease


class DjangoLeaseStore:
    """Implements `services.ports.LeaseStore`."""

    def acquire(self, name: str, holder: str, *, seconds: int) -> bool:
        try:
            with database_errors(), transaction.atomic():
                return _take(name, holder, timedelta(seconds=seconds))
        except AlreadyExists:  # another process made the row at the same moment
            return False

    def release(self, name: str, holder: str) -> None:
        with database_errors():
            Lease.objects.filter(name=name, holder=holder).delete()


def _take(name: str, holder: str, duration: timedelta) -> bool:
    now = _now()
    # An end further away than a lease lasts was written by a clock that ran ahead: it would block everybody.
    free = Q(holder=holder) | Q(expires_at__lt=now) | Q(expires_at__gt=now + 2 * duration)
    if Lease.objects.filter(free, name=name).update(holder=holder, expires_at=now + duration):
        return True
    if Lease.objects.filter(name=name).exists():
        return False
    Lease.objects.create(name=name, holder=holder, expires_at=now + duration)
    return True


def _now() -> datetime:
    """PostgreSQL's clock, which all nodes share; with SQLite there is one machine and its clock."""
    if connection.vendor != "postgresql":
        return datetime.now(UTC)
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        row = cursor.fetchone()
    assert row is not None
    moment: datetime = row[0]
    return moment.astimezone(UTC)
