"""The load generator tells the truth: what it calls fresh is fresh, and a wrong answer is a failure."""

from __future__ import annotations

import asyncio
import base64
import itertools
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bench.load import Connections, Exchange, Outcome, Stream, client_context, run
from bench.material import Prepared, encode_enrolment, make_csr

Address = tuple[str, int]
Answer = Callable[[bytes], bytes]

SIGNED_DATA = bytes.fromhex("308006092a864886f70d010702")


def test_fresh_connections_resume_no_session(server: Address) -> None:
    outcome = enrol(server, "fresh")
    assert (outcome.answered, outcome.handshakes, outcome.resumed) == (12, 12, 0)


def test_resumed_connections_resume_all_but_the_first(server: Address) -> None:
    outcome = enrol(server, "resumed", width=1)
    assert (outcome.answered, outcome.handshakes, outcome.resumed) == (12, 12, 11)


def test_kept_connections_shake_hands_once_each(server: Address) -> None:
    outcome = enrol(server, "keep-alive", width=3)
    assert (outcome.answered, outcome.handshakes) == (12, 3)


def test_requests_at_a_rate_are_started_at_that_rate(server: Address) -> None:
    stream = Stream(exchanges=exchanges(100, "keep-alive"), context=client_context(), width=50, rate=40)
    [outcome] = run(server, [stream], seconds=0.5)
    assert 19 <= outcome.answered <= 22


@pytest.mark.parametrize(
    ("path", "failure"),
    [
        ("/status", "400 Bad Request: no"),
        ("/other-key", "the certificate has another key"),
        ("/not-pkcs7", "the body is not PKCS#7"),
        ("/not-base64", "the body is not base64"),
        ("/hang-up", "closed before the answer"),
    ],
)
def test_a_wrong_answer_is_a_failure(server: Address, path: str, failure: str) -> None:
    stream = Stream(exchanges=exchanges(1, "fresh", path), context=client_context())
    [outcome] = run(server, [stream], seconds=5, limit=1)
    assert (outcome.answered, dict(outcome.failures)) == (0, {failure: 1})


def enrol(server: Address, connections: Connections, *, width: int = 4) -> Outcome:
    stream = Stream(
        exchanges=exchanges(12, connections), context=client_context(), connections=connections, width=width
    )
    [outcome] = run(server, [stream], seconds=10, limit=12)
    assert not outcome.failures
    return outcome


def exchanges(count: int, connections: Connections, path: str = "/enrol") -> Iterator[Exchange]:
    prepared: Prepared = make_csr("device")
    request = encode_enrolment(prepared, path=path, close=connections != "keep-alive")
    return itertools.repeat(Exchange(request=request, key_der=prepared.key_der), count)


def answer(request: bytes) -> bytes:
    path = request.split(b" ", 2)[1]
    csr = base64.b64decode(request.partition(b"\r\n\r\n")[2])
    if path == b"/hang-up":
        return b""
    if path == b"/status":
        return b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno"
    body = {
        b"/other-key": base64.b64encode(SIGNED_DATA),
        b"/not-pkcs7": base64.b64encode(csr),
        b"/not-base64": b"AAAAA",
    }.get(path, base64.b64encode(SIGNED_DATA + csr))
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


async def serve_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
            writer.write(answer(head + await reader.readexactly(length)))
            await writer.drain()
            if b"Connection: close" in head:
                break
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """A TLS server that puts the CSR, and so its key, into the answer."""
    context = server_context(tmp_path_factory.mktemp("tls") / "server.pem")
    loop = asyncio.new_event_loop()
    listener = loop.run_until_complete(asyncio.start_server(serve_connection, "127.0.0.1", 0, ssl=context))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield listener.sockets[0].getsockname()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.run_until_complete(stop(listener))
    loop.close()


async def stop(listener: asyncio.Server) -> None:
    listener.close()
    await listener.wait_closed()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def server_context(path: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = x509.CertificateBuilder(
        issuer_name=name,
        subject_name=name,
        public_key=key.public_key(),
        serial_number=1,
        not_valid_before=now - timedelta(minutes=5),
        not_valid_after=now + timedelta(hours=1),
    ).sign(key, hashes.SHA256())
    key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(key_pem + certificate.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
