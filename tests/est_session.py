"""A small EST caller for tests: raw enough to send what no client would."""

from __future__ import annotations

import base64
import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from certuary.core.cms import parse_certs_only
from tests.request_maker import SigningKey
from tests.running_server import RunningServer

BASE = "/.well-known/est"
PKCS10 = "application/pkcs10"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def rule(self) -> str:
        return self.text.partition(":")[0]

    @property
    def certificate(self) -> x509.Certificate:
        assert self.status == 200, self.text
        (der,) = parse_certs_only(base64.b64decode(self.body, validate=True))
        return x509.load_der_x509_certificate(der)


def basic(username: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()}


class EstSession:
    """One connection, kept alive; made anew when the server closed it."""

    def __init__(
        self,
        server: RunningServer,
        *,
        credentials: tuple[str, str] | None = None,
        certificate: tuple[x509.Certificate, SigningKey] | None = None,
        work: Path | None = None,
        tls: ssl.TLSVersion | None = None,
        port: int | None = None,
    ) -> None:
        context = server.tls_context()
        if tls is not None:
            context.minimum_version = context.maximum_version = tls
        if certificate is not None:
            assert work is not None
            context.load_cert_chain(_write_pem(work, *certificate))
        self._headers = basic(*credentials) if credentials else {}
        self.connection = http.client.HTTPSConnection(
            "localhost", port or server.est_port, context=context, timeout=20
        )

    def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        self.connection.request(method, path, body=body, headers=self._headers | dict(headers or {}))
        response = self.connection.getresponse()
        return Answer(status=response.status, headers=response.headers, body=response.read())

    def enrol(
        self, csr_der: bytes, *, path: str = f"{BASE}/simpleenroll", headers: Mapping[str, str] | None = None
    ) -> Answer:
        body = base64.b64encode(csr_der)
        return self.ask(
            path, method="POST", body=body, headers={"Content-Type": PKCS10} | dict(headers or {})
        )

    def reenrol(self, csr_der: bytes, **options: Any) -> Answer:
        return self.enrol(csr_der, path=f"{BASE}/simplereenroll", **options)

    def tls_unique(self) -> bytes:
        if self.connection.sock is None:
            self.connection.connect()
        assert isinstance(self.connection.sock, ssl.SSLSocket)
        value = self.connection.sock.get_channel_binding("tls-unique")
        assert value is not None
        return value

    def close(self) -> None:
        self.connection.close()

    def __enter__(self) -> EstSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _write_pem(work: Path, certificate: x509.Certificate, key: SigningKey) -> Path:
    path = work / f"{certificate.serial_number:x}.pem"
    path.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + certificate.public_bytes(Encoding.PEM)
    )
    return path


def quickstart_credentials(server: RunningServer) -> tuple[str, str]:
    words = server.netrc.read_text().split()
    return words[words.index("login") + 1], words[words.index("password") + 1]
