"""A change that is committed while somebody reads the database: the newer mark is no word against what was read."""

from __future__ import annotations

import pytest

from certuary.services.believed_records import BelievedRecords
from certuary.services.change_record import change_records
from certuary.services.ports import ConfigDelta, ManifestRow
from certuary.services.record_gate import RecordGate
from certuary.services.trusted_feed import TrustedFeed
from certuary.services.watch_seals import SealWatch
from tests.memory_records import MemoryFeed, MemoryRecords, MemoryRowWatch
from tests.unit.services.attacks import LINE_1, LINE_2, Victim, victim
from tests.unit.services.change_fixtures import ROOT_USER
from tests.unit.services.sealing import gate_of, sealing_of, trust


def change(at: Victim) -> None:
    enabled = at.row(LINE_2).values["enabled"]
    with change_records(ROOT_USER, at.deps) as changes:
        changes.update(at.row(LINE_2), {"enabled": not enabled})


class OvertakenRecords(MemoryRecords):
    """Another process commits a change just after the manifest was read, once."""

    def __init__(self, at: Victim) -> None:
        self.__dict__ = at.records.__dict__
        self._at: Victim | None = at

    def manifest(self) -> ManifestRow | None:
        read, at = super().manifest(), self._at
        self._at = None
        if at is not None:
            change(at)
        return read


class OvertakenFeed(MemoryFeed):
    def __init__(self, at: Victim) -> None:
        super().__init__(at.records)
        self._at = at
        self.is_overtaken = False

    def read(self, since: int) -> ConfigDelta:
        read = super().read(since)
        if self.is_overtaken:
            change(self._at)
        return read


class OvertakenRows(MemoryRowWatch):
    def __init__(self, at: Victim) -> None:
        super().__init__(at.records)
        self._at = at

    def manifest(self) -> ManifestRow | None:
        read = super().manifest()
        change(self._at)
        return read


def new_gate(at: Victim) -> RecordGate:
    return RecordGate(trust(), sealing_of(at.deps).high_water)


def test_a_gate_opens_over_the_manifest_that_was_the_newest_when_it_was_read() -> None:
    at = victim()
    before = gate_of(at.records, at.deps).head
    gate = RecordGate.open(OvertakenRecords(at), trust(), sealing_of(at.deps).high_water)
    assert gate.head == before


def test_a_look_up_is_not_refused() -> None:
    at = victim()
    records = BelievedRecords(OvertakenRecords(at), gate_of(at.records, at.deps))
    assert records.find("application", name="line-2") == at.row(LINE_2)


def test_a_listing_leaves_nothing_out() -> None:
    at = victim()
    records = BelievedRecords(OvertakenRecords(at), gate_of(at.records, at.deps))
    assert records.all("application") == (at.row(LINE_1), at.row(LINE_2))


def test_a_server_that_starts_believes_what_it_read() -> None:
    at = victim()
    feed = OvertakenFeed(at)
    feed.is_overtaken = True
    assert TrustedFeed(feed, new_gate(at), sealing_of(at.deps).high_water.rise).read(0).blocked is None


@pytest.mark.parametrize("was_altered", [False, True], ids=["what changed is read", "everything is read"])
def test_a_server_that_polls_goes_on(was_altered: bool) -> None:
    at = victim()
    feed = OvertakenFeed(at)
    trusted = TrustedFeed(feed, new_gate(at), sealing_of(at.deps).high_water.rise)
    if was_altered:
        at.set_column(LINE_1, enabled=False)
    revision = trusted.read(0).delta.revision
    change(at)
    feed.is_overtaken = True
    assert trusted.read(revision).blocked is None


def test_the_watch_finds_nothing() -> None:
    at = victim()
    assert "were set back" not in str(SealWatch(OvertakenRows(at), new_gate(at)).look().broken)
