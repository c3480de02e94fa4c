"""Attacks that a review found, each against a listener or the whole server over real sockets."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from certuary.server import limits
from certuary.server.tls_transport import TlsConnection
from tests.est_session import BASE, EstSession, basic, quickstart_credentials
from tests.request_maker import usual_request
from tests.running_server import RunningServer, running_server
from tests.wire.live.test_listener import Running, head, read_all

POST_CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def listener() -> Iterator[Running]:
    running = Running()
    yield running
    running.stop()


# One connection.


def test_requests_sent_far_ahead_of_their_answers_are_refused(listener: Running) -> None:
    with listener.connect() as tls:
        tls.sendall(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n" * 500)
        answers = read_all(tls)
    assert 1 <= answers.count(b"200 OK") <= 2 + limits.MAX_PIPELINED
    assert b"HTTP/1.1 400 " in answers


def test_a_peer_that_never_reads_its_answers_is_cut(
    listener: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "FLUSH_SECONDS", 0.5)
    with listener.connect() as tls:
        tls.settimeout(5)
        with pytest.raises((ConnectionError, ssl.SSLError)):
            _ask_and_never_read(tls)


def _ask_and_never_read(tls: ssl.SSLSocket) -> None:
    """For 29 MB of answers, never many at once."""
    for _ in range(600):
        tls.sendall((b"GET /" + b"x" * 12_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n") * 4)
        time.sleep(0.01)


@pytest.mark.parametrize("framing", [b"0\r\nX: ", b"1;extension="], ids=["trailer", "chunk extension"])
def test_what_follows_a_body_without_end_is_refused(listener: Running, framing: bytes) -> None:
    with listener.connect() as tls:
        tls.sendall(POST_CHUNKED + framing)
        for _ in range(2 + limits.MAX_REQUEST_OCTETS // 16_384):
            tls.sendall(b"a" * 16_384)
        assert head(read_all(tls)).startswith(b"HTTP/1.1 413 ")


class ShowsHeaders(Running):
    """Answers with the names of the headers that the application is given once the request is whole."""

    async def _app(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        await receive()
        names = b",".join(name for name, _ in scope["headers"])
        headers = [(b"Content-Length", b"%d" % len(names))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": names, "more_body": False})


def test_a_trailer_never_passes_for_a_header() -> None:
    running = ShowsHeaders()
    try:
        answer = running.ask(POST_CHUNKED, b"0\r\nAuthorization: Basic eDp5\r\n\r\n")
    finally:
        running.stop()
    assert answer.endswith(b"host,connection,transfer-encoding")


@pytest.mark.parametrize(
    "raw", [b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"GET /\r\n\r\n"]
)
def test_the_framing_of_older_versions_of_http_is_refused(listener: Running, raw: bytes) -> None:
    assert head(listener.ask(raw)).startswith(b"HTTP/1.1 400 ")


def test_a_connection_with_an_answer_under_way_has_a_deadline_once_the_peer_is_gone(
    listener: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []
    eof_received = TlsConnection.eof_received

    def watched(self: TlsConnection) -> bool:
        result = eof_received(self)
        seen.append(self.deadline)
        return result

    monkeypatch.setattr(TlsConnection, "eof_received", watched)
    with listener.connect() as tls:
        tls.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        assert listener.slow.wait(5)
        socket.socket.shutdown(tls, socket.SHUT_WR)
        time.sleep(0.2)
    assert len(seen) == 1
    assert seen[0] < float("inf")


def test_a_torn_record_ends_the_connection_even_while_an_answer_is_under_way(listener: Running) -> None:
    with listener.connect() as tls:
        tls.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        assert listener.slow.wait(5)
        (connection,) = listener.listener.connections
        socket.socket.send(tls, b"\x17\x03\x03\x00\x13" + b"z" * 19)
        with pytest.raises(ssl.SSLError):
            read_all(tls)
    assert connection.deadline < float("inf")


# The whole server.


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("review") / "home") as running:
        yield running


def new_request(common_name: str = "dev-1") -> bytes:
    return usual_request(ec.generate_private_key(ec.SECP256R1()), common_name=common_name)


def children_of(server: RunningServer) -> dict[str, int]:
    """The processes of a server by module."""
    pid = server.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    commands = {int(child): Path(f"/proc/{child}/cmdline").read_text().split("\0") for child in children}
    return {command[2]: child for child, command in commands.items() if command[1:2] == ["-m"]}


def est_worker(server: RunningServer) -> int:
    return children_of(server)["certuary.server.worker"]


def wait_until(holds: Callable[[], bool], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if holds():
            return True
        time.sleep(0.05)
    return False


def s_client(server: RunningServer, *options: str | Path) -> list[str | Path]:
    target = f"localhost:{server.est_port}"
    return ["openssl", "s_client", "-connect", target, "-CAfile", server.root_pem, *options]


def test_renegotiation_is_refused(server: RunningServer) -> None:
    with subprocess.Popen(
        s_client(server, "-tls1_2"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write(b"R\n")  # S-20: at the start of a line it asks for renegotiation
        client.stdin.flush()
        said = client.stdout.read()  # it ends by itself when refused
    assert b"RENEGOTIATING" in said
    assert b"no renegotiation" in said


def talk(client: list[str | Path], typed: bytes) -> str:
    done = subprocess.run(client, input=typed, capture_output=True, timeout=20, check=False)
    return (done.stdout + done.stderr).decode(errors="replace")


def test_early_data_is_not_accepted(server: RunningServer, tmp_path: Path) -> None:
    session, early = tmp_path / "session", tmp_path / "early"
    early.write_bytes(
        b"GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    first = talk(s_client(server, "-tls1_3", "-ign_eof", "-sess_out", session), early.read_bytes())
    assert "Max Early Data: 0" in first
    again = talk(s_client(server, "-tls1_3", "-sess_in", session, "-early_data", early), b"")
    assert "Reused, TLSv1.3" in again
    assert "Early data was not sent" in again or "Early data was rejected" in again
    assert "200 OK" not in again


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def _is_replaced(server: RunningServer, worker: int) -> bool:
    return children_of(server).get("certuary.server.worker", worker) != worker


def test_neither_hang_ups_nor_restarts_leak_descriptors_or_end_a_starting_worker(tmp_path: Path) -> None:
    with running_server(tmp_path / "home") as server:
        supervisor, first = server.process.pid, est_worker(server)
        before = descriptors(supervisor), descriptors(first)
        for _ in range(50):
            os.kill(supervisor, signal.SIGHUP)
            time.sleep(0.01)
        time.sleep(0.5)
        assert (descriptors(supervisor), descriptors(first)) == before

        for _ in range(2):
            killed = est_worker(server)
            os.kill(killed, signal.SIGKILL)
            assert wait_until(lambda: _is_replaced(server, killed), 5)  # noqa: B023
            started = est_worker(server)
            for _ in range(20):
                os.kill(supervisor, signal.SIGHUP)
                time.sleep(0.05)
            assert wait_until(lambda: server.readiness()[0] == 200, 20)
            assert est_worker(server) == started
        assert descriptors(supervisor) == before[0]


# One octet a second, a thousand times.

HALF_A_HEAD = b"GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\nX: "
HALF_A_BODY = (
    b"POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Type: application/pkcs10\r\nContent-Length: 5000\r\n\r\n"
)


class Dripping:
    """Connections from several addresses, since one has 512 at most; each sends an octet a second."""

    def __init__(self, server: RunningServer, count: int) -> None:
        self._context = server.tls_context()
        self._port = server.est_port
        self._hello = self._client_hello()
        self.ended: Counter[str] = Counter()
        self.open: list[tuple[str, socket.socket]] = []
        for number in range(count):
            kind = ("handshake", "head", "body")[number % 3]
            self.open.append((kind, self._begin(kind, f"127.0.0.{10 + number % 5}")))
        self.began = time.monotonic()

    def _client_hello(self) -> bytes:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        with pytest.raises(ssl.SSLWantReadError):
            self._context.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
        return outgoing.read()

    def _begin(self, kind: str, address: str) -> socket.socket:
        plain = socket.create_connection(("127.0.0.1", self._port), timeout=10, source_address=(address, 0))
        if kind == "handshake":
            return plain
        tls = self._context.wrap_socket(plain, server_hostname="localhost")
        tls.sendall(HALF_A_HEAD if kind == "head" else HALF_A_BODY)
        return tls

    def drip(self, second: int) -> None:
        still_open = []
        for kind, connection in self.open:
            octet = self._hello[second : second + 1] if kind == "handshake" else b"A"
            try:
                connection.sendall(octet)
                still_open.append((kind, connection))
            except OSError:
                self.ended[kind] += 1
                connection.close()
        self.open = still_open

    def close(self) -> None:
        for _, connection in self.open:
            connection.close()


def test_a_thousand_dripping_connections_are_cut_while_others_are_served(server: RunningServer) -> None:
    credentials = quickstart_credentials(server)
    with EstSession(server, credentials=credentials) as honest:
        assert honest.enrol(new_request()).status == 200
    dripping = Dripping(server, 1000)
    slowest = {"enrol": 0.0, "readyz": 0.0}
    try:
        for second in range(20):
            dripping.drip(second)
            began = time.monotonic()
            with EstSession(server, credentials=credentials) as honest:
                assert honest.enrol(new_request()).status == 200
            enrolled = time.monotonic()
            assert server.readiness()[0] == 200
            slowest["enrol"] = max(slowest["enrol"], enrolled - began)
            slowest["readyz"] = max(slowest["readyz"], time.monotonic() - enrolled)
            time.sleep(max(0.0, began + 1 - time.monotonic()))
            if not dripping.open:
                break
        assert not dripping.open, f"{len(dripping.open)} are open after {second} s"
    finally:
        dripping.close()
    assert dripping.ended.total() == 1000
    assert slowest["readyz"] < 1
    assert slowest["enrol"] < 2


# Password checks.


def resident_kib(pid: int) -> int:
    line = next(
        line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")
    )
    return int(line.split()[1])


def guess(server: RunningServer, number: int, statuses: list[int]) -> None:
    """A wrong password for a user of its own, from one of 20 addresses."""
    address = f"127.0.1.{1 + number % 20}"
    plain = socket.create_connection(("127.0.0.1", server.est_port), timeout=20, source_address=(address, 0))
    authorization = basic(f"nobody-{number}", "wrong")["Authorization"]
    with server.tls_context().wrap_socket(plain, server_hostname="localhost") as tls:
        tls.sendall(
            f"GET /est/cacerts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            f"Authorization: {authorization}\r\n\r\n".encode()
        )
        statuses.append(int(read_all(tls).split(b" ", 2)[1]))


def test_two_hundred_password_checks_at_once_cost_little_memory_and_stop_nobody(
    server: RunningServer,
) -> None:
    worker = est_worker(server)
    with EstSession(server, credentials=quickstart_credentials(server)) as honest:
        assert honest.enrol(new_request()).status == 200
        before = most = resident_kib(worker)
        statuses: list[int] = []
        guesses = [threading.Thread(target=guess, args=(server, number, statuses)) for number in range(200)]
        for thread in guesses:
            thread.start()
        enrolled = 0
        while any(thread.is_alive() for thread in guesses):
            assert honest.enrol(new_request()).status == 200
            enrolled += 1
            most = max(most, resident_kib(worker))
        for thread in guesses:
            thread.join()
    assert len(statuses) == 200
    assert set(statuses) == {401, 429}
    assert enrolled >= 10
    assert most - before < 60 * 1024


# Being somebody else.


@pytest.mark.parametrize("common_name", ["ALICE", "Alice", "\uff41lice"])
@pytest.mark.parametrize("operation", ["simpleenroll", "simplereenroll"])
def test_a_certificate_does_not_speak_for_another_spelling_of_its_name(
    server: RunningServer, tmp_path: Path, operation: str, common_name: str
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    with EstSession(server, credentials=quickstart_credentials(server)) as by_password:
        certificate = by_password.enrol(usual_request(key, common_name="alice")).certificate
    with EstSession(server, certificate=(certificate, key), work=tmp_path) as session:
        path = f"{BASE}/{operation}"
        assert session.enrol(new_request("alice"), path=path).status == 200
        refused = session.enrol(new_request(common_name), path=path)
    assert (refused.status, refused.rule) == (403, "subject-refused")
