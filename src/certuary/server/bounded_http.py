"""uvicorn with the bounds it lacks, for the listeners that are not the EST listener.

A request must be whole, small and answered in time, however slowly its bytes arrive; uvicorn's own keep-alive timer
starts after the first answer only and is stopped by any byte. `docs/configuration.md` lists the bounds.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from certuary.server import limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    request_seconds: float
    """From the accepted connection, or the previous answer, to the answer."""
    download_seconds: float
    """How long a slow link may take to read an answer."""
    keep_alive_seconds: int
    stop_seconds: int
    """How long answers under way may take once the server is told to stop."""
    request_octets: int
    connections: int


STATUS = Bounds(
    request_seconds=15.0,
    download_seconds=300.0,  # the largest CRLs have some megabytes
    keep_alive_seconds=5,
    stop_seconds=3,
    request_octets=32 * 1024,
    connections=512,
)
PORTAL = Bounds(
    request_seconds=60.0,
    download_seconds=300.0,  # lists as CSV
    keep_alive_seconds=30,
    stop_seconds=5,
    request_octets=1024 * 1024,
    connections=256,
)


class BoundedServer(uvicorn.Server):
    """One listening socket that is already bound; signals are the process's own business."""

    def __init__(self, application: Any, bounds: Bounds) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                http=_protocol(bounds),
                ws="none",
                lifespan="off",
                loop="none",
                access_log=False,
                log_config=None,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=bounds.keep_alive_seconds,
                timeout_graceful_shutdown=bounds.stop_seconds,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def run_on(self, listening: socket.socket) -> None:
        """Serve until `stop`."""
        await self.serve(sockets=[listening])

    def stop(self) -> None:
        self.should_exit = True


def _protocol(bounds: Bounds) -> type[HttpToolsProtocol]:
    class Protocol(_BoundedProtocol):
        BOUNDS = bounds

    return Protocol


_TOO_LARGE_TEXT = b"What was sent is larger than this listener takes. Nothing was changed.\n"
_TOO_LARGE = (
    b"HTTP/1.1 413 Content Too Large\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(_TOO_LARGE_TEXT), _TOO_LARGE_TEXT)
)


class _BoundedProtocol(HttpToolsProtocol):
    BOUNDS: Bounds

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's own
        super().connection_made(transport)
        self._octets = 0
        self._tls = _what_tls_knows(transport)
        self._downloading_since: float | None = None
        self._in_head = True
        self._is_refused = False
        self._deadline = self.loop.call_later(self.BOUNDS.request_seconds, self._too_slow)
        if len(self.connections) > self.BOUNDS.connections:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._octets += len(data)
        if self._is_refused:  # read and thrown away, so that the refusal arrives
            if self._octets > limits.MAX_LINGER_OCTETS:
                self.transport.abort()
            return
        too_many = max(0, self._octets - self.BOUNDS.request_octets)
        # What fits may hold the whole head, and only then is there an answer.
        super().data_received(data[: len(data) - too_many])
        if too_many and not self._is_refused and not self.transport.is_closing():
            self._refuse()

    def on_headers_complete(self) -> None:
        self._in_head = False
        declared = next((value for name, value in self.headers if name == b"content-length"), b"0")
        if int(declared) > self.BOUNDS.request_octets:
            self._refuse()
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self._is_refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._is_refused:
            super().on_message_complete()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self.scope["extensions"] = {"certuary.tls": self._tls}

    def on_response_complete(self) -> None:
        self._octets = 0
        self._downloading_since = None
        self._rearm()
        super().on_response_complete()

    def _refuse(self) -> None:
        """413; cut off without a word where the head has no end, or an answer is under way already."""
        self._is_refused = True
        waiting = self.cycle if self.cycle is not None and not self.cycle.response_complete else None
        if self._in_head or (waiting is not None and waiting.response_started):
            self.transport.abort()
            return
        if waiting is not None:
            waiting.disconnected = True
            waiting.message_event.set()
        self.transport.write(_TOO_LARGE)
        self._deadline.cancel()
        # Not `close`: over TLS that goes on reading until the peer has said goodbye too.
        self._deadline = self.loop.call_later(limits.LINGER_SECONDS, self.transport.abort)

    def _too_slow(self) -> None:
        if not self.transport.get_write_buffer_size():
            self.transport.abort()
            return
        now = self.loop.time()
        self._downloading_since = self._downloading_since or now
        if now - self._downloading_since > self.BOUNDS.download_seconds:
            self.transport.abort()
        else:
            self._rearm()

    def _rearm(self) -> None:
        self._deadline.cancel()
        self._deadline = self.loop.call_later(self.BOUNDS.request_seconds, self._too_slow)


def _what_tls_knows(transport: asyncio.Transport) -> dict[object, object]:
    """The certificate that the connection presented, told beside the requests: no header can say it."""
    tls = transport.get_extra_info("ssl_object")
    return {} if tls is None else {"client_certificate_der": tls.getpeercert(binary_form=True)}
