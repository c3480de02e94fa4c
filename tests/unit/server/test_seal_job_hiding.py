"""What tells of broken seals holds to what it knows itself, whatever plain SQL wrote into its own tables."""

from __future__ import annotations

import pytest

from certuary.server.seal_job import LEASE
from tests.memory_records import MemoryLeases
from tests.unit.server.test_seal_job import Node, told
from tests.unit.services.attacks import LINE_1, Victim, victim

BROKEN = ("seal.broken", "application:line-1")
MENDED = ("seal.mended", "application:line-1")


@pytest.fixture
def at() -> Victim:
    return victim()


def test_what_the_database_says_was_told_spares_no_event(at: Victim) -> None:
    node = Node(at, MemoryLeases())
    node.tick()
    good = at.row(LINE_1)
    at.set_column(LINE_1, enabled=False)
    node.tick()
    words = dict(at.records.problems)
    at.records.rows[LINE_1] = good
    node.tick()
    at.set_column(LINE_1, enabled=False)
    at.records.problems.update(words)
    node.tick()
    at.records.problems.clear()
    at.records.rows[LINE_1] = good
    node.tick()
    assert told(at.records) == [BROKEN, MENDED] * 2


def test_a_holder_of_the_lease_that_is_silent_is_not_waited_for(at: Victim) -> None:
    leases = MemoryLeases()
    leases.held[LEASE] = "nobody"
    node = Node(at, leases)
    node.tick()
    at.set_column(LINE_1, enabled=False)
    before = at.row(LINE_1).revision
    for _ in range(5):
        node.tick()
    assert told(at.records) == []
    for _ in range(5):
        node.tick()
    assert told(at.records) == [BROKEN]
    assert at.row(LINE_1).revision > before


def test_another_node_leaves_the_telling_to_the_holder(at: Victim) -> None:
    leases = MemoryLeases()
    first, second = Node(at, leases, "node-1"), Node(at, leases, "node-2")
    at.set_column(LINE_1, enabled=False)
    for _ in range(10):
        first.tick()
        second.tick()
    assert told(at.records) == [BROKEN]


def test_a_revision_that_was_set_back_rises_above_all_that_anybody_may_have_read(at: Victim) -> None:
    node = Node(at, MemoryLeases())
    node.tick()
    at.set_column(LINE_1, enabled=False)
    at.records.revision += 5  # since the last look: read by who serves, and by nobody else
    read = at.records.revision
    at.records.revision = 1
    node.tick()
    assert at.records.revision > read
    assert at.row(LINE_1).revision > read


def test_a_revision_that_was_set_back_alone_rises_too(at: Victim) -> None:
    node = Node(at, MemoryLeases())
    node.tick()
    before = at.records.revision
    at.records.revision = 1
    node.tick()
    assert at.records.revision > before
