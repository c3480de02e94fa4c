"""A server that runs and one that starts come to the same, whatever was done to the rows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from certuary.services import trusted_feed
from certuary.services.change_record import change_records
from certuary.services.high_water import Seen
from certuary.services.manage_user import declare_key_compromised
from certuary.services.ports import Record
from certuary.services.record_gate import Key, RecordGate
from certuary.services.trusted_feed import TrustedDelta, TrustedFeed
from tests.memory_records import FED_KINDS, NOW, MemoryFeed, MemoryRecords
from tests.unit.services.attacks import (
    ATTACKS,
    HEAD_ATTACKS,
    LINE_1,
    LINE_2,
    Attack,
    HeadAttack,
    Victim,
    application_values,
    victim,
)
from tests.unit.services.change_fixtures import OFFICER_1, ROOT_USER
from tests.unit.services.sealing import new_high_water, new_sealing, seal_as_they_are, sealing_of, trust


class Server:
    """A process that polls: what it believes, as `load_snapshot` would keep it."""

    def __init__(self, at: Victim) -> None:
        self.raised: list[Seen] = []
        gate = RecordGate(trust(), sealing_of(at.deps).high_water)
        self.feed = TrustedFeed(MemoryFeed(at.records), gate, self.raised.append)
        self.revision = 0
        self.believed: dict[tuple[str, int | str], Record] = {}
        self.last = self.poll()

    def poll(self) -> TrustedDelta:
        read = self.feed.read(self.revision)
        for kind, record_id in read.delta.retired:
            self.believed.pop((kind, record_id), None)
        for record in read.delta.records:
            self.believed[record.kind, record.id] = record
        self.revision = read.delta.revision
        self.last = read
        return read

    @property
    def verdict(self) -> tuple[object, ...]:
        believed = {key: (row.version, row.seal, dict(row.values)) for key, row in self.believed.items()}
        return believed, dict(self.last.distrusted), self.last.blocked


def touch_everything(records: MemoryRecords) -> None:
    """As `services.watch_seals` would have it done for the rows and parts that changed quietly."""
    records.touch_manifest()
    for kind, record_id in [*records.rows, *records.gone]:
        assert isinstance(record_id, int)
        records.touch(kind, record_id)


def all_fed(records: MemoryRecords) -> set[tuple[str, int | str]]:
    return {key for key in records.rows if key[0] in FED_KINDS}


def test_every_record_of_a_sound_database_is_believed() -> None:
    at = victim()
    server = Server(at)
    assert server.believed.keys() == all_fed(at.records)
    assert (server.last.blocked, server.last.distrusted) == (None, {})
    assert server.raised[-1] == sealing_of(at.deps).high_water.newest()


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_a_running_server_and_a_new_one_leave_out_the_same(attack: Attack) -> None:
    at = victim()
    running = Server(at)
    attack.do(at)
    touch_everything(at.records)
    running.poll()
    new = Server(at)
    assert running.verdict == new.verdict
    fed = attack.broken
    assert new.last.distrusted.keys() == fed.keys()
    for key, reason in fed.items():
        assert reason in new.last.distrusted[key]
        assert (key.kind, key.id) not in running.believed
    assert running.believed.keys() == all_fed(at.records) - {(key.kind, key.id) for key in fed}


@pytest.mark.parametrize(
    "attack", [one for one in ATTACKS if "manifest" not in one.name], ids=lambda attack: attack.name
)
def test_an_attack_that_raises_the_revision_of_the_row_alone_is_seen_too(attack: Attack) -> None:
    """The attacker touches what was changed, and hopes that nothing else is looked at."""
    at = victim()
    running = Server(at)
    attack.do(at)
    for kind, number in attack.broken:
        at.records.touch(kind, number)
    running.poll()
    assert running.verdict == Server(at).verdict


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_what_was_put_back_as_it_was_is_believed_again(attack: Attack) -> None:
    at = victim()
    rows, gone, parts = dict(at.records.rows), dict(at.records.gone), dict(at.records.parts)
    running = Server(at)
    before = running.verdict
    attack.do(at)
    touch_everything(at.records)
    running.poll()
    assert running.verdict != before
    at.records.rows, at.records.gone, at.records.parts = rows, gone, parts
    touch_everything(at.records)
    running.poll()
    assert running.verdict == before


@pytest.mark.parametrize("attack", HEAD_ATTACKS, ids=lambda attack: attack.name)
def test_without_a_manifest_nothing_is_believed_until_it_is_back(attack: HeadAttack) -> None:
    at = victim()
    running = Server(at)
    before = running.verdict
    rows, head, parts = dict(at.records.rows), at.records.head, dict(at.records.parts)
    attack.do(at)
    touch_everything(at.records)
    running.poll()
    assert running.believed == {}
    assert attack.reason in str(running.last.blocked)
    assert running.verdict == Server(at).verdict
    at.records.rows, at.records.head, at.records.parts = rows, head, parts
    touch_everything(at.records)
    running.poll()
    assert running.verdict == before


def test_a_poll_without_news_tells_what_is_still_left_out() -> None:
    at = victim()
    at.set_column(LINE_1, enabled=False)
    server = Server(at)
    assert server.poll().distrusted == server.last.distrusted != {}
    assert server.last.delta.records == ()


def test_a_change_is_brought_alone() -> None:
    at = victim()
    server = Server(at)
    with change_records(ROOT_USER, at.deps) as changes:
        changes.update(at.row(LINE_2), {"enabled": False})
        changes.create("application", application_values("line-3"))
    brought = server.poll().delta.records
    assert sorted(str(record.values["name"]) for record in brought) == ["line-2", "line-3"]
    assert server.verdict == Server(at).verdict


def test_a_removal_is_brought_alone() -> None:
    at = victim()
    server = Server(at)
    with change_records(ROOT_USER, at.deps) as changes:
        changes.retire(at.row(LINE_1))
    read = server.poll()
    assert read.delta.records == ()
    assert read.delta.retired == (("application", 1),)
    assert read.distrusted == {}
    assert server.verdict == Server(at).verdict


def test_a_change_together_with_an_attack_on_another_row_brings_both_to_light() -> None:
    at = victim()
    server = Server(at)
    del at.records.rows[LINE_1]
    with change_records(ROOT_USER, at.deps) as changes:
        changes.update(at.row(LINE_2), {"enabled": False})
    server.poll()
    assert "its row is gone" in server.last.distrusted[Key("application", 1)]
    assert server.believed[LINE_2].values["enabled"] is False
    assert server.verdict == Server(at).verdict


def test_a_change_whose_row_did_not_come_with_it_is_looked_for() -> None:
    """The manifest rises, and the row that it names is set back at once."""
    at = victim()
    server = Server(at)
    old = at.row(LINE_2)
    with change_records(ROOT_USER, at.deps) as changes:
        changes.update(old, {"enabled": False})
    at.records.rows[LINE_2] = old
    server.poll()
    assert "an older row was put back" in server.last.distrusted[Key("application", 2)]
    assert server.verdict == Server(at).verdict


def test_a_row_that_is_removed_while_the_manifest_lists_it_is_missing() -> None:
    at = victim()
    server = Server(at)
    row = at.records.rows.pop(LINE_1)
    at.records.gone[LINE_1] = replace(row, removed_at=NOW)
    at.records.touch("application", 1)
    server.poll()
    assert Key("application", 1) in server.last.distrusted


def test_a_compromised_key_takes_what_it_signed_out_of_a_running_server() -> None:
    at = victim()
    server = Server(at)
    assert LINE_1 in server.believed
    declare_key_compromised(ROOT_USER, "admin-1", NOW, at.deps)
    server.poll()
    assert server.verdict == Server(at).verdict
    assert LINE_1 not in server.believed


def test_a_database_that_is_older_than_the_last_read_is_left_to_the_caller() -> None:
    at = victim()
    server = Server(at)
    server.revision += 5
    assert server.feed.read(server.revision).delta.revision < server.revision
    server.revision = 0
    server.poll()
    assert server.verdict == Server(at).verdict


def test_a_new_node_believes_the_manifest_that_it_finds() -> None:
    at = victim()
    gate = RecordGate(trust(), new_high_water())
    read = TrustedFeed(MemoryFeed(at.records), gate, lambda seen: None).read(0)
    assert (read.blocked, read.distrusted) == (None, {})


def test_what_is_verified_later_and_fails_is_left_out_at_the_next_poll(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at = victim()
    server = Server(at)
    monkeypatch.setattr(trusted_feed, "SIGNATURES_AT_ONCE", 0)
    seal_as_they_are(at.records, new_sealing(OFFICER_1), [LINE_2])
    touch_everything(at.records)
    assert server.poll().distrusted == {}
    monkeypatch.setattr(trusted_feed, "SIGNATURES_AT_ONCE", 1000)
    read = server.poll()
    assert set(read.distrusted) == {LINE_2}
    assert read.renewed
