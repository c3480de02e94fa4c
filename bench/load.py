"""The load generator: one thread, one epoll, many TLS connections; one core of it keeps one worker busy.

Each stream sends prepared requests: over a new connection with a full handshake for each (the default), over
a new one that resumes the stream's last session, or over connections that stay open. A stream either keeps a
fixed number of connections busy, or starts requests at a fixed rate; then the time of an answer counts from
when the request was due, so that a stalled server cannot hide behind a generator that waits for it.

Every answer is checked: its status, and for an enrolment that its certificate carries the key of the CSR. The
server's certificate is verified once by the caller (`verified_connection`), not on each connection.
"""

from __future__ import annotations

import binascii
import contextlib
import gc
import select
import socket
import ssl
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

Connections = Literal["fresh", "resumed", "keep-alive"]

_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
_ANSWER_TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A request ready to be sent and what its answer must be; `status` None takes any.

    With `key_der` (a SubjectPublicKeyInfo) the answer must hold a certificate for that key. `source` is the
    address that the connection comes from, None for whatever the system picks; `context` replaces the
    stream's.
    """

    request: bytes
    status: int | None = 200
    key_der: bytes | None = None
    source: str | None = None
    context: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """What to send and how. `rate` is requests a second; None keeps `width` requests under way."""

    exchanges: Iterator[Exchange]
    context: ssl.SSLContext
    connections: Connections = "fresh"
    width: int = 8
    rate: float | None = None


@dataclass(slots=True)
class Outcome:
    """What a stream met. `times` are seconds per rightly answered request, in order of arrival.

    `seconds` is how long requests were started; the last few are answered a little later.
    """

    times: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    handshakes: int = 0
    resumed: int = 0
    seconds: float = 0.0
    last_body: bytes = b""
    """The DER of the last certificate answer."""

    @property
    def answered(self) -> int:
        return len(self.times)

    @property
    def rate(self) -> float:
        return len(self.times) / self.seconds if self.seconds else 0.0

    def percentile(self, percent: float) -> float:
        """In milliseconds; 0 when nothing was answered."""
        if not self.times:
            return 0.0
        ordered = sorted(self.times)
        return ordered[min(int(percent / 100 * len(ordered)), len(ordered) - 1)] * 1000


def client_context(
    certificate_file: str | None = None,
    *,
    tls12: bool = False,
) -> ssl.SSLContext:
    """TLS 1.3 (or 1.2) with the library's own order of groups (X25519 first), as curl has it.

    It does not verify the server: that costs the generator, not the server; `verified_connection` does it.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    version = ssl.TLSVersion.TLSv1_2 if tls12 else ssl.TLSVersion.TLSv1_3
    context.minimum_version = context.maximum_version = version
    if certificate_file is not None:
        context.load_cert_chain(certificate_file)
    return context


