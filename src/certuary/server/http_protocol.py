"""HTTP/1.1 for the EST listener: uvicorn's httptools protocol with bounds, deadlines and the TLS session in the scope.

What differs from uvicorn's own:
- a request reaches the application only when it is whole, so a slow or oversized one never costs a task, and the
  answer to it (408, 413, 400) is given here;
- the TLS session is in `scope["extensions"]["certuary.tls"]`;
- header names go out as the application spells them (libest compares "Content-Length" exactly), with exact lengths,
  never chunked, head and body in TLS records of their own (strongSwan 5.9.8).
"""

from __future__ import annotations

import asyncio
import ssl
import urllib.parse
from collections.abc import Callable
from email.utils import formatdate
from time import time
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from certuary.core.values import Address
from certuary.server import limits
from certuary.server.tls_transport import TlsConnection

TLS_EXTENSION = "certuary.tls"


class TlsSession:
    """What the EST application may know of the TLS session, worked out once a connection."""

    __slots__ = ("_tls", "address", "address_text", "certificate_der", "version")

    def __init__(self, tls: ssl.SSLObject, address: Address) -> None:
        self._tls = tls
        self.address = address
        self.address_text = str(address)
        self.certificate_der: bytes | None = tls.getpeercert(binary_form=True)
        self.version: str = tls.version() or ""

    def unique(self) -> bytes | None:
        """tls-unique of RFC 5929 section 3.1, which exists up to TLS 1.2 only (RFC 9266 section 3)."""
        if self.version != "TLSv1.2":
            return None
        return self._tls.get_channel_binding("tls-unique")


class _Dates:
    """The Date header's value, formatted once a second."""

    def __init__(self) -> None:
        self._second = 0
        self._line = b""

    def line(self) -> bytes:
        second = int(time())
        if second != self._second:
            self._second = second
            self._line = b"Date: " + formatdate(second, usegmt=True).encode() + b"\r\n"
        return self._line


_dates = _Dates()


class Refusal(Exception):
    """Raised out of a parser callback: the request is answered here and the connection closed."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


_NEVER = float("inf")
_NOT_HTTP = (400, "malformed-request: this is not a valid HTTP/1.1 request")
_HEAD_TOO_LARGE = (400, "malformed-request: the request's head is larger than 32 KiB")
_BODY_TOO_LARGE = (413, "body-too-large: a request's body is at most 64 KiB")
_TOO_MANY_WAIT = (400, "malformed-request: too many requests were sent without waiting for an answer")


def http_config(app: Any) -> Config:
    """uvicorn's settings for this protocol: only HTTP/1.1, and nobody's headers change the client's address."""
    config = Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        proxy_headers=False,
    )
    config.load()
    return config


