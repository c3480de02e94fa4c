"""The audit chain of a running server: whole after whatever kills its processes, and broken by who edits the table."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

from tests.command import Commands
from tests.fault.ledger import execute, query
from tests.fault.load import Load
from tests.fault.processes import process_ids, until, wait_for_successor
from tests.running_server import running_server

CHECKPOINT_SECONDS = 10


def verify(commands: Commands, *options: str | Path, expect: int = 0) -> Any:
    return json.loads(commands.run("--json", "audit", "verify", *options, expect=expect).stdout)


def covered(report: Any) -> dict[str, tuple[int, int]]:
    return {one["stream"]: (one["last"], one["covered"]) for one in report["streams"]}


def test_killed_processes_leave_a_whole_chain_that_their_successors_close(home: Path, tmp_path: Path) -> None:
    commands = Commands(home, tmp_path)
    with running_server(home) as server, Load(server) as load:
        for _ in range(3):
            load.wait_for(20)
            (worker,) = process_ids(server, "est")
            os.kill(worker, signal.SIGKILL)
            wait_for_successor(server, "est", worker)
            # While it runs, too.
            assert verify(commands)["found"] == 0
        (status,) = process_ids(server, "status")
        os.kill(status, signal.SIGKILL)
        wait_for_successor(server, "status", status)
        load.stop()
        assert server.stop() == 0
    report = verify(commands)
    assert report["findings"] == []
    processes = [one["process"].partition(" ")[0] for one in report["streams"]]
    assert sorted(processes) == ["commands", *["est-0"] * 4, "portal", "status", "status"]
    # The last processes signed a checkpoint when they stopped.
    assert all(last == told for last, told in covered(report).values())


def test_three_workers_keep_three_streams(postgres_home: Path, tmp_path: Path) -> None:
    commands = Commands(postgres_home, tmp_path)
    with running_server(postgres_home, "--workers", "3") as server, Load(server, clients=6) as load:
        load.wait_for(200)
        load.stop()
        assert server.stop() == 0
    report = verify(commands)
    assert report["findings"] == []
    workers = [one for one in report["streams"] if one["process"].startswith("est-")]
    assert len(workers) == 3
    assert all(one["events"] > 2 for one in workers)
    assert sum(one["events"] for one in workers) >= 200


def test_checkpoints_are_copied_to_a_file_that_tells_of_what_the_database_lost(
    home: Path, tmp_path: Path
) -> None:
    commands = Commands(home, tmp_path)
    path = home / "audit" / "checkpoints.jsonl"
    with running_server(home) as server, Load(server) as load:
        load.wait_for(10)
        until(path.exists, CHECKPOINT_SECONDS, "the first checkpoint")
        load.stop()
        server.stop()
    assert path.stat().st_mode & 0o777 == 0o600
    off_host = Path(shutil.copy(path, tmp_path / "off-host.jsonl"))
    path.unlink()
    with path.open("w") as torn:
        torn.write('{"body": "')
    execute(home, "DELETE FROM audit_checkpoints;")
    ((last,),) = query(home, "SELECT max(id) FROM audit_events WHERE kind = 'est.stopped'")
    execute(home, f"DELETE FROM audit_events WHERE id = {last};")
    assert verify(commands)["found"] == 0
    report = verify(commands, "--checkpoint", off_host, expect=65)
    assert [finding["what"] for finding in report["findings"]] == ["tail-cut"]


def test_a_property_changed_by_sql_has_its_event_within_seconds(home: Path, tmp_path: Path) -> None:
    commands = Commands(home, tmp_path)
    with running_server(home) as server:
        execute(home, "UPDATE api_properties SET status = 'Active';")

        def is_audited() -> bool:
            return len(commands.json("audit", "list", "--kind", "property.changed")) == 2

        until(is_audited, 4, "the event")
        server.stop()
    assert verify(commands)["found"] == 0
