"""Start the real `certuary serve` in a process group of its own, wait until it is ready, stop it."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

CERTUARY = Path(sys.executable).with_name("certuary")
READY_SECONDS = 60.0
STOP_SECONDS = 40.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningServer:
    home: Path
    est_port: int
    status_port: int
    portal_port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def est_url(self) -> str:
        """`https://localhost:PORT`, without a path."""
        return f"https://localhost:{self.est_port}"

    @property
    def status_url(self) -> str:
        return f"http://localhost:{self.status_port}"

    @property
    def portal_url(self) -> str:
        return f"https://localhost:{self.portal_port}"

    @property
    def root_pem(self) -> Path:
        return self.home / "root.pem"

    @property
    def netrc(self) -> Path:
        return self.home / "quickstart.netrc"

    def readiness(self) -> tuple[int, Mapping[str, object]]:
        """What `/readyz` says to loopback: status and detail."""
        request = urllib.request.Request(f"{self.status_url}/readyz", headers={"Accept": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status, _detail(answer.read())
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, _detail(refusal.read())

    def tls_context(self) -> ssl.SSLContext:
        """Trusts this server's root and nothing else."""
        return ssl.create_default_context(cafile=self.root_pem)

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(timeout=STOP_SECONDS)


@contextmanager
def running_server(
    home: Path,
    *flags: str,
    est_port: int | None = None,
    status_port: int | None = None,
    environment: Mapping[str, str] | None = None,
    until_status: int = 200,
) -> Iterator[RunningServer]:
    """`certuary serve` on `home`, once `/readyz` answers `until_status`.

    Its log is beside the home, which so holds only its own files.
    """
    ports = free_ports(3)
    est, status, portal = est_port or ports[0], status_port or ports[1], ports[2]
    log = home.with_name(f"{home.name}.log")
    with ExitStack() as cleanup:
        output = cleanup.enter_context(log.open("ab"))
        process = subprocess.Popen(
            [CERTUARY, "serve", "--home", home, *_ports(est, status, portal), *flags],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(os.environ) | dict(environment or {}),
            start_new_session=True,
        )
        cleanup.callback(_end, process)
        server = RunningServer(
            home=home, est_port=est, status_port=status, portal_port=portal, process=process, log=log
        )
        _wait_until_ready(server, until_status)
        yield server


def _ports(est: int, status: int, portal: int) -> tuple[str, ...]:
    return ("--est-port", str(est), "--status-port", str(status), "--portal-port", str(portal))


def free_ports(count: int) -> tuple[int, ...]:
    """Ports of loopback that are free now; held together while choosing, so that they differ."""
    with ExitStack() as held:
        listeners = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return tuple(listener.getsockname()[1] for listener in listeners)


def _wait_until_ready(server: RunningServer, until_status: int) -> None:
    deadline = time.monotonic() + READY_SECONDS
    answer: object = "no answer"
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            raise AssertionError(f"certuary serve ended with {server.process.returncode}:\n{_tail(server)}")
        try:
            status, answer = server.readiness()
        except OSError as problem:
            answer = problem
        else:
            if status == until_status:
                return
        time.sleep(0.05)
    raise AssertionError(f"not ready after {READY_SECONDS:.0f} s: {answer}\n{_tail(server)}")


def _tail(server: RunningServer) -> str:
    return server.log.read_text(errors="replace")[-4000:]


def _detail(body: bytes) -> Mapping[str, object]:
    try:
        detail = json.loads(body)
    except ValueError:
        return {"text": body.decode(errors="replace")}
    return detail if isinstance(detail, dict) else {"text": detail}


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask, then insist; what is left of its process group goes too: no test leaves a process running."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
