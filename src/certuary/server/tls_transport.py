"""TLS over a plain TCP transport, by memory BIOs.

Doing this ourselves, and not by `create_server(ssl=...)`, is what lets a connection be counted and refused before
its handshake, a PROXY protocol header stand before it, every phase have a deadline of its own, and the HTTP layer
see the TLS session. The HTTP protocol sees the methods of an asyncio transport.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol, cast

from certuary.core.proxy_protocol import NeedMore, parse_proxy_header
from certuary.core.values import Address, fold_address
from certuary.errors import MalformedRequest
from certuary.server import limits

if TYPE_CHECKING:
    from certuary.server.listener import Listener

_READ_OCTETS = 64 * 1024


class Phase(Enum):
    PROXY_HEADER = "proxy-header"
    HANDSHAKE = "handshake"
    OPEN = "open"
    LINGERING = "lingering"
    CLOSED = "closed"


class HttpProtocol(Protocol):
    """What the connection asks of the HTTP layer above it."""

    def connection_made(self, transport: Any) -> None: ...
    def connection_lost(self, exc: Exception | None) -> None: ...
    def data_received(self, data: bytes) -> None: ...
    def pause_writing(self) -> None: ...
    def resume_writing(self) -> None: ...
    def deadline_passed(self) -> None: ...
    def shutdown(self) -> None: ...


class TlsConnection(asyncio.Protocol):
    """One accepted connection, from its first byte to its last."""

    __slots__ = (
        "_context", "_http", "_incoming", "_lingered", "_listener", "_outgoing", "_pending", "_phase", "_raw", "_tls",
        "address", "deadline",
    )  # fmt: skip

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._phase = Phase.HANDSHAKE
        self._raw: asyncio.Transport
        self._context: ssl.SSLContext | None = None
        self._tls: ssl.SSLObject | None = None
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._http: HttpProtocol | None = None
        self._pending = b""
        self._lingered = 0
        self.address: Address
        self.deadline = 0.0

    # From below: the TCP transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._raw = cast(asyncio.Transport, transport)  # uvloop's is one in all but ancestry
        self.deadline = self._listener.now() + limits.HANDSHAKE_SECONDS
        peer = transport.get_extra_info("peername")
        if not peer:  # gone before we looked
            self._raw.abort()
            return
        self.address = fold_address(peer[0])
        if self._listener.expects_proxy_header(self.address):
            self._phase = Phase.PROXY_HEADER
            self._listener.connections.add(self)
            return
        if not self._listener.admit(self):
            self._phase = Phase.CLOSED
            self._raw.abort()

    def data_received(self, data: bytes) -> None:
        if self._phase is Phase.OPEN:
            self._incoming.write(data)
            self._read()
        elif self._phase is Phase.HANDSHAKE:
            self._incoming.write(data)
            self._handshake()
        elif self._phase is Phase.PROXY_HEADER:
            self._read_proxy_header(data)
        elif self._phase is Phase.LINGERING:
            self._lingered += len(data)
            if self._lingered > limits.MAX_LINGER_OCTETS:
                self._raw.abort()

    def eof_received(self) -> bool:
        # What is still to be sent may never be read, and a request under way has no deadline of ours.
        self.deadline = min(self.deadline, self._listener.now() + limits.FLUSH_SECONDS)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._phase = Phase.CLOSED
        self._listener.release(self)
        if self._http is not None:
            self._http.connection_lost(exc)
            self._http = None
        self._tls = None

    def pause_writing(self) -> None:
        if self._http is not None:
            self._http.pause_writing()

    def resume_writing(self) -> None:
        if self._http is not None:
            self._http.resume_writing()

    def deadline_passed(self) -> None:
        """Called by the listener's sweep."""
        if self._phase is Phase.OPEN and self._http is not None:
            self._http.deadline_passed()
        else:
            self._listener.count("connections.timed_out")
            self._raw.abort()

    def shutdown(self) -> None:
        """Finish what is under way, then close."""
        if self._phase is Phase.OPEN and self._http is not None:
            self._http.shutdown()
        elif self._phase is not Phase.LINGERING:
            self._raw.abort()

    # The phases.

    def _read_proxy_header(self, data: bytes) -> None:
        self._pending += data
        try:
            parsed = parse_proxy_header(self._pending)
        except MalformedRequest:
            self._listener.count("connections.bad_proxy_header")
            self._raw.abort()
            return
        if isinstance(parsed, NeedMore):
            return
        rest, self._pending = self._pending[parsed.consumed :], b""
        if parsed.source is not None:
            self.address = fold_address(str(parsed.source))
        if not self._listener.admit(self):
            self._raw.abort()
            return
        self._phase = Phase.HANDSHAKE
        if rest:
            self._incoming.write(rest)
            self._handshake()

    def _handshake(self) -> None:
        if self._tls is None:
            self._context = self._listener.context
            self._tls = self._context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return
        except ssl.SSLError as problem:
            self._listener.handshake_failed(problem)
            self._flush()
            self._phase = Phase.LINGERING
            self.deadline = self._listener.now() + limits.LINGER_SECONDS
            self._raw.close()
            return
        self._phase = Phase.OPEN
        self._listener.count("tls.resumed" if self._tls.session_reused else "tls.full")
        self.deadline = self._listener.now() + limits.REQUEST_SECONDS
        self._http = self._listener.new_http(self)
        self._http.connection_made(self)
        self._flush()
        self._read()

    def _read(self) -> None:
        tls = self._tls
        # OpenSSL takes whole records out of the BIO and no more; what is left of one waits there for its rest.
        # So an empty BIO has nothing to say, and asking would only raise.
        while (
            self._incoming.pending
            and self._phase is Phase.OPEN
            and tls is not None
            and self._http is not None
        ):
            try:
                data = tls.read(_READ_OCTETS)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLError:
                # Also how a refused client certificate shows on TLS 1.3, and a torn record.
                self._flush()
                self._phase = Phase.LINGERING
                self.deadline = self._listener.now() + limits.FLUSH_SECONDS
                self._raw.close()
                return
            if not data:  # close_notify
                self.close()
                return
            self._http.data_received(data)
        if self._outgoing.pending:
            self._flush()

    def _flush(self) -> None:
        if self._outgoing.pending and not self._raw.is_closing():
            self._raw.write(self._outgoing.read())

    # To above: what the HTTP protocol takes for its transport.

    def write(self, data: bytes) -> None:
        self.write_records(data)

    def write_records(self, *parts: bytes) -> None:
        """Send each part as a TLS record of its own, all in one TCP write.

        strongSwan 5.9.8 wants the head alone in the first record.
        """
        if self._phase is not Phase.OPEN or self._tls is None:
            return
        try:
            for part in parts:
                if part:
                    self._tls.write(part)
        except ssl.SSLError:
            self._raw.abort()
            return
        self._flush()

    def close(self) -> None:
        if self._phase is not Phase.OPEN:
            return
        self._end_tls()
        self._phase = Phase.LINGERING
        self.deadline = self._listener.now() + limits.FLUSH_SECONDS
        self._raw.close()

    def close_lingering(self) -> None:
        """Close while the peer may still be sending: a plain close would answer its bytes with a reset, and the
        reset would overtake our answer."""
        if self._phase is not Phase.OPEN:
            return
        self._end_tls()
        self._phase = Phase.LINGERING
        self.deadline = self._listener.now() + limits.LINGER_SECONDS
        if self._raw.can_write_eof():
            self._raw.write_eof()

    def _end_tls(self) -> None:
        if self._tls is None:
            return
        with contextlib.suppress(ssl.SSLError):  # the peer's close_notify is not waited for
            self._tls.unwrap()
        self._flush()

    def abort(self) -> None:
        self._raw.abort()

    def is_closing(self) -> bool:
        return self._phase is not Phase.OPEN or self._raw.is_closing()

    def pause_reading(self) -> None:
        if not self._raw.is_closing():
            self._raw.pause_reading()

    def resume_reading(self) -> None:
        if not self._raw.is_closing():
            self._raw.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "ssl_object":
            return self._tls
        if name == "sslcontext":
            return self._context
        if name == "peername":
            return str(self.address), 0
        return default
