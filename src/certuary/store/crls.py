"""CRLs: the published ones, and the revoked certificates that the next one lists."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.db.models import Q, QuerySet

from certuary.core.values import serial_from_text
from certuary.services.ports import AuditRow, CrlRow, RevokedEntry
from certuary.store.database import database_errors, read
from certuary.store.event_stream import EventStream, no_chain
from certuary.store.models import Certificate, ConfigRevision, Crl

KEPT = 50
"""Of each authority, this many CRLs are kept; with 100,000 entries one is 4 MB."""

_CHUNK = 2000


class DjangoCrlStore:
    """Implements `services.ports.CrlStore`. Without `events` it only reads."""

    def __init__(self, events: EventStream | None = None) -> None:
        self._events = events or EventStream(no_chain)

    def latest(self, authority_id: int) -> CrlRow | None:
        row = read(lambda: _newest(authority_id).first())
        return None if row is None else _to_value(row)

    def latest_number(self, authority_id: int) -> int | None:
        return read(lambda: _newest(authority_id).values_list("number", flat=True).first())

    def current_revision(self) -> int:
        return read(lambda: ConfigRevision.objects.values_list("value", flat=True).get(id=1))

    def has_revocation_after(self, authority_id: int, revision: int) -> bool:
        # By the partial index of revocations: only those newer than the last CRL are looked at.
        newer = Certificate.objects.filter(revoked_revision__gt=revision, authority_id=authority_id)
        return read(newer.exists)

    def revoked(self, authority_id: int, *, since: datetime) -> Iterator[RevokedEntry]:
        # Filter and order both name what the partial index of revocations is on: another order would have
        # SQLite walk the index of all serial numbers, of millions that never were revoked.
        rows = (
            Certificate.objects.filter(
                Q(not_after__gte=since) | Q(revoked_at__gte=since),
                authority_id=authority_id,
                revoked_revision__isnull=False,
            )
            .order_by("revoked_revision")
            .values_list("serial", "revoked_at", "revocation_reason")
        )
        with database_errors():
            for serial, revoked_at, reason in rows.iterator(chunk_size=_CHUNK):
                assert revoked_at is not None
                yield RevokedEntry(
                    serial=serial_from_text(serial), revoked_at=revoked_at, reason=reason or "unspecified"
                )

    def add(self, row: CrlRow, audit: AuditRow) -> None:
        with self._events.transaction() as events:
            Crl.objects.create(
                authority_id=row.authority_id,
                number=row.number,
                covers_revision=row.covers_revision,
                this_update=row.this_update,
                next_update=row.next_update,
                der=row.der,
            )
            Crl.objects.filter(authority_id=row.authority_id, number__lte=row.number - KEPT).delete()
            events.add(audit)


def _newest(authority_id: int) -> QuerySet[Crl]:
    return Crl.objects.filter(authority_id=authority_id).order_by("-number")


def _to_value(row: Crl) -> CrlRow:
    return CrlRow(
        authority_id=row.authority_id,
        number=row.number,
        covers_revision=row.covers_revision,
        this_update=row.this_update,
        next_update=row.next_update,
        der=bytes(row.der),
    )
