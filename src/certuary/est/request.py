"""What the EST endpoint reads from an ASGI request: no more than it uses."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from certuary.core.values import Address

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

# Headers by which a proxy would speak of the client. This listener trusts the PROXY protocol alone, so whoever sends
# one of these is ignored, and audited: it may be an attempt to be somebody else (RFC 9440 section 2.4, S-52).
FORWARDING_HEADERS = frozenset(
    {
        b"client-cert", b"client-cert-chain", b"forwarded", b"ssl-client-cert", b"ssl-client-verify",
        b"true-client-ip", b"x-amzn-mtls-clientcert", b"x-amzn-mtls-clientcert-leaf", b"x-arr-clientcert",
        b"x-client-cert", b"x-client-dn", b"x-client-ip", b"x-client-verify", b"x-cluster-client-ip",
        b"x-forwarded-client-cert", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto",
        b"x-forwarded-tls-client-cert", b"x-forwarded-user", b"x-original-forwarded-for", b"x-real-ip",
        b"x-remote-user", b"x-ssl-cert", b"x-ssl-client-cert", b"x-ssl-client-dn", b"x-ssl-client-s-dn",
        b"x-ssl-client-verify", b"x-tls-client-cert",
    }
)  # fmt: skip


class TlsSession(Protocol):
    """What the listener puts into the scope: of the connection, told once."""

    address: Address
    address_text: str
    certificate_der: bytes | None
    version: str

    def unique(self) -> bytes | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    id: str
    method: str
    raw_path: bytes
    headers: Mapping[bytes, bytes]
    repeated: frozenset[bytes]
    """Names of headers that came more than once; `headers` has the last of each."""
    body: bytes
    tls: TlsSession

    @property
    def address(self) -> Address:
        return self.tls.address

    def ignored_headers(self) -> tuple[str, ...]:
        if FORWARDING_HEADERS.isdisjoint(self.headers):
            return ()
        return tuple(sorted(name.decode() for name in self.headers.keys() & FORWARDING_HEADERS))


async def read_request(
    scope: Mapping[str, Any], receive: Receive, random_octets: Callable[[int], bytes]
) -> Request:
    headers: dict[bytes, bytes] = dict(scope["headers"])
    repeated: frozenset[bytes] = frozenset()
    if len(headers) != len(scope["headers"]):
        names = [name for name, _ in scope["headers"]]
        repeated = frozenset(name for name in headers if names.count(name) > 1)
    return Request(
        id=make_request_id(random_octets),
        method=scope["method"],
        raw_path=scope["raw_path"],
        headers=headers,
        repeated=repeated,
        body=await _read_body(receive),
        tls=scope["extensions"]["certuary.tls"],
    )


def make_request_id(random_octets: Callable[[int], bytes]) -> str:
    """32 hex digits, rising with time, so that an index over them only grows at its end."""
    return f"{time.time_ns() // 1_000_000:012x}{random_octets(10).hex()}"


async def _read_body(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    return body
