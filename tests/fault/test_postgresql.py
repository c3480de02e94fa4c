"""Two workers on PostgreSQL: workers killed, PostgreSQL crashed and started again."""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from tests.fault.ledger import check_ledger
from tests.fault.load import Load
from tests.fault.processes import fetch_crl, is_ready, process_ids, unexpected_log_lines, until
from tests.postgres import PostgresServer
from tests.running_server import RunningServer, running_server

RECOVERY_SECONDS = 15
"""A worker that died while the database was away is tried every 5 s."""


def test_nothing_acknowledged_is_lost_when_workers_and_postgresql_crash(
    postgres: PostgresServer, postgres_home: Path, tell: Callable[[str], None]
) -> None:
    with running_server(postgres_home, "--workers", "2") as server, Load(server) as load:
        for _ in range(3):
            kill_a_worker(server)
            until(lambda: len(process_ids(server, "est")) == 2, 20, "both workers")
        crash_and_recover(postgres, server, load, lambda: None)
        took = crash_and_recover(postgres, server, load, lambda: kill_a_worker(server))
        load.stop()
        tell(
            f"PostgreSQL crashed twice, workers killed 4 times: {len(load.received)} received,"
            f" {len(load.refused)} refused, {len(load.unanswered)} cut off, ready again after {took:.1f} s"
        )
        assert load.torn == []
        assert {refusal.status for refusal in load.refused} <= {429, 503}
        check_ledger(postgres_home, load.received)
        assert server.stop() == 0
    assert unexpected_log_lines(server) == []


def test_a_page_of_the_portal_gives_its_connection_back(
    postgres: PostgresServer, postgres_home: Path
) -> None:
    with running_server(postgres_home) as server:
        until(lambda: process_ids(server, "portal") != (), 10, "the portal")
        open_page(server)
        before = connections(postgres)
        for _ in range(40):
            assert open_page(server) == 302
        assert connections(postgres) <= before + 1


def open_page(server: RunningServer) -> int:
    """Whose session has to be looked for."""
    browser = http.client.HTTPSConnection(
        "localhost", server.portal_port, context=server.tls_context(), timeout=10
    )
    with contextlib.closing(browser):
        browser.request("GET", "/applications/", headers={"Cookie": "__Host-certuary-session=" + "a" * 32})
        return browser.getresponse().status


def connections(postgres: PostgresServer) -> int:
    with psycopg.connect(postgres.url("postgres")) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'certuary'"
        ).fetchone()
    assert row is not None
    return int(row[0])


def kill_a_worker(server: RunningServer) -> None:
    time.sleep(random.uniform(0, 0.3))
    worker = random.choice(process_ids(server, "est"))
    os.kill(worker, signal.SIGKILL)
    until(lambda: worker not in process_ids(server, "est"), 5, "its end to be noticed")


def crash_and_recover(
    postgres: PostgresServer, server: RunningServer, load: Load, meanwhile: Callable[[], None]
) -> float:
    """Give back how long it took from PostgreSQL's return to the node's."""
    load.wait_for(20)
    crl = fetch_crl(server)
    postgres.crash()
    crashed_at = time.monotonic()
    load.wait_for_refusals(10)
    meanwhile()
    until(lambda: not is_ready(server), 10, "not ready")
    assert "database" in str(server.readiness()[1]["reasons"])
    assert fetch_crl(server) == crl
    load.wait_for_refusals(5)
    down = [refusal for refusal in load.refused if refusal.answered_at > crashed_at and refusal.status != 429]
    assert down
    for refusal in down:
        assert refusal.status == 503, refusal
        assert int(refusal.retry_after or 0) > 0
        assert "database" in refusal.text
    postgres.run_again()
    back_at = time.monotonic()
    load.wait_for(20, seconds=RECOVERY_SECONDS)
    until(lambda: is_ready(server) and len(process_ids(server, "est")) == 2, RECOVERY_SECONDS, "a whole node")
    return time.monotonic() - back_at
