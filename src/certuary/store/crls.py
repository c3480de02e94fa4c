"""CRLs: the published ones, and the revoked certificates that the next one lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial

from django.db import connection
from django.db.models import Q, QuerySet

from certuary.core.values import serial_to_text
from certuary.services.ports import AuditRow, CertificateRow, CrlRow, RevocationsSeen
from certuary.store import certificate_rows
from certuary.store.database import database_errors, read
from certuary.store.event_stream import EventStream, no_chain
from certuary.store.models import Certificate, ConfigRevision, Crl
from certuary.store.plain import moment, number, octets, optional

KEPT = 50
"""Of each authority, this many CRLs are kept; with 100,000 entries one is 4 MB."""

_CHUNK = 2000
_WHOLE_ROWS = 500


class DjangoCrlStore:
    """Implements `services.ports.CrlStore`. Without `events` it only reads."""

    def __init__(self, events: EventStream | None = None) -> None:
        self._events = events or EventStream(no_chain)

    def latest(self, authority_id: int, *, below: int | None = None) -> CrlRow | None:
        rows = _newest(authority_id)
        row = read((rows if below is None else rows.filter(number__lt=below)).first)
        return None if row is None else crl_value(row)

    def latest_number(self, authority_id: int) -> int | None:
        # Asked twice a second for every authority: plainly, and by the index alone.
        def query() -> int | None:
            with connection.cursor() as cursor:
                cursor.execute("SELECT max(number) FROM crls WHERE authority_id = %s", [authority_id])
                found: int | None = cursor.fetchone()[0]
                return found

        return read(query)

    def current_revision(self) -> int:
        return read(lambda: ConfigRevision.objects.values_list("value", flat=True).get(id=1))

    def has_revocation_after(self, authority_id: int, revision: int) -> bool:
        # By the partial index of revocations: only those newer than the last CRL are looked at.
        newer = Certificate.objects.filter(revoked_revision__gt=revision, authority_id=authority_id)
        return read(newer.exists)

    def revocations_seen(self) -> RevocationsSeen:
        # All that is named is in the partial index of revocations: the table is not read.
        statement = (
            "SELECT count(*), count(revoked_at), coalesce(sum(revoked_revision), 0),"
            " coalesce(max(revoked_revision), 0)"
            " FROM certificates WHERE revoked_revision IS NOT NULL OR revoked_at IS NOT NULL"
        )

        def query() -> RevocationsSeen:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                rows, revoked, sum_of_revisions, newest = cursor.fetchone()
            return RevocationsSeen(
                rows=rows, revoked=revoked, sum_of_revisions=int(sum_of_revisions), newest_revision=newest
            )

        return read(query)

    def revoked_serials(self, authority_id: int, *, since: datetime) -> Iterator[int]:
        # Filter and order both name what the partial index of revocations is on: another order would have
        # SQLite walk the index of all serial numbers, of millions that never were revoked.
        rows = (
            Certificate.objects.filter(
                Q(not_after__gte=since) | Q(revoked_at__gte=since),
                authority_id=authority_id,
                revoked_at__isnull=False,
            )
            .order_by("revoked_revision")
            .values_list("serial", flat=True)
        )
        with database_errors():
            for serial in rows.iterator(chunk_size=_CHUNK):
                # A serial that was overwritten with something else names no certificate.
                with suppress(ValueError):
                    yield int(serial, 16)

    def certificates(self, authority_id: int, serials: Sequence[int]) -> Iterator[CertificateRow]:
        for start in range(0, len(serials), _WHOLE_ROWS):
            texts = [serial_to_text(serial) for serial in serials[start : start + _WHOLE_ROWS]]
            rows = Certificate.objects.filter(authority_id=authority_id, serial__in=texts)
            yield from read(partial(_whole, rows))

    def add(self, row: CrlRow, audit: AuditRow) -> None:
        with self._events.transaction() as events:
            Crl.objects.create(
                authority_id=row.authority_id,
                number=row.number,
                covers_revision=row.covers_revision,
                this_update=row.this_update,
                next_update=row.next_update,
                der=row.der,
                mark=row.mark,
            )
            Crl.objects.filter(authority_id=row.authority_id, number__lte=row.number - KEPT).delete()
            events.add(audit)


def _whole(rows: QuerySet[Certificate]) -> list[CertificateRow]:
    return [certificate_rows.from_model(row) for row in rows.all()]


def _newest(authority_id: int) -> QuerySet[Crl]:
    return Crl.objects.filter(authority_id=authority_id).order_by("-number")


def crl_value(row: Crl) -> CrlRow:
    return CrlRow(
        authority_id=number(row.authority_id),
        number=number(row.number),
        covers_revision=number(row.covers_revision),
        this_update=moment(row.this_update),
        next_update=moment(row.next_update),
        der=octets(row.der),
        mark=optional(octets, row.mark),
    )
