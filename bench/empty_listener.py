"""The floor of a fresh connection: the EST worker's own listener and HTTP protocol, answering an empty 200.

A process of its own, `python -m bench.empty_listener`: prints its port and runs until its input ends.
"""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import ssl
import sys
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import uvloop
from uvicorn.server import ServerState

from certuary.keystore.memory import MemoryKeyStore
from certuary.server.http_protocol import EstHttpProtocol, http_config
from certuary.server.listener import Listener
from certuary.server.tls import build_context
from certuary.services.create_authority import create_issuing, create_root
from certuary.services.listener_certificate import ListenerIssuer, issue_listener_certificate

_STATUS_URL = "http://localhost:8080"


async def empty(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"Content-Length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


def main() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())


async def serve() -> None:
    loop = asyncio.get_running_loop()
    listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
    counters: Counter[str] = Counter()

    def count(what: str) -> None:
        counters[what] += 1

    config = http_config(empty)
    state = ServerState()
    listener = Listener(
        loop=loop,
        context=_context(),
        new_http=lambda connection: EstHttpProtocol(config, state, connection, count),
        counters=counters,
        max_connections=4096,
        max_connections_per_address=512,
    )
    await listener.start(listening)
    gc.collect()
    gc.freeze()
    print(listening.getsockname()[1], flush=True)
    await _end_of_input(loop)
    await listener.drain(1.0)


def _context() -> ssl.SSLContext:
    """A listener's certificate as `certuary init` makes it: P-256, a leaf below an issuing authority."""
    keys, now = MemoryKeyStore(), datetime.now(UTC)
    root = create_root(keys, organization="Bench", key_type="ec-p256", now=now)
    issuing = create_issuing(
        keys, root=root, organization="Bench", key_type="ec-p256", now=now, status_url=_STATUS_URL
    )
    chain = (issuing.certificate_der, root.certificate_der)
    issuer = ListenerIssuer(
        id=1,
        name=issuing.name,
        certificate=issuing.certificate,
        chain=chain,
        signer=issuing.signer,
        status_url=_STATUS_URL,
    )
    identity, _ = issue_listener_certificate(issuer, hostnames=(), now=now)
    return build_context(identity, chain)


async def _end_of_input(loop: asyncio.AbstractEventLoop) -> None:
    ended = loop.create_future()
    os.set_blocking(sys.stdin.fileno(), False)

    def readable() -> None:
        if not os.read(sys.stdin.fileno(), 4096) and not ended.done():
            ended.set_result(None)

    loop.add_reader(sys.stdin.fileno(), readable)
    await ended


if __name__ == "__main__":
    main()
