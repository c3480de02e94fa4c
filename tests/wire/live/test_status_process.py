"""The status process as the supervisor starts it: inherited socket, board and pipe; a real home on SQLite."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509

from certuary.core.audit_chain import new_stream, stream_key
from certuary.server.board import Board
from certuary.server.child import ChildOrders, write_orders
from certuary.server.config import load_settings
from certuary.server.wiring import STATUS_ROLES, home_marker, open_store, unlock_keys
from certuary.services.audit_stream import commands_chain
from certuary.services.guarded_clock import GuardedClock, utc_now
from certuary.services.node import node_name
from certuary.services.process_report import ProcessReport
from certuary.services.revoke import Revocation, revoke
from certuary.services.trust import trust_path

CERTUARY = Path(sys.executable).with_name("certuary")
SLOT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    home: Path
    process: subprocess.Popen[bytes]
    board: Board
    port: int
    pipe_fd: int

    def get(self, path: str) -> tuple[int, bytes]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.read()

    def crl(self) -> x509.CertificateRevocationList:
        status, body = self.get("/crl/issuing.crl")
        assert status == 200
        return x509.load_der_x509_crl(body)


@pytest.fixture(scope="module")
def initialised_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("status") / "home"
    subprocess.run([CERTUARY, "init", "--home", made], check=True, capture_output=True)
    return made


@pytest.fixture
def home(initialised_home: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(initialised_home, tmp_path / "home"))


@contextmanager
def status_process(home: Path) -> Iterator[Running]:
    with ExitStack() as cleanup:
        listening = cleanup.enter_context(socket.create_server(("127.0.0.1", 0)))
        board = Board.create()
        cleanup.callback(board.close)
        read_fd, write_fd = os.pipe()
        cleanup.callback(_close, write_fd)
        os.set_inheritable(read_fd, True)
        keys = unlock_keys(load_settings(home))
        stream = new_stream()
        orders = ChildOrders(
            home=home,
            flags={},
            listen_fd=listening.fileno(),
            board_fd=board.fd,
            slot=SLOT,
            role_keys=keys.role_keys(STATUS_ROLES),
            node=node_name(home),
            stream=stream,
            stream_key=stream_key(keys.store(("audit",)).load_secret("audit", role="audit"), stream),
            trust=trust_path(keys.directory).read_text(),
        )
        write_orders(write_fd, orders)
        process = subprocess.Popen(
            [sys.executable, "-m", "certuary.server.status_process", str(read_fd)],
            pass_fds=(read_fd, listening.fileno(), board.fd),
        )
        cleanup.callback(_end, process)
        os.close(read_fd)
        running = Running(
            home=home, process=process, board=board, port=listening.getsockname()[1], pipe_fd=write_fd
        )
        _until(lambda: board.read(SLOT) is not None)
        yield running


@pytest.fixture
def running(home: Path) -> Iterator[Running]:
    with status_process(home) as started:
        yield started


def _close(fd: int) -> None:
    try:
        os.close(fd)
    except OSError:  # the test closed it
        return


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
    process.wait()


def _until(holds: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def _revoke_listener_certificate(home: Path) -> int:
    settings = load_settings(home)
    keys = unlock_keys(settings).store(("audit",))
    stores = open_store(settings, chain=lambda: commands_chain(keys))
    from certuary.store.certificates import list_certificates  # Django must be configured first

    (row, *_) = list_certificates().certificates
    clock = GuardedClock(wall=utc_now, steady=time.monotonic, newest_event_at=None)
    revocation = Revocation(
        authority_id=row.authority_id, serial=row.serial, reason="superseded", actor_kind="user", actor="eva"
    )
    revoke(revocation, stores.records, clock, home_marker(settings, unlock_keys(settings)))
    stores.close_connection()
    return row.serial


def test_everything_published_is_served(running: Running) -> None:
    chain = x509.load_pem_x509_certificates(running.get("/ca.pem")[1])
    issuing = x509.load_der_x509_certificate(running.get("/ca/issuing.crt")[1])
    assert [one.subject for one in chain] == [issuing.subject, issuing.issuer]
    crl = running.crl()
    assert crl.is_signature_valid(issuing.public_key())  # type: ignore[arg-type]  # an issuer's key signs
    assert running.get("/crl/root.crl")[0] == 200
    assert running.get("/healthz") == (200, b"ok\n")
    assert b"certuary_crl_number" in running.get("/metrics")[1]


def test_readiness_follows_what_the_workers_report(running: Running) -> None:
    assert running.get("/readyz")[0] == 503
    worker = ProcessReport(role="est", pid=1, started_at=time.time(), steady_at=time.monotonic())
    running.board.write(0, worker)
    status, detail = running.get("/readyz")
    assert status == 200
    assert b"passphrase lies beside the keys" in detail


def test_a_revocation_is_on_the_served_crl_within_two_seconds(running: Running) -> None:
    before = running.crl()
    serial = _revoke_listener_certificate(running.home)
    began = time.monotonic()
    _until(lambda: running.crl().get_revoked_certificate_by_serial_number(serial) is not None)
    assert time.monotonic() - began < 2
    number = x509.CRLNumber
    numbers = [crl.extensions.get_extension_for_class(number).value for crl in (before, running.crl())]
    assert numbers[1].crl_number == numbers[0].crl_number + 1


def test_a_missing_listener_certificate_is_made_again(running: Running) -> None:
    (running.home / "tls" / "listener.pem").unlink()
    running.process.terminate()
    assert running.process.wait(10) == 0
    with status_process(running.home):
        _until((running.home / "tls" / "listener.pem").exists)


def test_it_stops_when_the_supervisor_is_gone(running: Running) -> None:
    os.close(running.pipe_fd)
    assert running.process.wait(10) == 0


def test_it_stops_on_sigterm_although_a_connection_is_open(running: Running) -> None:
    with socket.create_connection(("127.0.0.1", running.port)):
        running.process.terminate()
        assert running.process.wait(10) == 0


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_signals_meant_for_others_leave_it_running(running: Running, number: signal.Signals) -> None:
    running.process.send_signal(number)
    time.sleep(0.2)
    assert running.get("/healthz")[0] == 200


def test_without_orders_it_says_how_it_is_started() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "certuary.server.status_process", "0"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 78
    assert b"certuary serve" in ended.stderr
