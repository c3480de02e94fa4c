"""A database that answers but cannot be written: 503 and no certificate, until it can be."""

from __future__ import annotations

import contextlib
import resource
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from tests.fault.ledger import check_ledger
from tests.fault.load import Load
from tests.fault.processes import fetch_crl, is_ready, process_ids, unexpected_log_lines, until
from tests.running_server import RunningServer, running_server

# As the store configures it; importing it would configure Django here.
SQLITE_BUSY_SECONDS = 10
ROOM_OCTETS = 64 * 1024


def test_nothing_is_lost_when_the_disk_is_full(home: Path) -> None:
    with running_server(home) as server, Load(server) as load:
        worker = process_ids(server, "est")
        for _ in range(2):
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
def full_disk(server: RunningServer) -> Iterator[None]:
    """No file of the server's processes grows beyond what the write-ahead log is now, and a little."""
    limit = (server.home / "certuary.db-wal").stat().st_size + ROOM_OCTETS
    limited = [*process_ids(server, "est"), *process_ids(server, "status")]
    for pid in limited:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
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
