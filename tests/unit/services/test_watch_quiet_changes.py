"""A record that breaks is touched, so that whoever serves reads it again, whatever its revision says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

from certuary.core.manifest import Entry, Head
from certuary.errors import InvalidSeal
from certuary.services.high_water import Seen
from certuary.services.ports import ManifestPartRow, ManifestRow, Record, RecordKind
from certuary.services.record_gate import Key, RecordGate
from certuary.services.watch_seals import SealWatch

PLANT = Key("application", 1)


class OneRow:
    """A table with one application; also the gate that judges it."""

    def __init__(self) -> None:
        self.config_revision = 1
        self.row_revision = 1
        self.name = "plant"

    @contextmanager
    def moment(self) -> Iterator[None]:
        yield

    def revision(self) -> int:
        return self.config_revision

    def manifest(self) -> ManifestRow | None:
        return None

    def manifest_parts(self) -> tuple[ManifestPartRow, ...]:
        return ()

    def fingerprints(self, kind: RecordKind) -> Mapping[int, int]:
        return {1: hash(self.name)} if kind == "application" else {}

    def factor_digests(self) -> Mapping[int, tuple[str, ...]]:
        return {}

    def by_ids(self, kind: RecordKind, ids: Iterable[int]) -> tuple[Record, ...]:
        return (Record(kind=kind, id=1, revision=self.row_revision, values={"name": self.name}),)


HEAD = Head(instance="", sequence=1, at=datetime(2026, 11, 23, tzinfo=UTC), parts={})


class OneRowGate(RecordGate):
    def __init__(self) -> None:
        """Believes the name "plant" and no other."""
        self._head = HEAD

    def newest_seen(self) -> None:
        return None

    def take_head(self, row: ManifestRow | None, newest: Seen | None) -> None: ...

    def take_all_parts(self, rows: Iterable[ManifestPartRow]) -> None: ...

    def broken_parts(self, kinds: Iterable[str]) -> tuple[()]:
        return ()

    def entry(self, key: Key) -> None:
        return None

    def verify_at_once(self, count: int | None) -> None: ...

    def verify_postponed(self, count: int) -> dict[Key, str]:
        return {}

    def entries(self, kind: RecordKind) -> Mapping[int, Entry]:
        return {}

    def check(self, record: Record) -> None:  # type: ignore[override]  # nobody asks who signed
        if record.values["name"] != "plant":
            raise InvalidSeal("altered")


def test_a_record_that_breaks_just_after_it_was_touched_is_touched_again() -> None:
    row = OneRow()
    watch = SealWatch(row, OneRowGate())
    watch.look()
    row.config_revision = row.row_revision = 2  # touched; whoever serves reads it
    row.name = "changed by SQL"
    assert watch.look().quiet == (PLANT,)


def test_a_record_that_was_changed_by_command_is_not_touched() -> None:
    row = OneRow()
    watch = SealWatch(row, OneRowGate())
    row.name = "changed by SQL"
    watch.look()
    row.config_revision = row.row_revision = 2
    row.name = "plant"
    assert watch.look().quiet == ()
