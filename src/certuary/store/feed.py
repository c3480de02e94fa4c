"""What changed in the configuration since a revision: the read that every process polls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from certuary.core.values import serial_from_text
from certuary.services.ports import ConfigDelta, Record, RecordKind
from certuary.store import manifests, record_rows
from certuary.store.database import consistent_read, read
from certuary.store.models import Certificate, ConfigRevision, Property

# Users are not configuration: no process keeps their password hashes in memory.
KINDS: Final[tuple[RecordKind, ...]] = ("authority", "group", "profile", "label", "application")


class DjangoConfigFeed:
    """`services.ports.ConfigFeed`. Each thread that calls it has its own connection."""

    def read(self, since: int) -> ConfigDelta:
        return read(lambda: _read(since))


def _read(since: int) -> ConfigDelta:
    if since and _revision() == since:
        properties, manifest = _properties(), manifests.head()
        return ConfigDelta(
            revision=since, records=(), retired=(), properties=properties, revoked=(), manifest=manifest
        )
    with consistent_read():
        return ConfigDelta(
            revision=_revision(),
            records=tuple(record for kind in KINDS for record in _changed(kind, since)),
            retired=tuple(gone for kind in KINDS for gone in _retired(kind, since)),
            properties=_properties(),
            revoked=_revoked(since),
            manifest=manifests.head(),
            parts=manifests.parts_since(since),
            part_names=manifests.part_names(),
            counts={kind: _count(kind) for kind in KINDS},
        )


def _revision() -> int:
    return ConfigRevision.objects.values_list("value", flat=True).get(id=1)


def _properties() -> Mapping[str, tuple[str, str]]:
    rows = Property.objects.values_list("property_key", "property_value", "status")
    return {key: (value, status) for key, value, status in rows}


def _changed(kind: RecordKind, since: int) -> list[Record]:
    return record_rows.select(kind, revision__gt=since)


def _count(kind: RecordKind) -> int:
    return record_rows.MODELS[kind]._default_manager.filter(removed_at__isnull=True).count()


def _retired(kind: RecordKind, since: int) -> list[tuple[RecordKind, int]]:
    if not since:
        return []
    rows = record_rows.MODELS[kind]._default_manager.filter(revision__gt=since, removed_at__isnull=False)
    return [(kind, record_id) for record_id in rows.values_list("id", flat=True)]


def _revoked(since: int) -> tuple[tuple[int, int], ...]:
    if not since:
        return ()
    rows = Certificate.objects.filter(revoked_revision__gt=since).values_list("authority_id", "serial")
    return tuple((authority_id, serial_from_text(serial)) for authority_id, serial in rows)
