"""The EST endpoint: raw ASGI, a fixed router, request -> service -> response. RFC 7030 with RFC 8951.

The order of the checks is the table in the documentation (docs/est-divergences.md): caps (before the application),
path, enabled, credentials, media type, body, authorisation, profile, commit. A stranger's bytes never reach an
ASN.1 parser.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Any

import structlog
from cryptography.hazmat.primitives.asymmetric import rsa

from certuary.core.cms import certs_only
from certuary.core.csrattrs import csrattrs_for
from certuary.core.est import (
    CERTS_ONLY,
    CSRATTRS,
    METHODS,
    PKCS7_MIME,
    PKCS10,
    Base,
    Operation,
    Route,
    parse_media_type,
    route,
)
from certuary.core.transfer import encode_body
from certuary.core.values import SERIAL_RANDOM_OCTETS, make_serial
from certuary.errors import (
    CertuaryError,
    MethodNotAllowed,
    NotAuthenticated,
    NotFound,
    RateLimited,
    Unavailable,
    UnsupportedMediaType,
)
from certuary.est.authentication import authenticate, has_credentials
from certuary.est.deps import EstDeps
from certuary.est.request import Receive, Request, Send, read_request
from certuary.est.responses import Response, internal_error, payload, refusal, send_response
from certuary.services.authenticate import Caller
from certuary.services.authorise import find_profile
from certuary.services.enrol import EnrolRequest, Issued, enrol, needs_database, refusal_item
from certuary.services.ports import AuditRow, BatchItem
from certuary.services.snapshot import ActiveProfile, Snapshot

App = Callable[[Mapping[str, Any], Receive, Send], Awaitable[None]]

_log = structlog.get_logger("certuary.est")
_OPEN_OPERATIONS = frozenset({Operation.CACERTS, Operation.CSRATTRS})


def build(deps: EstDeps) -> App:
    endpoint = Endpoint(deps)

    async def app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        request = await read_request(scope, receive, deps.random_octets)
        try:
            response = await endpoint.answer(request)
        except CertuaryError as error:
            deps.count(f"refused.{error.rule}")
            response = refusal(error)
        except Exception:
            _log.exception("request failed", request_id=request.id)
            deps.count("refused.internal-error")
            response = internal_error(request.id)
        await send_response(send, response, request.id)

    return app


class Endpoint:
    def __init__(self, deps: EstDeps) -> None:
        self._deps = deps
        self._prepared: dict[tuple[Operation, int], tuple[ActiveProfile, Response]] = {}
        self._strangers = StrangerEvents(deps)

    async def answer(self, request: Request) -> Response:
        found = _find_route(request)
        snapshot = self._deps.snapshot()
        profile = find_profile(snapshot, found.label)
        ignored = request.ignored_headers()
        if ignored:
            await self._strangers.record("request.headers-ignored", request, {"headers": ignored})
        if not _is_open(found, snapshot):
            caller = await self._authenticate(request, snapshot)
            while (current := self._deps.snapshot()) is not snapshot:
                # A password may have waited for its check: whom a change has disabled meanwhile is out.
                snapshot, profile = current, find_profile(current, found.label)
                caller = await self._authenticate(request, snapshot)
        if found.operation in _OPEN_OPERATIONS:
            return self._prepare(found.operation, profile)
        return await self._enrol(request, found, caller, snapshot, profile, ignored)

    async def _authenticate(self, request: Request, snapshot: Snapshot) -> Caller:
        try:
            return await authenticate(request, snapshot, self._deps)
        except NotAuthenticated as refused:
            # Without any credentials it is a question, not an attempt: many clients wait for the challenge.
            if has_credentials(request):
                await self._strangers.record("authentication.refused", request, {"reason": refused.reason})
            raise
        except RateLimited:
            await self._strangers.record("authentication.rate-limited", request, {})
            raise

    def _prepare(self, operation: Operation, profile: ActiveProfile) -> Response:
        """Answers that only a new profile version or authority changes."""
        key = (operation, profile.id)
        known = self._prepared.get(key)
        if known is not None and known[0] is profile:
            return known[1]
        if operation is Operation.CACERTS:
            response = payload(PKCS7_MIME, encode_body(certs_only(profile.authority.chain)))
        else:
            response = payload(CSRATTRS, encode_body(csrattrs_for(profile.profile, linking_required=False)))
        self._prepared[key] = profile, response
        return response

    async def _enrol(
        self,
        request: Request,
        found: Route,
        caller: Caller,
        snapshot: Snapshot,
        profile: ActiveProfile,
        ignored: tuple[str, ...],
    ) -> Response:
        now = self._deps.clock.require_safe()
        enrolment = EnrolRequest(
            operation=found.operation,
            label=found.label,
            body=request.body,
            request_id=request.id,
            address=request.tls.address_text,
            now=now,
            serial=make_serial(int(now.timestamp() * 1000), self._deps.random_octets(SERIAL_RANDOM_OCTETS)),
            tls_unique=request.tls.unique,
            ignored_headers=ignored,
        )
        try:
            _check_media_type(request)
            issued = await self._run_enrol(enrolment, caller, snapshot, profile)
            await self._commit(issued.item)
        except Unavailable:
            raise
        except CertuaryError as error:
            await self._commit(refusal_item(enrolment, caller, profile, error))
            raise
        finally:
            self._deps.enrol.keys_in_flight.release(request.id)
        self._deps.count(f"issued.{found.operation.value}")
        return payload(CERTS_ONLY, encode_body(certs_only((issued.certificate_der,))))

    async def _run_enrol(
        self, enrolment: EnrolRequest, caller: Caller, snapshot: Snapshot, profile: ActiveProfile
    ) -> Issued:
        arguments = (enrolment, caller, snapshot, profile, self._deps.enrol)
        # An RSA signature takes milliseconds, in which a whole batch of other requests would stand still.
        signs_slowly = isinstance(profile.authority.signer, rsa.RSAPrivateKey)
        if signs_slowly or needs_database(enrolment.operation, caller, profile):
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._deps.blocking, enrol, *arguments)
        return enrol(*arguments)

    async def _commit(self, item: BatchItem) -> None:
        await self._deps.writer.submit_async(item, asyncio.get_running_loop())


class StrangerEvents:
    """Audit events that somebody without credentials can cause: all of them, up to a rate; then a count."""

    PER_SECOND = 50.0

    def __init__(self, deps: EstDeps) -> None:
        self._deps = deps
        self._tokens = self.PER_SECOND
        self._at = deps.steady()
        self._suppressed = 0

    async def record(self, kind: str, request: Request, detail: dict[str, object]) -> None:
        now = self._deps.steady()
        self._tokens = min(self.PER_SECOND, self._tokens + (now - self._at) * self.PER_SECOND)
        self._at = now
        if self._tokens < 1.0:
            self._suppressed += 1
            self._deps.count("audit.suppressed")
            return
        self._tokens -= 1.0
        if self._suppressed:
            detail = {**detail, "suppressed_before": self._suppressed}
            self._suppressed = 0
        event = AuditRow(
            at=self._deps.clock.now(),
            kind=kind,
            actor_kind="stranger",
            actor="",
            target="",
            request_id=request.id,
            address=request.tls.address_text,
            detail=json.dumps(detail, separators=(",", ":")),
        )
        await self._deps.writer.submit_async(BatchItem(audit=event), asyncio.get_running_loop())


def _find_route(request: Request) -> Route:
    found = route(request.raw_path)
    if found is None:
        raise NotFound("there is no such EST operation", rule="unknown-path")
    methods = METHODS[found.operation]
    if request.method not in methods:
        raise MethodNotAllowed(f"{found.operation} is asked for by {methods[0]}", allow=", ".join(methods))
    return found


def _is_open(found: Route, snapshot: Snapshot) -> bool:
    """RFC 7030 sections 4.1.2 and 4.5 (S-23, S-46): cacerts and csrattrs should not need credentials; here that holds
    on the well-known base, unless a property says otherwise."""
    if found.operation not in _OPEN_OPERATIONS:
        return False
    if snapshot.cacerts_authentication == "default":
        return found.base is Base.WELL_KNOWN
    return snapshot.cacerts_authentication == "none"


def _check_media_type(request: Request) -> None:
    encoding = request.headers.get(b"content-encoding", b"identity").strip().lower()
    if encoding not in (b"", b"identity"):
        raise UnsupportedMediaType("a compressed body is not accepted", rule="content-encoding")
    if not _is_pkcs10(request.headers.get(b"content-type", b"")):
        raise UnsupportedMediaType(f"Content-Type: {PKCS10} is needed")


@lru_cache(maxsize=64)
def _is_pkcs10(content_type: bytes) -> bool:
    return parse_media_type(content_type).essence == PKCS10
