"""While something is left out, the feed looks again by itself: nobody may have seen it come back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NoReturn

from certuary.core.manifest import Entry, Head, PartName
from certuary.errors import InvalidSeal
from certuary.services.high_water import Seen
from certuary.services.load_snapshot import SnapshotLoader
from certuary.services.ports import ConfigDelta, ManifestPartRow, ManifestRow, Record, RecordKind
from certuary.services.record_gate import Key, RecordGate
from certuary.services.trusted_feed import LOOK_AGAIN_SECONDS, TrustedFeed
from tests.memory_records import INSTANCE, NOW

PLANT = Key("group", 1)


class OneGroup:
    """A database with one group, whose code may be altered; `reads` counts the whole reads."""

    def __init__(self) -> None:
        self.revision = 1
        self.code = "GRP_001"
        self.reads = 0
        self.revoked: tuple[tuple[int, int], ...] = ()
        self.moves_on = False

    def read(self, since: int) -> ConfigDelta:
        self.reads += not since
        if since == self.revision:
            return ConfigDelta(revision=since, records=(), retired=(), properties={}, revoked=())
        group = Record(kind="group", id=1, revision=1, values={"code": self.code, "name": "first"})
        delta = ConfigDelta(
            revision=self.revision,
            records=(group,),
            retired=(),
            properties={},
            revoked=(),
            counts={"group": 1},
        )
        if self.moves_on:
            self.revision += 1
        return delta


class CodeGate(RecordGate):
    def __init__(self) -> None:
        """Believes the code GRP_001 and no other."""
        self._seen = None
        self._head = Head(instance=INSTANCE, sequence=1, at=NOW, parts={})

    def newest_seen(self) -> None:
        return None

    def take_head(self, row: ManifestRow | None, newest: Seen | None) -> None: ...

    def take_parts(self, rows: Iterable[ManifestPartRow]) -> None: ...

    def take_all_parts(self, rows: Iterable[ManifestPartRow]) -> None: ...

    def broken_parts(self, kinds: Iterable[str]) -> tuple[PartName, ...]:
        return ()

    def entries(self, kind: RecordKind) -> Mapping[int, Entry]:
        return {}

    def verify_at_once(self, count: int | None) -> None: ...

    def verify_postponed(self, count: int) -> dict[Key, str]:
        return {}

    def entry(self, key: Key) -> Entry:
        return Entry(1, "digest", "GRP_001")

    def check(self, record: Record) -> None:  # type: ignore[override]  # nobody asks who signed
        if record.values["code"] != "GRP_001":
            raise InvalidSeal("altered")


class Watch:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def refuse(name: str) -> NoReturn:
    raise AssertionError(name)


def opened(database: OneGroup) -> tuple[SnapshotLoader, Watch]:
    watch = Watch()
    feed = TrustedFeed(database, CodeGate(), lambda seen: None, watch)
    return SnapshotLoader(feed, refuse, "http://status"), watch


def test_a_record_that_was_put_back_without_a_new_revision_is_used_again() -> None:
    database = OneGroup()
    database.code = "GRP_666"
    loader, watch = opened(database)
    assert not loader.load().groups
    assert loader.problems == ("group 'GRP_001' is left out: altered",)
    database.code = "GRP_001"
    watch.now += LOOK_AGAIN_SECONDS
    snapshot = loader.refresh()
    assert snapshot is not None
    assert list(snapshot.groups) == [PLANT.id]
    assert list(loader.problems) == []


def test_looks_are_rare_while_nothing_changes() -> None:
    database = OneGroup()
    database.code = "GRP_666"
    loader, watch = opened(database)
    loader.load()
    assert [loader.refresh() for _ in range(5)] == [None] * 5
    assert database.reads == 2
    watch.now += LOOK_AGAIN_SECONDS
    assert loader.refresh() is None
    assert database.reads == 3


def test_nothing_is_looked_at_twice_while_all_is_sound() -> None:
    database = OneGroup()
    loader, watch = opened(database)
    loader.load()
    watch.now += LOOK_AGAIN_SECONDS
    assert loader.refresh() is None
    assert database.reads == 1


def test_a_whole_read_leaves_what_came_after_the_changes_to_the_next_read() -> None:
    database = OneGroup()
    database.code = "GRP_666"
    feed = TrustedFeed(database, CodeGate(), lambda seen: None, Watch())
    feed.read(0)
    database.revision, database.moves_on = 2, True
    assert feed.read(1).delta.revision == 2
