"""The awaiting half of authentication: headers and certificates in, a `Caller` out.

The rules are `services/authenticate.py`; here stands what takes time: argon2 on its thread, the database on its own.
"""

from __future__ import annotations

import asyncio

from certuary.core.basic import Credentials, parse_basic
from certuary.errors import BadRequest, NotAuthenticated, RateLimited
from certuary.est.deps import EstDeps
from certuary.est.request import Request
from certuary.est.responses import NO_CREDENTIALS
from certuary.services.authenticate import Caller, check_certificate, why_not
from certuary.services.certificate_directory import CertificateIdentity
from certuary.services.password_quota import Lane
from certuary.services.snapshot import Application, Snapshot

AUTHORIZATION = b"authorization"


def has_credentials(request: Request) -> bool:
    return AUTHORIZATION in request.headers or request.tls.certificate_der is not None


async def authenticate(request: Request, snapshot: Snapshot, deps: EstDeps) -> Caller:
    """`NotAuthenticated`, or `RateLimited` where a password would have to be checked too soon after others."""
    by_certificate: Application | None = None
    identity: CertificateIdentity | None = None
    certificate_refusal: NotAuthenticated | None = None
    if request.tls.certificate_der is not None:
        try:
            identity = await _identify(request.tls.certificate_der, snapshot, deps)
            by_certificate = check_certificate(identity, snapshot, request.address, deps.clock.now())
        except NotAuthenticated as problem:
            certificate_refusal = problem

    if AUTHORIZATION not in request.headers:
        if certificate_refusal is not None:
            raise certificate_refusal
        if by_certificate is None:
            raise NotAuthenticated(NO_CREDENTIALS)
        return Caller(application=by_certificate, certificate=identity, by_password=False)

    credentials = _parse(request)
    application = await _check_password(credentials, request, snapshot, deps, certificate_refusal)
    if by_certificate is not None and by_certificate.id != application.id:
        raise NotAuthenticated("the certificate and the password belong to different applications")
    return Caller(application=application, certificate=identity, by_password=True)


def _parse(request: Request) -> Credentials:
    if AUTHORIZATION in request.repeated:
        raise NotAuthenticated("more than one Authorization header")
    try:
        return parse_basic(request.headers[AUTHORIZATION])
    except BadRequest as problem:
        raise NotAuthenticated(f"malformed Authorization header: {problem.detail}") from None


async def _identify(certificate_der: bytes, snapshot: Snapshot, deps: EstDeps) -> CertificateIdentity:
    known = deps.directory.remembered(certificate_der)
    if known is not None:
        return known
    loop = asyncio.get_running_loop()
    authorities = tuple(snapshot.authorities.values())
    return await loop.run_in_executor(deps.blocking, deps.directory.look_up, certificate_der, authorities)


async def _check_password(
    credentials: Credentials,
    request: Request,
    snapshot: Snapshot,
    deps: EstDeps,
    certificate_refusal: NotAuthenticated | None,
) -> Application:
    application = snapshot.applications.get(credentials.username)
    reason = why_not(application, request.address, deps.clock.now())
    if certificate_refusal is not None:
        reason = certificate_refusal.reason
    steady_now = deps.steady()
    username, password = credentials.username, credentials.password
    if (
        application is not None
        and reason is None
        and deps.credentials.holds(username, password, application.password_hash, steady_now=steady_now)
    ):
        return application

    lane = deps.quota.admit(
        username,
        request.address,
        known=application is not None,
        on_own_network=reason is None,
        steady_now=steady_now,
    )
    if lane is None:
        raise RateLimited("too many password checks; try again in a moment", retry_after=2)
    stored_hash = application.password_hash if application is not None else None
    fits = await asyncio.wrap_future(
        deps.checker.check(stored_hash, password, reserved=lane is Lane.RESERVED)
    )
    if application is None or reason is not None:
        raise NotAuthenticated(f"{reason} (username {username[:64]!r})")
    if not fits:
        raise NotAuthenticated(f"wrong password (username {username[:64]!r})")
    deps.credentials.remember(username, password, application.password_hash, steady_now=steady_now)
    return application
