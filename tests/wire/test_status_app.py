"""The status application, called in-process as ASGI."""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from certuary.core.values import parse_network
from certuary.services.process_report import ProcessReport
from certuary.status.app import StatusDeps, build
from certuary.status.documents import Document
from certuary.status.health import NodeFacts

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CRL = Document(
    media_type="application/pkix-crl",
    body=b"a crl",
    etag='"e1"',
    last_modified=NOW - timedelta(hours=1),
    expires=NOW + timedelta(hours=1),
)
FACTS = NodeFacts(
    now=NOW,
    steady_now=1,
    started_at=NOW,
    reports=(ProcessReport(role="est", pid=1, started_at=0, steady_at=1),),
    expected_workers=1,
    database_problem=None,
    clock_problem=None,
    passphrase_beside_keys=True,
    blocklist_entries=0,
    crls=(),
    tls_not_after=NOW + timedelta(days=50),
)
OPERATOR, STRANGER = "127.0.0.1", "192.0.2.9"


class FixedClock:
    def now(self) -> datetime:
        return NOW


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


def get(
    path: str,
    *,
    method: str = "GET",
    client: str | None = OPERATOR,
    headers: dict[str, str] | None = None,
    facts: NodeFacts = FACTS,
    document: Document | None = CRL,
) -> Answer:
    application = build(
        StatusDeps(
            documents=lambda: {"/crl/issuing.crl": document} if document else {},
            facts=lambda: facts,
            clock=FixedClock(),
            operators=(parse_network("127.0.0.0/8"), parse_network("::1/128")),
        )
    )
    sent: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def receive() -> MutableMapping[str, Any]:
        raise AssertionError("the status listener reads no body")

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "client": (client, 1) if client is not None else None,
        "headers": [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
    }

    async def call() -> None:
        await application(scope, receive, send)

    asyncio.run(call())
    start, body = sent
    named = {name.decode(): value.decode() for name, value in start["headers"]}
    return Answer(status=start["status"], headers=named, body=body["body"])


def test_a_crl_is_served_with_its_dates_and_tag() -> None:
    answer = get("/crl/issuing.crl", client=STRANGER)
    assert (answer.status, answer.body) == (200, b"a crl")
    assert answer.headers["Content-Type"] == "application/pkix-crl"
    assert answer.headers["Content-Length"] == "5"
    assert answer.headers["ETag"] == '"e1"'
    assert answer.headers["Last-Modified"] == "Mon, 23 Nov 2026 11:00:00 GMT"
    assert answer.headers["Expires"] == "Mon, 23 Nov 2026 13:00:00 GMT"
    assert answer.headers["Cache-Control"] == "public, max-age=300"


@pytest.mark.parametrize(("left", "max_age"), [(timedelta(seconds=20), 20), (timedelta(hours=-1), 0)])
def test_a_crl_is_never_cached_beyond_its_next_update(left: timedelta, max_age: int) -> None:
    answer = get("/crl/issuing.crl", document=replace(CRL, expires=NOW + left))
    assert answer.headers["Cache-Control"] == f"public, max-age={max_age}"


def test_what_has_no_next_update_has_no_expires() -> None:
    assert "Expires" not in get("/crl/issuing.crl", document=replace(CRL, expires=None)).headers


def test_head_answers_the_length_without_the_body() -> None:
    answer = get("/crl/issuing.crl", method="HEAD")
    assert (answer.status, answer.body, answer.headers["Content-Length"]) == (200, b"", "5")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-None-Match": '"e1"'}, 304),
        ({"If-None-Match": 'W/"e1"'}, 304),
        ({"If-None-Match": '"other", "e1"'}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": '"other"'}, 200),
        ({"If-Modified-Since": "Mon, 23 Nov 2026 11:00:00 GMT"}, 304),
        ({"If-Modified-Since": "Mon, 23 Nov 2026 10:59:59 GMT"}, 200),
        ({"If-Modified-Since": "yesterday"}, 200),
        ({"If-Modified-Since": "Mon, 23 Nov 2026 11:00:00"}, 200),
        ({"If-Modified-Since": "Mon, 99 Nov 99999999999 11:00:00 GMT"}, 200),
        # RFC 9110 section 13.2.2: the tag decides alone.
        ({"If-None-Match": '"other"', "If-Modified-Since": "Mon, 23 Nov 2026 11:00:00 GMT"}, 200),
    ],
)
def test_a_caller_that_has_the_document_is_told_so(headers: dict[str, str], status: int) -> None:
    answer = get("/crl/issuing.crl", headers=headers)
    assert answer.status == status
    assert answer.headers["ETag"] == '"e1"'
    assert (answer.body == b"") == (status == 304)


@pytest.mark.parametrize("path", ["/", "/crl/other.crl", "/crl/../crl/issuing.crl", "/metrics/", "/ca.pem"])
def test_an_unknown_path_is_not_found(path: str) -> None:
    assert get(path).status == 404


def test_before_anything_is_read_a_crl_is_unavailable_rather_than_not_found() -> None:
    answer = get("/crl/issuing.crl", document=None)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")


@pytest.mark.parametrize("path", ["/crl/issuing.crl", "/healthz", "/readyz", "/metrics"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_are_refused_with_what_is_allowed(path: str, method: str) -> None:
    answer = get(path, method=method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


def test_healthz_answers_whatever_the_state() -> None:
    answer = get("/healthz", client=STRANGER, facts=replace(FACTS, reports=()))
    assert (answer.status, answer.body) == (200, b"ok\n")


def test_readyz_tells_a_stranger_one_word() -> None:
    answer = get("/readyz", client=STRANGER)
    assert (answer.status, answer.body) == (200, b"ready\n")
    assert answer.headers["Cache-Control"] == "no-store"


def test_readyz_tells_a_stranger_why_it_is_not_ready() -> None:
    worker = replace(FACTS.reports[0], disabled_reason="property x is missing or not Active")
    answer = get("/readyz", client=STRANGER, facts=replace(FACTS, reports=(worker,)))
    assert (answer.status, answer.body) == (503, b"not ready: est: property x is missing or not Active\n")


def test_readyz_gives_an_operator_the_detail() -> None:
    answer = get("/readyz")
    told = json.loads(answer.body)
    assert answer.headers["Content-Type"] == "application/json"
    assert told["key_store"] == {"passphrase_beside_keys": True}
    assert any("passphrase" in warning for warning in told["warnings"])
    assert any("blocklist" in warning for warning in told["warnings"])


@pytest.mark.parametrize("client", [OPERATOR, "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_metrics_are_for_the_configured_networks(client: str) -> None:
    answer = get("/metrics", client=client)
    assert answer.status == 200
    assert b"certuary_ready 1.0" in answer.body


@pytest.mark.parametrize("client", [STRANGER, "::ffff:192.0.2.9", "2001:db8::1", "", None])
def test_metrics_are_refused_to_everybody_else(client: str | None) -> None:
    assert get("/metrics", client=client).status == 403


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded"])
def test_no_forwarding_header_makes_a_stranger_an_operator(header: str) -> None:
    answer = get("/metrics", client=STRANGER, headers={header: "127.0.0.1"})
    assert answer.status == 403


def test_every_answer_has_a_request_id_of_its_own() -> None:
    first, second = get("/healthz"), get("/nowhere")
    assert first.headers["X-Request-Id"] != second.headers["X-Request-Id"]
