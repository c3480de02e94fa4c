"""Started while the database is away: clients are told to come back, and served once it is there."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.est_session import BASE, Answer, EstSession
from tests.fault.processes import fetch_crl, is_ready, until
from tests.postgres import PostgresServer
from tests.running_server import CERTUARY, RunningServer, free_ports


@pytest.fixture
def database() -> Iterator[PostgresServer]:
    server = PostgresServer.start(durable=True)  # what was committed is there after a crash
    yield server
    server.stop()


def test_a_server_started_without_its_database_answers_503_and_finds_it_by_itself(
    database: PostgresServer, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    url = database.create_database("cold")
    subprocess.run([CERTUARY, "--home", home, "init", "--database-url", url], check=True, capture_output=True)
    database.crash()
    est, status, portal = free_ports(3)
    command: list[str | Path] = [
        CERTUARY,
        "--home",
        home,
        "serve",
        "--est-port",
        str(est),
        "--status-port",
        str(status),
        "--portal-port",
        str(portal),
    ]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    server = RunningServer(
        home=home,
        est_port=est,
        status_port=status,
        portal_port=portal,
        process=process,
        log=tmp_path / "log",
    )
    try:
        refused = ask_until(server, 503)
        assert "the database cannot be reached" in refused.text
        assert refused.headers["Retry-After"]
        until(lambda: not_ready_because(server, "the database cannot be reached"), 5, "the worker's report")
        database.run_again()
        assert ask_until(server, 200).status == 200
        until(lambda: is_ready(server), 10, "ready")
        assert fetch_crl(server)
        until(lambda: portal_is_recorded(home), 10, "the portal's audit stream")
        until(lambda: portal_has_database(server), 5, "the portal's report")
    finally:
        assert server.stop() == 0


def not_ready_because(server: RunningServer, reason: str) -> bool:
    status, detail = server.readiness()
    assert status == 503
    return reason in str(detail["reasons"])


def portal_is_recorded(home: Path) -> bool:
    arguments = ("audit", "list", "--kind", "portal.started", "--json")
    listed = subprocess.run([CERTUARY, "--home", home, *arguments], check=True, capture_output=True)
    return bool(json.loads(listed.stdout))


def portal_has_database(server: RunningServer) -> bool:
    reports = server.readiness()[1]["processes"]
    assert isinstance(reports, list)
    return [one["database_ok"] for one in reports if one["role"] == "portal"] == [True]


def ask_until(server: RunningServer, status: int) -> Answer:
    deadline = time.monotonic() + 20
    while True:
        try:
            with EstSession(server) as session:
                answer = session.ask(f"{BASE}/cacerts")
            if answer.status == status:
                return answer
        except OSError:
            pass
        assert time.monotonic() < deadline, f"no {status} in 20 s"
        time.sleep(0.1)
