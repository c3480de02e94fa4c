"""Answers as real clients want them: exact lengths, Title-Case names, one-line base64, head under 1024 octets."""

from __future__ import annotations

from dataclasses import dataclass

from certuary.core.est import TEXT
from certuary.errors import CertuaryError, MethodNotAllowed, NotAuthenticated, RateLimited, Unavailable
from certuary.est.error_map import INTERNAL_ERROR, http_status
from certuary.est.request import Send

REALM = b'Basic realm="Certuary EST", charset="UTF-8"'

NO_CREDENTIALS = "no credentials"

Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    status: int
    headers: tuple[Header, ...]
    body: bytes


def payload(media_type: str, base64_body: bytes) -> Response:
    """A success: base64 of DER. RFC 8951 made Content-Transfer-Encoding meaningless; older clients look for it."""
    return Response(
        status=200,
        headers=(
            (b"Content-Type", media_type.encode()),
            (b"Content-Transfer-Encoding", b"base64"),
            (b"Content-Length", b"%d" % len(base64_body)),
        ),
        body=base64_body,
    )


def refusal(error: CertuaryError) -> Response:
    """RFC 8951 section 5: an error is a short plain text."""
    text = f"{error}\n".encode()
    if isinstance(error, NotAuthenticated) and error.reason == NO_CREDENTIALS:
        # Bouncy Castle closes the challenge unread, and takes unread octets for a failure.
        text = b""
    headers: list[Header] = [
        (b"Content-Type", TEXT.encode()),
        (b"Content-Length", b"%d" % len(text)),
    ]
    if isinstance(error, NotAuthenticated):
        headers.append((b"WWW-Authenticate", REALM))
    elif isinstance(error, MethodNotAllowed):
        headers.append((b"Allow", error.allow.encode()))
    elif isinstance(error, RateLimited | Unavailable):
        headers.append((b"Retry-After", b"%d" % error.retry_after))
    return Response(status=http_status(error), headers=tuple(headers), body=text)


def internal_error(request_id: str) -> Response:
    text = (
        f"internal-error: something went wrong here; the log tells more under request {request_id}\n".encode()
    )
    headers = ((b"Content-Type", TEXT.encode()), (b"Content-Length", b"%d" % len(text)))
    return Response(status=INTERNAL_ERROR, headers=headers, body=text)


async def send_response(send: Send, response: Response, request_id: str) -> None:
    headers = [*response.headers, (b"Cache-Control", b"no-store"), (b"X-Request-Id", request_id.encode())]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body, "more_body": False})
