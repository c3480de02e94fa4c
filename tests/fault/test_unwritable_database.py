"""A database that answers but cannot be written: 503 and no certificate, until it can be."""

from __future__ import annotations

import contextlib
import resource
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from tests.fault.ledger import check_ledger, query
from tests.fault.load import Load
from tests.fault.processes import children, fetch_crl, is_ready, process_ids, unexpected_log_lines, until
from tests.running_server import RunningServer, running_server

# As the store configures it; importing it would configure Django here.
SQLITE_BUSY_SECONDS = 10
RECOVERIES = "SELECT count(*) FROM audit_events WHERE kind = 'database.recovered'"


def test_nothing_is_lost_when_the_disk_is_full(home: Path) -> None:
    with complete_server(home) as server, Load(server) as load:
        worker = process_ids(server, "est")
        load.wait_for(30)
        with full_disk(server):
            load.wait_for_refusals(20)
            check_refusals(load)
            until(lambda: not is_ready(server), 10, "not ready")
            assert "database" in str(server.readiness()[1]["reasons"])
            assert fetch_crl(server)
        load.wait_for(30)
        until(lambda: is_ready(server), 10, "ready again")
        load.stop()
        assert process_ids(server, "est") == worker
        check_whole(server, load)


def test_a_node_that_nobody_asks_finds_out_by_itself_that_it_can_write_again(home: Path) -> None:
    with complete_server(home) as server:
        with Load(server) as load, full_disk(server):
            load.wait_for_refusals(20)
            load.stop()
            until(lambda: not is_ready(server), 10, "not ready")
        assert query(home, RECOVERIES) == [(0,)]
        until(lambda: is_ready(server), 10, "ready again")
        until(lambda: query(home, RECOVERIES) == [(1,)], 5, "the event")
        check_whole(server, load)


def test_nothing_is_lost_when_another_process_locks_the_database_for_too_long(home: Path) -> None:
    with running_server(home) as server, Load(server) as load:
        load.wait_for(30)
        with locked(home):
            load.wait_for_refusals(4, SQLITE_BUSY_SECONDS + 5)
        check_refusals(load)
        load.wait_for(30)
        until(lambda: is_ready(server), 10, "ready again")
        load.stop()
        check_whole(server, load)


@contextlib.contextmanager
def complete_server(home: Path) -> Iterator[RunningServer]:
    """With its portal: a process that only begins may end at once on a full disk, and be started again later."""
    with running_server(home) as server:
        until(lambda: process_ids(server, "portal") != (), 10, "the portal")
        yield server


@contextlib.contextmanager
def full_disk(server: RunningServer) -> Iterator[None]:
    """None of the server's processes can write to any file, its log included."""
    limited = [server.process.pid, *children(server)]
    for pid in limited:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    yield
    for pid in limited:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@contextlib.contextmanager
def locked(home: Path) -> Iterator[None]:
    with contextlib.closing(sqlite3.connect(home / "certuary.db", isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        yield
        database.execute("ROLLBACK")


def check_refusals(load: Load) -> None:
    for refusal in load.refused:
        assert refusal.status == 503, refusal
        assert int(refusal.retry_after or 0) > 0
        assert "database" in refusal.text


def check_whole(server: RunningServer, load: Load) -> None:
    assert (load.torn, load.unanswered) == ([], [])
    refused = {refusal.common_name for refusal in load.refused}
    ledger = check_ledger(server.home, load.received)
    assert ledger.common_names == {one.common_name for one in load.received}
    assert not ledger.common_names & refused, "refused with 503, and issued"
    assert unexpected_log_lines(server) == []
