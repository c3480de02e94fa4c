"""Checkpoints of the audit chain, and the heads that they list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from django.db import transaction
from django.db.models import Max

from certuary.core.audit_chain import Head
from certuary.core.checkpoint import SignedCheckpoint
from certuary.store.database import database_errors, read
from certuary.store.event_stream import read_heads
from certuary.store.models import AuditCheckpoint, AuditEvent, AuditStream
from certuary.store.plain import MAX_NUMBER, moment, octets

KEPT = 10_000
"""A week of a quiet installation, some hours of one under full load; the files of the nodes keep them all."""

_PAGE = 500


class DjangoCheckpointStore:
    """Implements `services.ports.CheckpointStore`."""

    def newest_event(self) -> int:
        return read(lambda: AuditEvent.objects.aggregate(newest=Max("id"))["newest"]) or 0

    def streams_since(self, number: int) -> frozenset[str]:
        rows = AuditEvent.objects.filter(id__gt=number).values_list("stream", flat=True).distinct()
        return read(lambda: frozenset(rows))

    def open_streams(self) -> frozenset[str]:
        rows = AuditStream.objects.filter(closed_by="").values_list("stream", flat=True)
        return read(lambda: frozenset(rows))

    def heads(self, streams: Iterable[str]) -> Mapping[str, Head]:
        return read_heads(streams)

    def latest(self) -> SignedCheckpoint | None:
        row = read(AuditCheckpoint.objects.filter(number__lte=MAX_NUMBER).order_by("-number").first)
        return None if row is None else _to_value(row)

    def after(self, number: int) -> tuple[SignedCheckpoint, ...]:
        rows = AuditCheckpoint.objects.filter(number__gt=number).order_by("number")
        return read(lambda: tuple(_to_value(row) for row in rows[:_PAGE]))

    def all(self) -> Iterator[SignedCheckpoint]:
        """In their order; streamed."""
        with database_errors():
            for row in AuditCheckpoint.objects.order_by("number").iterator(chunk_size=_PAGE):
                yield _to_value(row)

    def add(self, checkpoint: SignedCheckpoint) -> None:
        with database_errors(), transaction.atomic():
            AuditCheckpoint.objects.create(
                number=checkpoint.number,
                at=checkpoint.at,
                body=checkpoint.body,
                signature=checkpoint.signature,
            )
            AuditCheckpoint.objects.filter(number__lte=checkpoint.number - KEPT).delete()


def _to_value(row: AuditCheckpoint) -> SignedCheckpoint:
    return SignedCheckpoint(
        number=row.number, at=moment(row.at), body=str(row.body), signature=octets(row.signature)
    )