def verified_connection(address: tuple[str, int], trust_file: str) -> str:
    """Connect once as a careful client does and tell the TLS version."""
    context = ssl.create_default_context(cafile=trust_file)
    with (
        socket.create_connection(address, timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as tls,
    ):
        return tls.version() or ""


def run(
    address: tuple[str, int],
    streams: Sequence[Stream],
    *,
    seconds: float,
    limit: int | None = None,
    settle_seconds: float = 0.0,
) -> list[Outcome]:
    """Run all streams side by side; no request starts after `seconds`, or after `limit` of each stream.

    What is answered in the first `settle_seconds`, which come on top, is forgotten: the connections of a kept
    stream are made then.
    """
    # A collection would walk the thousands of prepared requests and show as the server's p99.
    gc.collect()
    gc.disable()
    try:
        return _Loop(address, streams, limit).run(seconds, settle_seconds)
    finally:
        gc.enable()


@dataclass(slots=True, eq=False)
class _Connection:
    """One connection and the request that is under way on it."""

    socket: socket.socket
    tls: ssl.SSLObject
    incoming: ssl.MemoryBIO
    outgoing: ssl.MemoryBIO
    lane: _Lane
    exchange: Exchange
    started: float
    up: bool = False
    answer: bytes = b""
    expected: int = 0
    unsent: bytes = b""


class _Lane:
    """A stream while it runs: what is left to do and what came back."""

    def __init__(self, stream: Stream, limit: int | None, now: float) -> None:
        self.stream = stream
        self.outcome = Outcome()
        self.left = limit if limit is not None else 1 << 62
        self.busy = 0
        self.idle: list[_Connection] = []
        self.session: ssl.SSLSession | None = None
        self.interval = 1 / stream.rate if stream.rate else 0.0
        self.due = now

    def next_exchange(self) -> Exchange | None:
        if self.left <= 0:
            return None
        self.left -= 1
        return next(self.stream.exchanges, None)


class _Loop:
    def __init__(self, address: tuple[str, int], streams: Sequence[Stream], limit: int | None) -> None:
        self._address = address
        self._epoll = select.epoll()
        self._open: dict[int, _Connection] = {}
        now = time.perf_counter()
        self._lanes = [_Lane(stream, limit, now) for stream in streams]
        self._stopping = False

    def run(self, seconds: float, settle_seconds: float) -> list[Outcome]:
        began = time.perf_counter()
        for lane in self._lanes:
            lane.due = began
        if settle_seconds:
            self._until(began + settle_seconds)
            began = time.perf_counter()
            for lane in self._lanes:
                lane.outcome = Outcome()
        self._until(began + seconds)
        elapsed = time.perf_counter() - began
        self._stopping = True
        self._until(began + seconds + 2 * _ANSWER_TIMEOUT_SECONDS)
        for connection in list(self._open.values()):
            self._drop(connection)
        self._epoll.close()
        for lane in self._lanes:
            lane.outcome.seconds = elapsed
        return [lane.outcome for lane in self._lanes]

    def _until(self, ends: float) -> None:
        """Go on until then, or until nothing is under way and nothing more to start."""
        patience = time.perf_counter() + 1
        while (now := time.perf_counter()) < ends:
            if not self._stopping:
                self._start_due(now)
            if (self._stopping or self._all_sent()) and not any(lane.busy for lane in self._lanes):
                return
            if now >= patience:
                self._give_up_on_the_slow(now)
                patience = now + 1
            self._wait(min(ends, patience))

    def _all_sent(self) -> bool:
        return all(lane.left <= 0 for lane in self._lanes)

    def _start_due(self, now: float) -> None:
        for lane in self._lanes:
            if lane.interval:
                while lane.due <= now and lane.busy < lane.stream.width and self._start(lane, lane.due):
                    lane.due += lane.interval
            else:
                while lane.busy < lane.stream.width and self._start(lane, now):
                    pass

    def _start(self, lane: _Lane, started: float) -> bool:
        exchange = lane.next_exchange()
        if exchange is None:
            lane.left = 0
            return False
        lane.busy += 1
        if lane.idle:
            self._send(lane.idle.pop(), exchange, started)
        else:
            self._connect(lane, exchange, started)
        return True

    def _wait(self, until: float) -> None:
        for lane in self._lanes:
            if lane.interval and lane.busy < lane.stream.width and lane.left > 0 and not self._stopping:
                until = min(until, lane.due)
        for number, events in self._epoll.poll(max(0.0, until - time.perf_counter())):
            connection = self._open.get(number)
            if connection is None:
                continue
            if connection.unsent and events & select.EPOLLOUT:
                self._on_writable(connection)
            else:
                self._on_readable(connection)

    def _push(self, connection: _Connection) -> None:
        """Send what TLS has written; what the socket does not take waits until it turns writable."""
        waiting = connection.unsent + connection.outgoing.read()
        try:
            connection.unsent = waiting[connection.socket.send(waiting) :]
        except BlockingIOError:
            connection.unsent = waiting
        if connection.unsent:
            self._epoll.modify(connection.socket.fileno(), select.EPOLLIN | select.EPOLLOUT)

    def _on_writable(self, connection: _Connection) -> None:
        self._epoll.modify(connection.socket.fileno(), select.EPOLLIN)
        try:
            self._push(connection)
        except OSError as problem:
            self._fail(connection, f"write: {problem.strerror}")

    def _connect(self, lane: _Lane, exchange: Exchange, started: float) -> None:
        plain = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        plain.setblocking(False)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = (exchange.context or lane.stream.context).wrap_bio(
            incoming, outgoing, server_hostname="localhost", session=lane.session
        )
        made = _Connection(plain, tls, incoming, outgoing, lane, exchange, started)
        if exchange.source is not None:
            made.socket.bind((exchange.source, 0))
        made.socket.connect_ex(self._address)
        self._open[made.socket.fileno()] = made
        # On loopback the connection is up when connect_ex returns, so the first flight goes out at once.
        self._epoll.register(made.socket.fileno(), select.EPOLLIN)
        try:
            self._handshake(made)
        except OSError as problem:
            self._fail(made, f"connect: {problem}")

    def _on_readable(self, connection: _Connection) -> None:
        try:
            arrived = connection.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError as problem:
            self._fail(connection, f"read: {problem.strerror}")
            return
        if not arrived:
            self._on_end(connection)
            return
        connection.incoming.write(arrived)
        try:
            if not connection.up and not self._handshake(connection):
                return
            self._read(connection)
        except ssl.SSLWantReadError:
            return
        except (ssl.SSLError, OSError) as problem:
            self._fail(connection, f"tls: {getattr(problem, 'reason', None) or problem}")

    def _handshake(self, connection: _Connection) -> bool:
        try:
            connection.tls.do_handshake()
        except ssl.SSLWantReadError:
            self._push(connection)
            return False
        connection.up = True
        # The end of the handshake and the request are two segments, as OpenSSL's and Go's clients send them.
        if connection.outgoing.pending:
            self._push(connection)
        outcome = connection.lane.outcome
        outcome.handshakes += 1
        outcome.resumed += bool(connection.tls.session_reused)
        connection.tls.write(connection.exchange.request)
        self._push(connection)
        return True

    def _send(self, connection: _Connection, exchange: Exchange, started: float) -> None:
        connection.exchange, connection.started = exchange, started
        connection.answer, connection.expected = b"", 0
        try:
            connection.tls.write(exchange.request)
            self._push(connection)
        except OSError as problem:
            self._fail(connection, f"write: {problem.strerror}")

    def _read(self, connection: _Connection) -> None:
        """Take what has been decrypted; raises SSLWantReadError when there is no more for now."""
        while True:
            piece = connection.tls.read(65536)
            if not piece:
                self._on_end(connection)
                return
            connection.answer += piece
            if not connection.expected:
                connection.expected = _full_length(connection.answer)
            if connection.expected and len(connection.answer) >= connection.expected:
                self._finish(connection)
                return

    def _finish(self, connection: _Connection) -> None:
        lane, now = connection.lane, time.perf_counter()
        problem = self._check(connection)
        lane.outcome.statuses[_status(connection.answer)] += 1
        if problem is None:
            lane.outcome.times.append(now - connection.started)
        else:
            lane.outcome.failures[problem] += 1
        lane.busy -= 1
        if lane.stream.connections == "keep-alive" and b"\r\nConnection: close" not in connection.answer:
            self._keep(connection, now)
            return
        if lane.stream.connections == "resumed":
            lane.session = connection.tls.session
        self._close(connection)

    def _check(self, connection: _Connection) -> str | None:
        answer, exchange = connection.answer, connection.exchange
        if exchange.status not in (None, _status(answer)):
            return _status_problem(answer)
        if exchange.key_der is None:
            return None
        try:
            der = binascii.a2b_base64(answer[answer.index(b"\r\n\r\n") + 4 :])
        except binascii.Error:
            return "the body is not base64"
        if _SIGNED_DATA not in der[:20]:
            return "the body is not PKCS#7"
        if exchange.key_der not in der:
            return "the certificate has another key"
        connection.lane.outcome.last_body = der
        return None

    def _keep(self, connection: _Connection, now: float) -> None:
        lane = connection.lane
        exchange = None if self._stopping or lane.interval else lane.next_exchange()
        if exchange is None:
            lane.idle.append(connection)
            return
        lane.busy += 1
        self._send(connection, exchange, now)

    def _close(self, connection: _Connection) -> None:
        # unwrap writes our goodbye and then misses the server's, which is still on its way or never comes.
        with contextlib.suppress(OSError):
            connection.tls.unwrap()
        with contextlib.suppress(OSError):
            self._push(connection)
        self._drop(connection)

    def _drop(self, connection: _Connection) -> None:
        self._open.pop(connection.socket.fileno(), None)
        connection.socket.close()

    def _on_end(self, connection: _Connection) -> None:
        lane = connection.lane
        if connection in lane.idle:
            lane.idle.remove(connection)
            self._drop(connection)
            return
        self._fail(connection, "closed before the answer")

    def _fail(self, connection: _Connection, reason: str) -> None:
        connection.lane.outcome.failures[reason] += 1
        connection.lane.busy -= 1
        self._drop(connection)

    def _give_up_on_the_slow(self, now: float) -> None:
        for connection in list(self._open.values()):
            if connection not in connection.lane.idle and now - connection.started > _ANSWER_TIMEOUT_SECONDS:
                self._fail(connection, "no answer in time")


def _full_length(answer: bytes) -> int:
    """How long head and body are together; 0 while the head is not complete."""
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return 0
    at = answer.find(b"\r\nContent-Length: ", 0, end)
    if at < 0:
        return end + 4
    return end + 4 + int(answer[at + 18 : answer.index(b"\r\n", at + 18)])


def _status(answer: bytes) -> int:
    return int(answer[9:12])


def _status_problem(answer: bytes) -> str:
    head, _, body = answer.partition(b"\r\n\r\n")
    return f"{head[9:40].decode(errors='replace').splitlines()[0]}: {body[:120].decode(errors='replace')}"
