"""The processes of a running server, as `/readyz` and the kernel tell of them."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.running_server import RunningServer


def process_ids(server: RunningServer, role: str) -> tuple[int, ...]:
    """Of the living processes of that role ("est" or "status")."""
    return tuple(process["pid"] for process in _processes(server) if process["role"] == role)


def wait_for_successor(server: RunningServer, role: str, gone: int) -> int:
    """The only process of that role, once it is another one."""
    seen: list[tuple[int, ...]] = []

    def has_successor() -> bool:
        seen.append(process_ids(server, role))
        return len(seen[-1]) == 1 and seen[-1] != (gone,)

    until(has_successor, 20, f"another {role} process")
    return seen[-1][0]


def children(server: RunningServer) -> tuple[int, ...]:
    supervisor = server.process.pid
    return tuple(int(pid) for pid in _read(f"/proc/{supervisor}/task/{supervisor}/children").split())


def is_running(pid: int) -> bool:
    state = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return bool(state) and state[0] not in ("Z", "X")


def open_sockets(pid: int) -> int:
    targets = (target.readlink() for target in Path(f"/proc/{pid}/fd").iterdir())
    return sum(str(target).startswith("socket:") for target in targets)


def until(holds: Callable[[], bool], seconds: float, what: str) -> float:
    """Wait, and give back how long it took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, f"{what}: not within {seconds:g} s"
        time.sleep(0.02)
    return time.monotonic() - began


def is_ready(server: RunningServer) -> bool:
    try:
        return server.readiness()[0] == 200
    except OSError:
        return False


def fetch_crl(server: RunningServer) -> bytes:
    with urllib.request.urlopen(f"{server.status_url}/crl/issuing.crl", timeout=10) as answer:
        crl: bytes = answer.read()
    return crl


def unexpected_log_lines(server: RunningServer) -> list[str]:
    """Tracebacks and exceptions: a fault that was foreseen is told in one line."""
    lines = server.log.read_text().splitlines()
    return [line for line in lines if "Traceback" in line or '"exception"' in line]


def _processes(server: RunningServer) -> list[dict[str, Any]]:
    detail: Any = server.readiness()[1]
    return [process for process in detail.get("processes", ()) if process["alive"]]


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
