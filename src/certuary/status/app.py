"""The status listener: CRLs and CA certificates for everybody, health for balancers, numbers for operators.

Raw ASGI, plain HTTP: a CRL is signed, and fetching it over HTTPS would need the very check it serves
(RFC 5280 section 8). Who is an operator is decided by the socket's address alone; no forwarding header
is believed.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from certuary.core.values import Network, fold_address
from certuary.services.ports import Clock
from certuary.status import metrics
from certuary.status.documents import Document
from certuary.status.health import Health, NodeFacts, assess, detail

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_AGE_SECONDS = 300
"""A CRL may be replaced long before its nextUpdate, so caches ask again (by ETag) this often."""

_TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusDeps:
    """`operators` are the networks that see `/metrics` and the detail of `/readyz`."""

    documents: Callable[[], Mapping[str, Document]]
    facts: Callable[[], NodeFacts]
    clock: Clock
    operators: Sequence[Network]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    status: int
    body: bytes
    media_type: str = _TEXT
    headers: tuple[tuple[str, str], ...] = (("Cache-Control", "no-store"),)


def build(deps: StatusDeps) -> Application:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await _send(send, scope["method"], _answer(scope, deps))

    return application


def _answer(scope: Scope, deps: StatusDeps) -> _Answer:
    path = scope["path"]
    documents = deps.documents()
    document = documents.get(path)
    special = _SPECIAL.get(path)
    if document is None and special is None:
        return _text(404, "not-found: nothing is published at this path") if documents else _STARTING
    if scope["method"] not in ("GET", "HEAD"):
        refusal = _text(405, "method-not-allowed: only GET and HEAD are answered here")
        return _Answer(status=405, body=refusal.body, headers=(("Allow", "GET, HEAD"),))
    if special is not None:
        return special(scope, deps)
    assert document is not None
    return _document_answer(document, dict(scope["headers"]), deps.clock.now())


def _healthz(scope: Scope, deps: StatusDeps) -> _Answer:
    """The process answers; whether the node can enrol is `/readyz`."""
    return _text(200, "ok")


def _readyz(scope: Scope, deps: StatusDeps) -> _Answer:
    facts = deps.facts()
    health = assess(facts)
    status = 200 if health.ready else 503
    if not _is_operator(scope, deps):
        return _text(status, _summary(health))
    body = json.dumps(detail(facts, health), indent=2).encode() + b"\n"
    return _Answer(status=status, body=body, media_type="application/json")


def _metrics(scope: Scope, deps: StatusDeps) -> _Answer:
    if not _is_operator(scope, deps):
        return _text(403, "refused: metrics are for the networks in metrics_from")
    return _Answer(status=200, body=metrics.exposition(deps.facts()), media_type=metrics.MEDIA_TYPE)


# A 404 would tell a relying party that there is no CRL.
_STARTING = _Answer(
    status=503,
    body=b"starting: what is published here is still being read\n",
    headers=(("Cache-Control", "no-store"), ("Retry-After", "1")),
)
_SPECIAL: Mapping[str, Callable[[Scope, StatusDeps], _Answer]] = {
    "/healthz": _healthz,
    "/readyz": _readyz,
    "/metrics": _metrics,
}


def _summary(health: Health) -> str:
    return "ready" if health.ready else "not ready: " + "; ".join(health.reasons)


def _text(status: int, text: str) -> _Answer:
    return _Answer(status=status, body=text.encode() + b"\n")


def _document_answer(document: Document, headers: Mapping[bytes, bytes], now: datetime) -> _Answer:
    caching = _caching(document, now)
    if _is_known_to_caller(document, headers):
        return _Answer(status=304, body=b"", media_type="", headers=caching)
    return _Answer(status=200, body=document.body, media_type=document.media_type, headers=caching)


def _caching(document: Document, now: datetime) -> tuple[tuple[str, str], ...]:
    left = MAX_AGE_SECONDS
    if document.expires is not None:
        left = max(0, min(left, int((document.expires - now).total_seconds())))
    headers = [
        ("ETag", document.etag),
        ("Last-Modified", _http_date(document.last_modified)),
        ("Cache-Control", f"public, max-age={left}"),
    ]
    if document.expires is not None:
        headers.append(("Expires", _http_date(document.expires)))
    return tuple(headers)


def _is_known_to_caller(document: Document, headers: Mapping[bytes, bytes]) -> bool:
    """RFC 9110 section 13.2.2: If-Modified-Since counts only without If-None-Match."""
    known = headers.get(b"if-none-match")
    if known is not None:
        tags = [tag.strip().removeprefix("W/") for tag in known.decode("latin-1").split(",")]
        return document.etag in tags or "*" in tags
    since = headers.get(b"if-modified-since")
    return since is not None and _not_modified_since(document, since.decode("latin-1"))


def _not_modified_since(document: Document, since: str) -> bool:
    try:
        moment = parsedate_to_datetime(since)
    except (ValueError, TypeError, OverflowError):
        return False
    if moment.tzinfo is None:
        return False
    return document.last_modified.replace(microsecond=0) <= moment


def _is_operator(scope: Scope, deps: StatusDeps) -> bool:
    client = scope.get("client")
    if not client:
        return False
    try:
        address = fold_address(client[0])
    except ValueError:  # a unix socket has no address
        return False
    return any(address in network for network in deps.operators)


def _http_date(moment: datetime) -> str:
    return format_datetime(moment.astimezone(UTC), usegmt=True)


async def _send(send: Send, method: str, answer: _Answer) -> None:
    headers = [*answer.headers, ("X-Request-Id", secrets.token_hex(8)), ("X-Content-Type-Options", "nosniff")]
    if answer.media_type:
        headers.append(("Content-Type", answer.media_type))
        headers.append(("Content-Length", str(len(answer.body))))
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else answer.body})
