"""Attacks that a review found, each against a listener or the whole server over real sockets."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from certuary.server import limits
from certuary.server.tls_transport import TlsConnection
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
