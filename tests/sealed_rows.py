"""Many really sealed applications: signed in memory beforehand, so that inserting them takes one statement a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from certuary.core.manifest import part_of, read_part
from certuary.services.ports import ManifestPartRow, ManifestRow, ManifestSource, Record
from certuary.services.record_gate import key_of
from certuary.services.seal_changes import Sealing, open_gate, seal_changes
from tests.memory_records import MemoryRecords


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedRows:
    """The rows, the parts of the manifest that change with them, and its new head."""

    records: tuple[Record, ...]
    parts: tuple[ManifestPartRow, ...]
    head: ManifestRow


def sign_rows(rows: Sequence[Record], source: ManifestSource, sealing: Sealing, at: datetime) -> SealedRows:
    """`rows` are new; `source` is the database that they will go to. Nothing is written there."""
    memory = MemoryRecords()
    memory.rows = {(row.kind, row.id): row for row in rows}
    memory.head = source.manifest()
    names = {part_of(*key_of(row)) for row in rows}
    for name in names:
        part = source.manifest_part(name.kind, name.number)
        if part is not None:
            assert not read_part(part.body).keys() & {key_of(row).id for row in rows}
            memory.parts[name] = 0, part
    with memory.transaction() as transaction:
        seal_changes(transaction, map(key_of, rows), open_gate(transaction, sealing), sealing, at)
    assert memory.head is not None
    return SealedRows(records=tuple(memory.rows.values()), parts=memory.manifest_parts(), head=memory.head)
