"""Raw TLS connections, to stop in mid-request."""

from __future__ import annotations

import base64
import socket
import ssl
import struct

from cryptography.hazmat.primitives.asymmetric import ec

from tests.est_session import BASE, PKCS10, basic, quickstart_credentials
from tests.request_maker import usual_request
from tests.running_server import RunningServer

_AT_ONCE = struct.pack("ii", 1, 0)


def connect(server: RunningServer, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", server.est_port), timeout=20)
    return (context or server.tls_context()).wrap_socket(plain, server_hostname="localhost")


def enrolment(server: RunningServer, common_name: str) -> tuple[bytes, bytes]:
    """Head and body."""
    csr = usual_request(ec.generate_private_key(ec.SECP256R1()), common_name=common_name)
    body = base64.b64encode(csr)
    headers = basic(*quickstart_credentials(server)) | {
        "Host": "localhost",
        "Content-Type": PKCS10,
        "Content-Length": str(len(body)),
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {BASE}/simpleenroll HTTP/1.1\r\n{lines}\r\n".encode(), body


def read_to_end(tls: ssl.SSLSocket) -> bytes:
    received = b""
    while part := tls.recv(65536):
        received += part
    return received


def reset(tls: ssl.SSLSocket) -> None:
    """Go as a killed process goes that has not read all: no close_notify, a reset."""
    tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    tls.close()
