"""Which process writes which audit stream, and where a stream ends in the database."""

from __future__ import annotations

from datetime import datetime

from certuary.core.audit_chain import EMPTY
from certuary.services.ports import ClosedStream
from certuary.store.database import database_errors, read
from certuary.store.event_stream import read_heads
from certuary.store.models import AuditStream


class DjangoAuditStreamStore:
    """Implements `services.ports.AuditStreamStore`."""

    def open(self, stream: str, *, node: str, process: str, at: datetime) -> None:
        values = {"node": node, "process": process, "opened_at": at}
        with database_errors():
            AuditStream.objects.get_or_create(stream=stream, defaults=values)

    def left_open(self, node: str, process: str) -> tuple[ClosedStream, ...]:
        rows = AuditStream.objects.filter(node=node, process=process, closed_by="").order_by("opened_at")
        names = read(lambda: tuple(rows.values_list("stream", flat=True)))
        heads = read_heads(names)
        return tuple(ClosedStream(stream=name, head=heads.get(name, EMPTY)) for name in names)

    def mark_closed(self, stream: str, *, by: str) -> None:
        with database_errors():
            AuditStream.objects.filter(stream=stream).update(closed_by=by)
