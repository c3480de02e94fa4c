"""The status and portal listeners over real sockets: bounds and deadlines, with a small application behind them."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from dataclasses import replace
from typing import Any

import pytest

from certuary.server.bounded_http import STATUS, BoundedServer

BODY = b"x" * 4_000_000


async def _application(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    while scope["path"] == "/body" and (await receive()).get("more_body"):
        pass
    body = BODY if scope["path"] == "/large" else b"ok"
    headers = [(b"Content-Length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def port() -> Iterator[int]:
    bounds = replace(STATUS, request_seconds=0.4, download_seconds=1.5, connections=4)
    listening = socket.create_server(("127.0.0.1", 0))
    number: int = listening.getsockname()[1]
    server = BoundedServer(_application, bounds)
    thread = threading.Thread(target=lambda: asyncio.run(server.run_on(listening)))
    thread.start()
    yield number
    server.stop()
    thread.join()


def _connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=5)


def _answer(connection: socket.socket) -> bytes:
    received = b""
    while not received.endswith(b"ok"):
        read = connection.recv(4096)
        assert read, "closed before the answer was whole"
        received += read
    return received


def _send_slowly(connection: socket.socket, pieces: list[bytes], pause_seconds: float) -> None:
    for piece in pieces:
        connection.sendall(piece)
        threading.Event().wait(pause_seconds)


def _closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_a_request_is_answered_and_the_connection_kept(port: int) -> None:
    with _connect(port) as connection:
        for _ in range(2):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert _answer(connection).startswith(b"HTTP/1.1 200")


def test_a_connection_that_says_nothing_is_closed_at_the_deadline(port: int) -> None:
    with _connect(port) as connection:
        assert _closed(connection)


def test_a_head_that_drips_is_cut_at_the_deadline(port: int) -> None:
    with _connect(port) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX: ")
        with pytest.raises(OSError):
            _send_slowly(connection, [b"a"] * 40, 0.05)


def test_an_endless_head_is_cut(port: int) -> None:
    with _connect(port) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        with pytest.raises(OSError):
            _send_slowly(connection, [b"X: " + b"a" * (STATUS.request_octets // 10) + b"\r\n"] * 40, 0.005)


@pytest.mark.parametrize("length", [b"2000000", b"4000000000"])
def test_a_body_that_is_declared_too_large_is_refused_before_it_is_sent(port: int, length: bytes) -> None:
    with _connect(port) as connection:
        connection.sendall(b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: " + length + b"\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "in pieces"])
def test_a_body_that_grows_too_large_is_refused_while_it_is_sent(port: int, at_once: bool) -> None:
    head = b"POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    pieces = [head] + [
        b"2000\r\n" + b"x" * 0x2000 + b"\r\n"
    ] * 10  # whoever sends on reads the refusal all the same
    with _connect(port) as connection:
        _send_slowly(connection, [b"".join(pieces)] if at_once else pieces, 0.01)
        answer = connection.recv(4096)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"Connection: close" in answer
        assert _closed(connection)


@pytest.mark.parametrize(
    ("octets", "pause_seconds"), [(1 << 20, 0.0), (1024, 0.05)], ids=["quickly", "slowly"]
)
def test_whoever_sends_on_after_a_refusal_is_cut_off(port: int, octets: int, pause_seconds: float) -> None:
    with _connect(port) as connection:
        connection.sendall(b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000000\r\n\r\n")
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            _send_slowly(connection, [b"x" * octets] * 100, pause_seconds)


def test_a_slow_download_outlives_the_request_deadline(port: int) -> None:
    with _connect(port) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        threading.Event().wait(0.9)
        received = 0
        while received < len(BODY):
            read = connection.recv(1 << 20)
            assert read
            received += len(read)


def test_a_download_nobody_reads_is_cut(port: int) -> None:
    with _connect(port) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        threading.Event().wait(3)
        received = 0
        try:
            while read := connection.recv(1 << 20):
                received += len(read)
        except ConnectionResetError:
            pass
        assert received < len(BODY)


def test_connections_beyond_the_cap_are_closed_at_once_and_the_others_served(port: int) -> None:
    held = [_connect(port) for _ in range(4)]
    threading.Event().wait(0.1)
    with _connect(port) as one_too_many:
        assert _closed(one_too_many)
    held[0].sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert _answer(held[0]).startswith(b"HTTP/1.1 200")
    for connection in held:
        connection.close()


def test_garbage_is_answered_with_400(port: int) -> None:
    with _connect(port) as connection:
        connection.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 400")
