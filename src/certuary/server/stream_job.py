"""Open this process's audit stream, as soon as the database is there, and say that it started and stopped."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from datetime import datetime

from certuary.services.audit_stream import OwnStream, open_stream
from certuary.services.ports import AuditRow, AuditStreamStore, RecordStore


class StreamJob:
    """The first of the jobs. A database that is away is tried again in the next round."""

    problems: tuple[str, ...] = ()

    def __init__(
        self, own: OwnStream, streams: AuditStreamStore, records: RecordStore, now: Callable[[], datetime]
    ) -> None:
        self._own = own
        self._streams = streams
        self._records = records
        self._now = now
        self.is_open = False

    def tick(self) -> None:
        if not self.is_open:
            open_stream(self._own, self._streams, self._write, self._now())
            self._write(process_event(f"{self._own.process}.started", self._now()))
            self.is_open = True

    def stop(self) -> None:
        if self.is_open:
            self._write(process_event(f"{self._own.process}.stopped", self._now()))

    def _write(self, row: AuditRow) -> None:
        with self._records.transaction() as transaction:
            transaction.add_audit(row)


def process_event(kind: str, at: datetime) -> AuditRow:
    return AuditRow(
        at=at,
        kind=kind,
        actor_kind="system",
        actor=socket.gethostname()[:128],
        target=f"process:{os.getpid()}",
        request_id="",
        address="",
        detail="{}",
    )
