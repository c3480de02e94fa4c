"""What each node said of itself last."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from certuary.services.ports import NodeRow
from certuary.store.database import database_errors, read
from certuary.store.models import Node
from certuary.store.plain import moment, text

_FORGOTTEN_AFTER: Final = timedelta(days=7)


class DjangoNodeStore:
    """Implements `services.ports.NodeStore`."""

    def put(self, row: NodeRow) -> None:
        values = {
            "hostname": row.hostname,
            "version": row.version,
            "ready": row.ready,
            "reasons": list(row.reasons),
            "warnings": list(row.warnings),
            "started_at": row.started_at,
            "seen_at": row.seen_at,
        }
        with database_errors(), transaction.atomic():
            Node.objects.update_or_create(name=row.name, defaults=values)
            Node.objects.filter(seen_at__lt=row.seen_at - _FORGOTTEN_AFTER).delete()


def list_nodes(now: datetime) -> tuple[NodeRow, ...]:
    """Those of the last week, by host."""
    rows = read(lambda: list(Node.objects.filter(seen_at__gte=now - _FORGOTTEN_AFTER)))
    return tuple(
        NodeRow(
            name=text(row.name),
            hostname=text(row.hostname),
            version=text(row.version),
            ready=row.ready is True,
            reasons=_texts(row.reasons),
            warnings=_texts(row.warnings),
            started_at=moment(row.started_at),
            seen_at=moment(row.seen_at),
        )
        for row in sorted(rows, key=lambda row: (text(row.hostname), text(row.name)))
    )


def _texts(value: object) -> tuple[str, ...]:
    """Whatever plain SQL may have put there."""
    return tuple(str(text) for text in value) if isinstance(value, list) else ()