class EstHttpProtocol(HttpToolsProtocol):
    transport: TlsConnection  # type: ignore[assignment]  # it has the methods used here

    def __init__(
        self, config: Config, state: ServerState, connection: TlsConnection, count: Callable[[str], None]
    ) -> None:
        super().__init__(config=config, server_state=state, app_state={})
        self._count = count
        self._connection = connection
        self._tls_session: TlsSession
        self._receiving = False  # between a request's first octet and its last
        self._in_head = False
        self._head_octets = 0
        self._octets = 0  # of the request being received, framing included
        self._hosts = 0
        self._active: RequestResponseCycle | None = None  # the request the application is at work on
        self._refusal: Refusal | None = None
        self._closing = False

    # The connection's life.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self._tls_session = TlsSession(
            self._connection.get_extra_info("ssl_object"), self._connection.address
        )

    def data_received(self, data: bytes) -> None:
        if self._refusal is not None:
            return
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError as problem:
            cause = problem.__context__
            self._refuse(cause if isinstance(cause, Refusal) else Refusal(*_NOT_HTTP))
        else:
            self._count_unfinished(len(data))

    def pause_writing(self) -> None:
        super().pause_writing()
        self._connection.deadline = self.loop.time() + limits.FLUSH_SECONDS

    def resume_writing(self) -> None:
        super().resume_writing()
        self._connection.deadline = self.loop.time() + limits.REQUEST_SECONDS

    def deadline_passed(self) -> None:
        if self.flow.write_paused:  # whoever does not read its answers gets no others
            self._connection.abort()
            return
        if not self._receiving:  # an idle kept-alive connection
            self.transport.close()
            return
        self._refuse(Refusal(408, "request-timeout: the request took longer than 15 seconds to arrive"))

    def shutdown(self) -> None:
        self._closing = True
        if self._active is None and not self._receiving:
            self.transport.close()
            return
        for cycle in (self._active, self.cycle, *(queued for queued, _ in self.pipeline)):
            if cycle is not None:
                cycle.keep_alive = False

    # The parser's callbacks.

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= limits.MAX_PIPELINED:
            # Reading is paused by then, but thousands of small requests come in one read.
            raise Refusal(*_TOO_MANY_WAIT)
        super().on_message_begin()
        self.scope["extensions"] = {TLS_EXTENSION: self._tls_session}  # type: ignore[dict-item]
        self._in_head = True
        self._head_octets = 0
        self._octets = 0
        self._hosts = 0
        self._receiving = True
        self._connection.deadline = self.loop.time() + limits.REQUEST_SECONDS

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            return  # a trailer, which must not pass for a header (RFC 9110 section 6.5.1)
        name = name.lower()
        self._head_octets += len(name) + len(value)
        if len(self.headers) >= limits.MAX_HEADERS:
            raise Refusal(400, "malformed-request: more than 100 header fields")
        if self._head_octets > limits.MAX_HEAD_OCTETS:
            raise Refusal(*_HEAD_TOO_LARGE)
        if name == b"host":
            self._hosts += 1
        elif name == b"expect":
            self.expect_100_continue = value.lower() == b"100-continue"
        elif name == b"content-length" and value.isdigit() and int(value[:20]) > limits.MAX_BODY_OCTETS:
            raise Refusal(*_BODY_TOO_LARGE)
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._in_head = False
        if self._head_octets + len(self.url) > limits.MAX_HEAD_OCTETS:
            raise Refusal(*_HEAD_TOO_LARGE)
        if self.parser.should_upgrade():
            raise Refusal(400, "malformed-request: this listener speaks HTTP/1.1 only")
        version = self.parser.get_http_version()
        # RFC 9112 section 6.1: a Transfer-Encoding in HTTP/1.0 is a fault in the framing.
        if version != "1.1" and (version != "1.0" or _has_transfer_encoding(self.headers)):
            raise Refusal(*_NOT_HTTP)
        if self._hosts > 1 or (self._hosts == 0 and version == "1.1"):
            raise Refusal(400, "malformed-request: exactly one Host header is needed")
        self.scope["method"] = self.parser.get_method().decode("ascii")
        self.scope["http_version"] = version
        self._set_path()
        self.cycle = EstCycle(
            scope=self.scope,
            transport=self.transport,  # type: ignore[arg-type]
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=[],
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=version != "1.0" and self.parser.should_keep_alive() and not self._closing,
            on_response=self.on_response_complete,
        )
        if self.expect_100_continue and self._active is None:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self.cycle.body += body
        if len(self.cycle.body) > limits.MAX_BODY_OCTETS:
            raise Refusal(*_BODY_TOO_LARGE)

    def on_message_complete(self) -> None:
        cycle = self.cycle
        cycle.more_body = False
        cycle.message_event.set()
        self._receiving = False
        if not self.flow.write_paused:
            self._connection.deadline = _NEVER  # the application has time limits of its own
        if self._active is not None:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))
            return
        self._active = cycle
        self._start_asgi_task(cycle, self.app)

    def on_response_complete(self) -> None:
        self._active = None
        if self.transport.is_closing():
            return
        if self.pipeline:
            self._active, app = self.pipeline.pop()
            if not self._receiving:
                self._connection.deadline = _NEVER
            self._start_asgi_task(self._active, app)
            return
        if self._refusal is not None:
            self._answer_refusal(self._refusal)
            return
        self.flow.resume_reading()
        if not self._receiving:
            self._connection.deadline = self.loop.time() + limits.IDLE_SECONDS

    # Helpers.

    def _count_unfinished(self, octets: int) -> None:
        """Bound what no callback tells of in time: a line or a trailer that does not end, chunk extensions."""
        if not self._receiving:
            return
        self._octets += octets
        if self._in_head and self._octets > limits.MAX_HEAD_OCTETS:
            self._refuse(Refusal(*_HEAD_TOO_LARGE))
        elif self._octets > limits.MAX_REQUEST_OCTETS:
            self._refuse(Refusal(*_BODY_TOO_LARGE))

    def _set_path(self) -> None:
        try:
            raw_path: bytes = httptools.parse_url(self.url).path or b"/"
        except httptools.HttpParserInvalidURLError:
            raise Refusal(400, "malformed-request: the request target is not a path") from None
        path = raw_path.decode("ascii", "replace")
        self.scope["path"] = urllib.parse.unquote(path) if "%" in path else path
        self.scope["raw_path"] = raw_path
        self.scope["query_string"] = b""

    def _refuse(self, refusal: Refusal) -> None:
        """Refuse the request being received; answers to earlier ones on this connection go out first."""
        self._refusal = refusal
        self._count(f"requests.refused.{refusal.status}")
        if self._active is None:
            self._answer_refusal(refusal)

    def _answer_refusal(self, refusal: Refusal) -> None:
        text = str(refusal).encode() + b"\n"
        head = (
            STATUS_LINE[refusal.status]
            + b"Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
            + b"Content-Length: %d\r\n" % len(text)
            + _dates.line()
            + b"\r\n"
        )
        self.transport.write_records(head, text)
        self.transport.close_lingering()


def _has_transfer_encoding(headers: list[tuple[bytes, bytes]]) -> bool:
    return any(name == b"transfer-encoding" for name, _ in headers)


class EstCycle(RequestResponseCycle):
    """One request and its answer: a start message with an exact Content-Length, then the whole body."""

    transport: TlsConnection  # type: ignore[assignment]

    async def receive(self) -> Any:
        """The whole body: the application was not called before it was there. Unlike uvicorn's, this does not
        resume reading, which would let a peer queue requests faster than they are answered."""
        if self.disconnected:
            return {"type": "http.disconnect"}
        body, self.body = bytes(self.body), bytearray()
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Any) -> None:
        if self.disconnected:
            return
        if message["type"] == "http.response.start":
            self.response_started = True
            self._head = self._make_head(message["status"], message["headers"])
            return
        body = message["body"] if self.scope["method"] != "HEAD" else b""
        self.transport.write_records(self._head, body)
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        elif self.flow.write_paused:
            await self.flow.drain()  # the next request waits until this answer is read
        self.on_response()

    def _make_head(self, status: int, headers: list[tuple[bytes, bytes]]) -> bytes:
        parts = [STATUS_LINE[status]]
        for name, value in headers:
            parts += (name, b": ", value, b"\r\n")
        if not self.keep_alive:
            parts.append(b"Connection: close\r\n")
        parts.append(_dates.line())
        parts.append(b"\r\n")
        return b"".join(parts)
