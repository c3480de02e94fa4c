"""The status listener's HTTP: uvicorn's protocol class with the bounds it lacks.

A request must be whole, small and answered in time, however slowly its bytes arrive; uvicorn's own
keep-alive timer starts after the first answer only and is stopped by any byte.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from certuary.status.app import Application

REQUEST_SECONDS = 15.0
"""From the accepted connection, or the previous answer, to the answer."""

DOWNLOAD_SECONDS = 300.0
"""How long a slow link may take to read an answer; the largest CRLs have some megabytes."""

MAX_REQUEST_OCTETS = 32 * 1024
MAX_CONNECTIONS = 512
_KEEP_ALIVE_SECONDS = 5


class StatusHttpProtocol(HttpToolsProtocol):
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's own
        super().connection_made(transport)
        self._octets = 0
        self._downloading_since: float | None = None
        self._deadline = self.loop.call_later(REQUEST_SECONDS, self._too_slow)
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
        self._downloading_since = None
        self._rearm(REQUEST_SECONDS)
        super().on_response_complete()

    def _too_slow(self) -> None:
        if not self.transport.get_write_buffer_size():
            self.transport.abort()
            return
        now = self.loop.time()
        self._downloading_since = self._downloading_since or now
        if now - self._downloading_since > DOWNLOAD_SECONDS:
            self.transport.abort()
        else:
            self._rearm(REQUEST_SECONDS)

    def _rearm(self, seconds: float) -> None:
        self._deadline.cancel()
        self._deadline = self.loop.call_later(seconds, self._too_slow)


class StatusServer(uvicorn.Server):
    """One listening socket that is already bound; signals are the process's own business."""

    def __init__(self, application: Application) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                http=StatusHttpProtocol,
                ws="none",
                lifespan="off",
                loop="none",
                access_log=False,
                log_config=None,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=3,
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
