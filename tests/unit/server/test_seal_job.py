"""One node tells what every node sees."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

import pytest

from certuary.server.lease import Lease
from certuary.server.seal_job import LEASE, SealJob, SealJobDeps
from certuary.services.change_record import change_records
from certuary.services.record_gate import RecordGate
from certuary.services.watch_seals import SealWatch
from tests.memory_records import FixedClock, MemoryLeases, MemoryRecords, MemoryRowWatch
from tests.unit.services.attacks import HEAD_ATTACKS, LINE_1, LINE_2, HeadAttack, Victim, victim
from tests.unit.services.change_fixtures import ROOT_USER
from tests.unit.services.sealing import new_high_water, sealing_of, trust


class Node:
    """`look_seconds` is how long each look takes; `looked_at` when they began."""

    def __init__(
        self,
        at: Victim,
        leases: MemoryLeases,
        name: str = "node-1",
        *,
        look_seconds: float = 0,
        wait_seconds: float = 0,
    ) -> None:
        """Each look works for `look_seconds` and waits for `wait_seconds`."""
        self.now = self.worked = 0.0
        self.looked_at: list[float] = []
        self._look_seconds, self._wait_seconds = look_seconds, wait_seconds
        high_water = sealing_of(at.deps).high_water
        gate = RecordGate(trust(), high_water)
        deps = SealJobDeps(
            watch=SealWatch(_Rows(at.records, self.begin_look), gate),
            gate=gate,
            high_water=high_water,
            records=at.records,
            lease=Lease(leases, LEASE, name),
            clock=FixedClock(),
            steady=lambda: self.now,
            core_seconds=lambda: self.worked,
        )
        self.job = SealJob(deps)

    def begin_look(self) -> None:
        self.looked_at.append(self.now)
        self.worked += self._look_seconds
        self.now += self._look_seconds + self._wait_seconds

    def tick(self, seconds: float = 0.5) -> None:
        self.now += seconds
        self.job.tick()


class _Rows(MemoryRowWatch):
    def __init__(self, records: MemoryRecords, begin: Callable[[], None]) -> None:
        super().__init__(records)
        self._begin = begin

    def moment(self) -> AbstractContextManager[None]:
        self._begin()
        return super().moment()


@pytest.fixture
def at() -> Victim:
    return victim()


@pytest.fixture
def leases() -> MemoryLeases:
    return MemoryLeases()


def told(records: MemoryRecords) -> list[tuple[str, str]]:
    return [(event.kind, event.target) for event in records.audit]


def test_where_nothing_is_wrong_nothing_is_written(at: Victim, leases: MemoryLeases) -> None:
    node = Node(at, leases)
    revision = at.records.revision
    for _ in range(3):
        node.tick()
    assert (at.records.audit, at.records.revision, node.job.problems) == ([], revision, ())


def test_a_broken_record_is_told_once_and_touched_once(at: Victim, leases: MemoryLeases) -> None:
    node = Node(at, leases)
    node.tick()
    at.set_column(LINE_1, enabled=False)
    before = at.row(LINE_1).revision
    node.tick()
    touched = at.row(LINE_1).revision
    assert touched > before
    for _ in range(3):
        node.tick()
    assert at.row(LINE_1).revision == touched
    assert told(at.records) == [("seal.broken", "application:line-1")]
    event = at.records.audit[0]
    assert (event.actor_kind, event.actor) == ("system", "seal-watch")
    assert "enabled: not what 'admin-1' signed" in json.loads(event.detail)["reason"]
    assert node.job.problems == ("application 'line-1' is left out: " + json.loads(event.detail)["reason"],)


def test_a_restart_tells_nothing_twice(at: Victim, leases: MemoryLeases) -> None:
    first = Node(at, leases)
    at.set_column(LINE_1, enabled=False)
    first.tick()
    second = Node(at, leases)
    for _ in range(2):
        second.tick()
    assert told(at.records) == [("seal.broken", "application:line-1")]
    assert second.job.problems == first.job.problems


def test_a_record_that_breaks_in_another_way_is_told_again(at: Victim, leases: MemoryLeases) -> None:
    node = Node(at, leases)
    at.set_column(LINE_1, enabled=False)
    node.tick()
    at.set(LINE_1, seal="")
    node.tick()
    assert told(at.records) == [("seal.broken", "application:line-1")] * 2


def test_a_mended_record_is_told_and_touched(at: Victim, leases: MemoryLeases) -> None:
    node = Node(at, leases)
    good = at.row(LINE_1)
    at.set_column(LINE_1, enabled=False)
    node.tick()
    at.records.rows[LINE_1] = good
    node.tick()
    assert told(at.records) == [
        ("seal.broken", "application:line-1"),
        ("seal.mended", "application:line-1"),
    ]
    assert at.row(LINE_1).revision > good.revision
    assert (at.records.problems, node.job.problems) == ({}, ())


def test_what_was_mended_while_no_node_ran_is_told_by_the_next(at: Victim, leases: MemoryLeases) -> None:
    good = at.row(LINE_1)
    at.set_column(LINE_1, enabled=False)
    Node(at, leases).tick()
    at.records.rows[LINE_1] = good
    Node(at, leases).tick()
    assert told(at.records)[-1] == ("seal.mended", "application:line-1")


def test_a_proper_change_mends_too(at: Victim, leases: MemoryLeases) -> None:
    node = Node(at, leases)
    at.set_column(LINE_1, enabled=False)
    node.tick()
    with change_records(ROOT_USER, at.deps) as changes:
        changes.adopt(at.row(LINE_1))
    node.tick()
    assert told(at.records)[-1] == ("seal.mended", "application:line-1")


@pytest.mark.parametrize("attack", HEAD_ATTACKS, ids=lambda attack: attack.name)
def test_a_broken_manifest_is_one_event(attack: HeadAttack, at: Victim, leases: MemoryLeases) -> None:
    node = Node(at, leases)
    node.tick()
    attack.do(at)
    for _ in range(3):
        node.tick()
    assert told(at.records) == [("seal.broken", "manifest:head")]


def test_a_node_without_the_lease_sees_and_does_not_tell(at: Victim, leases: MemoryLeases) -> None:
    leases.held[LEASE] = "another"
    node = Node(at, leases)
    at.set_column(LINE_1, enabled=False)
    node.tick()
    assert at.records.audit == []
    assert len(node.job.problems) == 1


def test_a_node_that_gets_the_lease_later_tells_what_nobody_told(at: Victim, leases: MemoryLeases) -> None:
    leases.held[LEASE] = "another"
    node = Node(at, leases)
    at.set_column(LINE_1, enabled=False)
    node.tick()
    leases.release(LEASE, "another")
    node.tick(5)
    assert told(at.records) == [("seal.broken", "application:line-1")]


def test_two_nodes_tell_one_event(at: Victim, leases: MemoryLeases) -> None:
    nodes = [Node(at, leases, "node-1"), Node(at, leases, "node-2")]
    for node in nodes:
        node.tick()
    at.set_column(LINE_1, enabled=False)
    at.set_column(LINE_2, enabled=False)
    for node in nodes:
        node.tick()
    nodes[0].job.stop()
    assert leases.held == {}
    nodes[1].tick(5)
    nodes[1].tick(5)
    assert sorted(told(at.records)) == [
        ("seal.broken", "application:line-1"),
        ("seal.broken", "application:line-2"),
    ]


def test_a_look_that_took_long_is_followed_by_a_rest(at: Victim, leases: MemoryLeases) -> None:
    node = Node(at, leases, look_seconds=2)
    while node.now < 45:
        node.tick()
    pauses = [after - before for before, after in zip(node.looked_at, node.looked_at[1:], strict=False)]
    assert pauses == [20, 20]


def test_a_look_that_had_to_wait_is_followed_by_the_next_at_once(at: Victim, leases: MemoryLeases) -> None:
    node = Node(at, leases, wait_seconds=2)
    while node.now < 10:
        node.tick()
    pauses = [after - before for before, after in zip(node.looked_at, node.looked_at[1:], strict=False)]
    assert pauses == [2.5, 2.5, 2.5]


def test_the_high_water_mark_rises_with_what_the_watch_sees(at: Victim, leases: MemoryLeases) -> None:
    fresh = replace(sealing_of(at.deps), high_water=new_high_water())
    node = Node(replace(at, deps=replace(at.deps, sealing=fresh)), leases)
    assert fresh.high_water.newest() is None
    node.tick()
    assert fresh.high_water.newest() == sealing_of(at.deps).high_water.newest()
