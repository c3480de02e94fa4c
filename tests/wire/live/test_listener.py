"""The EST listener over real sockets, with an application that only echoes: bounds, deadlines, TLS, framing."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

import pytest
import uvloop
from uvicorn.server import ServerState

from certuary.core.certificate import KEY_TYPES, build_root, sign_plan
from certuary.core.values import parse_network
from certuary.server import limits
from certuary.server.http_protocol import TLS_EXTENSION, EstHttpProtocol, http_config
from certuary.server.listener import Listener
from certuary.server.tls import build_context
from certuary.services.listener_certificate import (
    ListenerIdentity,
    ListenerIssuer,
    issue_listener_certificate,
)

Starter = Callable[..., "Running"]


class Running:
    """A listener on a thread of its own."""

    def __init__(self, **options: Any) -> None:
        self.counters: Counter[str] = Counter()
        self.slow = threading.Event()
        self._options = {"max_connections": 100, "max_connections_per_address": 100} | options
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._ready.wait(10)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        context, root = _make_context()
        self.client = ssl.create_default_context(cadata=root)
        config = http_config(self._app)
        state = ServerState()
        self.listener = Listener(
            loop=self._loop,
            context=context,
            new_http=lambda connection: EstHttpProtocol(config, state, connection, self._count),
            counters=self.counters,
            **self._options,
        )
        listening = socket.create_server(("127.0.0.1", 0))
        self.port = listening.getsockname()[1]
        await self.listener.start(listening)
        self._ready.set()
        await self._stop.wait()
        await self.listener.drain(5)

    def _count(self, what: str) -> None:
        self.counters[what] += 1

    async def _app(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        message = await receive()
        if scope["path"] == "/slow":
            self.slow.set()
            await asyncio.sleep(0.5)
        session = scope["extensions"][TLS_EXTENSION]
        text = (
            f"{scope['method']} {scope['path']} {len(message['body'])} {scope['client'][0]} {session.version}"
        )
        headers = [(b"Content-Type", b"text/plain"), (b"Content-Length", b"%d" % len(text))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": text.encode(), "more_body": False})

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)
        assert not self._thread.is_alive()

    def tcp(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def connect(self, before: bytes = b"", **options: Any) -> ssl.SSLSocket:
        plain = self.tcp()
        plain.sendall(before)
        return self.client.wrap_socket(plain, server_hostname="localhost", **options)

    def ask(self, *parts: bytes) -> bytes:
        """Send the parts one by one over a new connection; all that comes back until the server closes."""
        with self.connect() as tls:
            for part in parts:
                tls.sendall(part)
            return read_all(tls)


def read_all(connection: ssl.SSLSocket) -> bytes:
    received = b""
    while True:
        try:
            data = connection.recv(65536)
        except ssl.SSLEOFError:
            return received
        if not data:
            return received
        received += data


def _make_context() -> tuple[ssl.SSLContext, bytes]:
    now = datetime.now(UTC)
    key = KEY_TYPES["ec-p256"].generate()
    root = sign_plan(build_root(key.public_key(), organization="Test", serial=1, now=now), key)
    issuer = ListenerIssuer(
        id=1,
        name="root",
        certificate=root.certificate,
        chain=(root.der,),
        signer=key,
        status_url="http://localhost",
    )
    identity, _ = issue_listener_certificate(issuer, hostnames=("localhost",), now=now)
    assert isinstance(identity, ListenerIdentity)
    return build_context(identity, [root.der]), root.der


@pytest.fixture
def start() -> Iterator[Starter]:
    running: list[Running] = []

    def begin(**options: Any) -> Running:
        running.append(Running(**options))
        return running[-1]

    yield begin
    for one in running:
        one.stop()


@pytest.fixture
def server(start: Starter) -> Running:
    return start()


def head(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[0]


def post(path: str, body: bytes, *headers: str, close: bool = True) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", *headers]
    if close:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode() + body


def test_a_request_is_answered_the_same_whole_and_octet_by_octet(server: Running) -> None:
    request = post("/enrol", b"x" * 300)
    whole = server.ask(request)
    split = server.ask(*(request[at : at + 1] for at in range(len(request))))
    assert whole.endswith(b"\r\n\r\nPOST /enrol 300 127.0.0.1 TLSv1.3")
    assert split.partition(b"\r\n\r\n")[2] == whole.partition(b"\r\n\r\n")[2]


def test_headers_go_out_in_title_case_with_an_exact_length_and_never_chunked(server: Running) -> None:
    lines = head(server.ask(post("/", b""))).split(b"\r\n")
    names = [line.partition(b":")[0] for line in lines[1:]]
    assert lines[0] == b"HTTP/1.1 200 OK"
    assert names == [b"Content-Type", b"Content-Length", b"Connection", b"Date"]


def test_the_head_is_a_tls_record_of_its_own_under_1024_octets(server: Running) -> None:
    with server.connect() as tls:
        tls.sendall(post("/", b"", close=False))
        first = tls.recv(16384)
        second = tls.recv(16384)
    assert first.endswith(b"\r\n\r\n")
    assert len(first) < 1024
    assert second.startswith(b"POST /")


def test_a_connection_is_kept_alive_until_asked_to_close(server: Running) -> None:
    with server.connect() as tls:
        for number in range(3):
            tls.sendall(post(f"/{number}", b"", close=False))
            answer = tls.recv(16384) + tls.recv(16384)
            assert f"POST /{number} 0".encode() in answer
        tls.sendall(post("/last", b""))
        assert b"POST /last" in read_all(tls)


def test_pipelined_requests_are_answered_in_order(server: Running) -> None:
    requests = [post(path, b"", close=False) for path in ("/slow", "/a", "/b")]
    answer = server.ask(b"".join([*requests, post("/end", b"")]))
    bodies = [part for part in answer.split(b"\r\n") if b"POST" in part]
    assert [body.split(b" HTTP")[0].split()[1] for body in bodies] == [b"/slow", b"/a", b"/b", b"/end"]


def test_head_has_the_headers_of_get_and_no_body(server: Running) -> None:
    answer = server.ask(b"HEAD /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert b"Content-Length: 27" in head(answer)
    assert answer.endswith(b"\r\n\r\n")


def test_chunked_bodies_are_taken(server: Running) -> None:
    answer = server.ask(
        b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    )
    assert b"POST /c 5" in answer


def test_a_stray_line_end_after_the_body_is_tolerated(server: Running) -> None:
    assert b"200 OK" in server.ask(post("/", b"body") + b"\r\n")


def test_a_client_that_expects_continue_is_told_to(server: Running) -> None:
    request = post("/", b"hello", "Expect: 100-continue")
    cut = request.index(b"\r\n\r\n") + 4
    with server.connect() as tls:
        tls.sendall(request[:cut])
        assert tls.recv(16384) == b"HTTP/1.1 100 Continue\r\n\r\n"
        tls.sendall(request[cut:])
        assert b"POST / 5" in read_all(tls)


@pytest.mark.parametrize(
    "request_head",
    [
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n",
    ],
)
def test_a_body_announced_too_large_is_refused_before_it_is_sent(
    server: Running, request_head: bytes
) -> None:
    assert head(server.ask(request_head)).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_flood_is_refused_while_it_streams(server: Running, framing: str) -> None:
    with server.connect() as tls:
        if framing == "chunked":
            tls.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            pieces = [b"8000\r\n" + b"x" * 0x8000 + b"\r\n"] * 4
        else:
            tls.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 104857600\r\n\r\n")
            pieces = [b"x" * 0x8000] * 4
        for piece in pieces:
            tls.sendall(piece)
        assert head(read_all(tls)).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "raw",
    [
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX-Long: a\r\n b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET http://[bad HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: a\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"\x16\x03\x01 garbage",
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(100)) + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 40_000 + b"\r\n\r\n",
        b"GET /" + b"y" * 40_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
def test_ambiguous_and_oversized_requests_are_refused_and_the_connection_closed(
    server: Running, raw: bytes
) -> None:
    answer = server.ask(raw)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"Connection: close" in head(answer)
    assert answer.count(b"HTTP/1.1 4") == 1


def test_a_head_whose_line_never_ends_is_refused(server: Running) -> None:
    answer = server.ask(b"GET / HTTP/1.1\r\nHost: a\r\nX: ", *([b"y" * 8000] * 5))
    assert b"head is larger than 32 KiB" in answer


def test_a_bad_request_behind_a_good_one_does_not_lose_the_good_ones_answer(server: Running) -> None:
    answer = server.ask(post("/slow", b"", close=False) + b"NONSENSE\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"HTTP/1.1 400 Bad Request" in answer


def test_bytes_that_drip_are_cut_at_the_deadline(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "REQUEST_SECONDS", 1.0)
    started = time.monotonic()
    with server.connect() as tls:
        tls.settimeout(0.2)
        answer = b""
        for octet in post("/", b"x" * 100):
            tls.sendall(bytes([octet]))
            try:
                answer += tls.recv(16384)
            except TimeoutError:
                continue
            break
        tls.settimeout(10)
        answer += read_all(tls)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - started < 4


def test_a_connection_that_never_shakes_hands_is_cut(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "HANDSHAKE_SECONDS", 0.5)
    with server.tcp() as silent, server.tcp() as slow:
        slow.sendall(b"\x16")
        for one in (silent, slow):
            with pytest.raises(ConnectionResetError):
                _expect_data(one)
    assert server.counters["connections.timed_out"] == 2


def _expect_data(connection: socket.socket) -> bytes:
    data = connection.recv(100)
    if not data:
        raise ConnectionResetError
    return data


def test_an_idle_connection_is_closed(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "IDLE_SECONDS", 0.3)
    with server.connect() as tls:
        tls.sendall(post("/", b"", close=False))
        started = time.monotonic()
        assert b"200 OK" in read_all(tls)
        assert time.monotonic() - started < 4


def test_one_address_has_its_share_of_connections_and_no_more(start: Starter) -> None:
    server = start(max_connections_per_address=2)
    with server.connect(), server.connect(), pytest.raises(OSError):
        server.connect()
    assert server.counters["connections.refused"] == 1
    deadline = time.monotonic() + 5
    while server.listener.connections and time.monotonic() < deadline:
        time.sleep(0.01)
    with server.connect() as again:
        again.sendall(post("/", b""))
        assert b"200 OK" in read_all(again)


def test_plain_http_gets_no_http_answer(server: Running) -> None:
    with server.tcp() as plain:
        plain.sendall(b"GET /.well-known/est/cacerts HTTP/1.1\r\nHost: a\r\n\r\n")
        received = b""
        while data := plain.recv(4096):
            received += data
    assert b"HTTP" not in received


def test_a_request_under_way_is_answered_before_the_listener_goes(start: Starter) -> None:
    server = start()
    with server.connect() as tls, server.connect() as idle:
        tls.sendall(post("/slow", b"", close=False))
        assert server.slow.wait(5)
        stopper = threading.Thread(target=server.stop)
        stopper.start()
        assert b"POST /slow" in read_all(tls)
        assert read_all(idle) == b""
        stopper.join(10)
    with pytest.raises(ConnectionRefusedError):
        server.tcp()


PROXY_V2 = b"\r\n\r\n\x00\r\nQUIT\n"


def proxy_header(source: str) -> bytes:
    addresses = ip_address(source).packed + ip_address("127.0.0.1").packed + b"\x00\x50\x01\xbb"
    return PROXY_V2 + b"\x21\x11" + len(addresses).to_bytes(2, "big") + addresses


def test_a_listed_balancer_tells_the_clients_address(start: Starter) -> None:
    server = start(proxy_protocol_from=(parse_network("127.0.0.0/8"),))
    with server.connect(before=proxy_header("192.0.2.9")) as tls:
        tls.sendall(post("/", b""))
        assert b" 192.0.2.9 " in read_all(tls)


def test_a_proxy_header_may_arrive_octet_by_octet(start: Starter) -> None:
    server = start(proxy_protocol_from=(parse_network("127.0.0.0/8"),))
    plain = server.tcp()
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for octet in proxy_header("192.0.2.9"):
        plain.sendall(bytes([octet]))
        time.sleep(0.001)
    with server.client.wrap_socket(plain, server_hostname="localhost") as tls:
        tls.sendall(post("/", b""))
        assert b" 192.0.2.9 " in read_all(tls)


@pytest.mark.parametrize("before", [b"", b"PROXY TCP4 192.0.2.9 127.0.0.1 1 2\r\n"])
def test_a_listed_balancer_must_send_a_version_2_header(start: Starter, before: bytes) -> None:
    server = start(proxy_protocol_from=(parse_network("127.0.0.0/8"),))
    with pytest.raises(OSError):
        server.connect(before=before)
    assert server.counters["connections.bad_proxy_header"] == 1


def test_a_proxy_header_from_anybody_else_is_no_tls(start: Starter) -> None:
    server = start(proxy_protocol_from=(parse_network("192.0.2.0/24"),))
    with pytest.raises(OSError):
        server.connect(before=proxy_header("10.0.0.1"))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_resume_and_are_counted(server: Running, version: ssl.TLSVersion) -> None:
    server.client.maximum_version = server.client.minimum_version = version
    with server.connect() as first:
        first.sendall(post("/", b""))
        read_all(first)
        session = first.session
    with server.connect(session=session) as second:
        assert second.session_reused
        second.sendall(post("/", b""))
        assert b"200 OK" in read_all(second)
    assert server.counters["tls.full"] == 1
    assert server.counters["tls.resumed"] == 1


def test_a_renewed_certificate_is_shown_to_new_connections_at_once(server: Running) -> None:
    with server.connect() as before:
        old = before.getpeercert(binary_form=True)
        context, root = _make_context()
        server.client.load_verify_locations(cadata=root)
        server.listener.context = context
        with server.connect() as after:
            assert after.getpeercert(binary_form=True) != old
        before.sendall(post("/", b""))
        assert b"200 OK" in read_all(before)
