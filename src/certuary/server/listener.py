"""The EST listener's shared state: who is connected, under which certificate, until when."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import Callable
from typing import Any

from certuary.core.values import Address, Network
from certuary.server import limits
from certuary.server.tls_transport import HttpProtocol, TlsConnection
from certuary.services.password_quota import household


class Listener:
    """Made once per worker. `context` may be replaced at any time; new connections use the new one."""

    def __init__(
        self,
        *,
        loop: asyncio.AbstractEventLoop,
        context: ssl.SSLContext,
        new_http: Callable[[TlsConnection], HttpProtocol],
        counters: Counter[str],
        proxy_protocol_from: tuple[Network, ...] = (),
        max_connections: int,
        max_connections_per_address: int,
    ) -> None:
        self.context = context
        self.new_http = new_http
        self.now = loop.time
        self.connections: set[TlsConnection] = set()
        self._loop = loop
        self._counters = counters
        self._proxies = proxy_protocol_from
        self._per_address: Counter[object] = Counter()
        self._admitted: set[TlsConnection] = set()
        self._max_connections = max_connections
        self._max_per_address = max_connections_per_address
        self._servers: list[asyncio.AbstractServer] = []
        self._sweeper: asyncio.TimerHandle | None = None

    async def start(self, *sockets: Any) -> None:
        for sock in sockets:
            server = await self._loop.create_server(lambda: TlsConnection(self), sock=sock, backlog=2048)
            self._servers.append(server)
        self._sweep()

    async def drain(self, seconds: float) -> None:
        """Accept nothing more, let requests under way finish for at most `seconds`, then cut what is left."""
        for server in self._servers:
            server.close()
        for connection in tuple(self.connections):
            connection.shutdown()
        until = self.now() + seconds
        while self.connections and self.now() < until:
            await asyncio.sleep(0.02)
        for connection in tuple(self.connections):
            connection.abort()
        if self._sweeper is not None:
            self._sweeper.cancel()

    # For connections.

    def expects_proxy_header(self, peer: Address) -> bool:
        return bool(self._proxies) and _is_in(peer, self._proxies)

    def admit(self, connection: TlsConnection) -> bool:
        """Count a connection against the caps; False when it is one too many."""
        self.connections.add(connection)
        source = household(connection.address)
        if len(self._admitted) >= self._max_connections or self._per_address[source] >= self._max_per_address:
            self.count("connections.refused")
            return False
        self._admitted.add(connection)
        self._per_address[source] += 1
        self.count("connections.accepted")
        return True

    def release(self, connection: TlsConnection) -> None:
        self.connections.discard(connection)
        if connection not in self._admitted:
            return
        self._admitted.discard(connection)
        source = household(connection.address)
        self._per_address[source] -= 1
        if not self._per_address[source]:
            del self._per_address[source]

    def handshake_failed(self, problem: ssl.SSLError) -> None:
        self.count("tls.failed")

    def count(self, what: str) -> None:
        self._counters[what] += 1

    def _sweep(self) -> None:
        now = self.now()
        for connection in [one for one in self.connections if one.deadline < now]:
            connection.deadline_passed()
        self._sweeper = self._loop.call_later(limits.SWEEP_SECONDS, self._sweep)


def _is_in(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
