"""Who calls the API: a token, and for a sealed change the user's name and password as well.

Cookies are not looked at: a browser's session opens nothing here, and so there is nothing for another site to ride on.
"""

from __future__ import annotations

from typing import Any, cast

import structlog
from django.http import HttpRequest
from ninja.security import HttpBearer

from certuary.core.basic import parse_basic
from certuary.errors import MalformedRequest, NotAuthenticated, NotPermitted
from certuary.portal.access import Rule
from certuary.portal.api.failures import FAILURES
from certuary.portal.api.second_person import signing_here
from certuary.portal.api.tokens import SCOPES, ApiCaller, find_caller
from certuary.portal.deps import address_of, change_deps_of, deps_of
from certuary.portal.guesses import check_guesses, count_guess, forget_guesses
from certuary.portal.signing import sign_as
from certuary.services.change_deps import ChangeDeps
from certuary.services.entitlement import Actor

SIGNATURE_HEADER = "Certuary-Sign"
_log = structlog.get_logger("certuary.portal")


class TokenAuth(HttpBearer):
    """A token with this scope, of a user whose role opens the same page of the portal.

    From then on `request.user` is the token's user, and what the portal's pages ask of it holds here too.
    """

    def __init__(self, scope: str, rule: Rule) -> None:
        super().__init__()
        self._scope = scope
        self._rule = rule

    def __call__(self, request: HttpRequest) -> ApiCaller:
        header = request.headers.get("Authorization", "")
        scheme, _, token = header.partition(" ")
        return self.authenticate(request, token.strip() if scheme.lower() == "bearer" else "")

    def authenticate(self, request: HttpRequest, token: str) -> ApiCaller:
        caller = _find(request, token)
        if self._scope not in caller.scopes:
            raise NotPermitted(f"the token lacks the scope {self._scope}", rule="api-scope")
        if not self._rule(caller.actor.role):
            raise NotPermitted(f"the role {caller.actor.role} of {caller.actor.name} does not open this")
        request.user = caller.user
        return caller


def nobody(request: HttpRequest) -> ApiCaller:
    """Of an operation that names no scope."""
    raise NotPermitted("nobody may do this")


def needs(scope: str, rule: Rule, **openapi: Any) -> dict[str, Any]:
    """For a router's method: who may call, and what else its description says."""
    assert scope in SCOPES, scope
    return {"auth": TokenAuth(scope, rule), "openapi_extra": {"x-scope": scope, **openapi}}


def caller_of(request: HttpRequest) -> ApiCaller:
    return cast(ApiCaller, cast(Any, request).auth)


def sign(request: HttpRequest, caller: ApiCaller) -> tuple[Actor, ChangeDeps]:
    """The token's user proves the password that unwraps the key which signs the change."""
    value = request.headers.get(SIGNATURE_HEADER)
    if value is None:
        raise NotPermitted(
            f"a sealed change takes the header {SIGNATURE_HEADER}: base64 of the user's name, a colon and the password",
            rule="signature-required",
        )
    try:
        given = parse_basic(b"Basic " + value.strip().encode("latin-1"))
    except (MalformedRequest, UnicodeEncodeError):
        raise NotPermitted(
            f"{SIGNATURE_HEADER} is not base64 of a name, a colon and a password", rule="signature-required"
        ) from None
    check_guesses(caller.user_id)
    try:
        if given.username != caller.actor.name:
            raise NotAuthenticated("signed as somebody else than the token's user")
        signed_in = sign_as(given.username, given.password, deps_of(request), change_deps_of(request))
    except NotAuthenticated:
        count_guess(caller.user_id)
        raise NotPermitted(
            "username and password do not fit; nothing was signed", rule="signature-refused"
        ) from None
    forget_guesses(caller.user_id)
    return signing_here(request, signed_in)


def _find(request: HttpRequest, token: str) -> ApiCaller:
    key = f"token {address_of(request)}"
    FAILURES.check(key)
    deps = deps_of(request)
    try:
        return find_caller(token, deps, deps.clock.now())
    except NotAuthenticated as problem:
        FAILURES.add(key)
        _log.warning("an API token was refused", reason=problem.reason, address=address_of(request))
        raise
