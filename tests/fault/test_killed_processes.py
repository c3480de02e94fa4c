"""`kill -9` of each process, at random moments and under load."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

from tests.fault.ledger import check_ledger
from tests.fault.load import Load
from tests.fault.processes import (
    children,
    fetch_crl,
    is_ready,
    is_running,
    process_ids,
    until,
    wait_for_successor,
)
from tests.running_server import RunningServer, running_server

KILLS = 20


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def test_nothing_acknowledged_is_lost_when_the_worker_is_killed_twenty_times(
    home: Path, tell: Callable[[str], None]
) -> None:
    with running_server(home) as server, Load(server) as load:
        (worker,) = process_ids(server, "est")
        for _ in range(KILLS):
            load.wait_for(1)
            time.sleep(random.uniform(0, 0.3))
            kill(worker)
            worker = wait_for_successor(server, "est", worker)
        load.wait_for(20)
        load.stop()
        tell(
            f"worker killed {KILLS} times: {len(load.received)} received, {len(load.unanswered)} cut off,"
            f" {len(load.refused)} refused"
        )
        assert load.unanswered, "no kill hit a request"
        assert load.torn == []
        assert {refusal.status for refusal in load.refused} <= {429, 503}
        check_ledger(home, load.received)
        until(lambda: is_ready(server), 5, "ready")
        assert server.stop() == 0


def test_a_worker_killed_again_while_it_starts_is_started_once_more(home: Path) -> None:
    with running_server(home) as server:
        (gone,) = process_ids(server, "est")
        (status,) = process_ids(server, "status")
        for _ in range(3):
            kill(gone)
            gone = wait_for_child(server, {gone, status})
        wait_for_successor(server, "est", 0)
        with Load(server) as load:
            load.wait_for(10)
        check_ledger(home, load.received)


def wait_for_child(server: RunningServer, known: set[int]) -> int:
    until(lambda: not known.issuperset(children(server)), 5, "a new process")
    (child,) = set(children(server)) - known
    return child


def test_a_killed_status_process_comes_back_and_enrolment_does_not_notice(home: Path) -> None:
    with running_server(home) as server, Load(server, clients=2) as load:
        workers = process_ids(server, "est")
        for _ in range(3):
            (status,) = process_ids(server, "status")
            crl = fetch_crl(server)
            kill(status)
            # Its port stays open: the connection waits until it is back.
            assert fetch_crl(server) == crl
            wait_for_successor(server, "status", status)
        assert process_ids(server, "est") == workers
        load.stop()
        assert (load.unanswered, load.torn, load.refused) == ([], [], [])
        check_ledger(home, load.received)


def test_processes_end_with_a_killed_supervisor_and_a_new_start_works(
    home: Path, tell: Callable[[str], None]
) -> None:
    with running_server(home) as server, Load(server) as load:
        load.wait_for(20)
        orphans = children(server)
        assert len(orphans) == 3
        kill(server.process.pid)
        took = until(lambda: not any(map(is_running, orphans)), 10, "the end of the orphans")
        tell(f"supervisor killed: its processes ended after {took:.2f} s")
        assert load.torn == []
        with running_server(home, est_port=server.est_port, status_port=server.status_port) as again:
            load.wait_for(20)
            load.stop()
            received = {one.common_name for one in load.received}
            assert check_ledger(home, load.received).common_names == received
            assert again.stop() == 0
