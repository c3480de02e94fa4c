"""The portal listener: HTTPS, with the bounds that uvicorn lacks, and a certificate that may change while it runs."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

REQUEST_SECONDS = 60.0
"""From the accepted connection, or the previous answer, to the answer: a signature waits for a person's password, not
the request."""

MAX_REQUEST_OCTETS = 1024 * 1024
MAX_CONNECTIONS = 256
_KEEP_ALIVE_SECONDS = 30


class PortalHttpProtocol(HttpToolsProtocol):
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's own
        super().connection_made(transport)
        self._octets = 0
        self._deadline = self.loop.call_later(REQUEST_SECONDS, transport.abort)
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._octets += len(data)
        if self._octets > MAX_REQUEST_OCTETS:
            self.transport.abort()
            return
        super().data_received(data)

    def on_response_complete(self) -> None:
        self._octets = 0
        self._deadline.cancel()
        self._deadline = self.loop.call_later(REQUEST_SECONDS, self.transport.abort)
        super().on_response_complete()


class PortalServer(uvicorn.Server):
    """One listening socket that is already bound; signals are the process's own business."""

    def __init__(self, application: Any, context: ssl.SSLContext) -> None:
        config = uvicorn.Config(
            application,
            http=PortalHttpProtocol,
            ws="none",
            lifespan="off",
            loop="none",
            access_log=False,
            log_config=None,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=5,
        )
        self.context: ssl.SSLContext = context
        config.load()
        config.ssl = changeable(context, lambda: self.context)
        super().__init__(config)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def run_on(self, listening: socket.socket) -> None:
        """Serve until `stop`."""
        await self.serve(sockets=[listening])

    def stop(self) -> None:
        self.should_exit = True


def changeable(first: ssl.SSLContext, current: Any) -> ssl.SSLContext:
    """A context whose handshakes go on under the one that is current then."""

    def choose(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = current()

    first.sni_callback = choose
    return first
