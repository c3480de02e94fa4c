"""Who calls the API: a token, and for a sealed change the user's name and password as well.

Cookies are not looked at: a browser's session opens nothing here, and so there is nothing for another site to ride on.
"""

from __future__ import annotations

from typing import Any, cast

import structlog
from django.http import HttpRequest
from ninja.security import HttpBearer

from certuary.core.basic import parse_basic
from certuary.errors import MalformedRequest, NotAuthenticated, NotFound, NotPermitted
from certuary.portal.api.failures import FAILURES
from certuary.portal.api.tokens import ApiCaller, find_caller
from certuary.portal.deps import address_of, change_deps_of, deps_of
from certuary.portal.signing import sign_as
from certuary.services.change_record import ChangeDeps
from certuary.services.entitlement import Actor, sees_everything

SIGNATURE_HEADER = "Certuary-Sign"
_log = structlog.get_logger("certuary.portal")


class TokenAuth(HttpBearer):
    def __call__(self, request: HttpRequest) -> ApiCaller:
        header = request.headers.get("Authorization", "")
        scheme, _, token = header.partition(" ")
        return self.authenticate(request, token.strip() if scheme.lower() == "bearer" else "")

    def authenticate(self, request: HttpRequest, token: str) -> ApiCaller:
        key = f"token {address_of(request)}"
        FAILURES.check(key)
        deps = deps_of(request)
        try:
            return find_caller(token, deps, deps.clock.now())
        except NotAuthenticated as problem:
            FAILURES.add(key)
            _log.warning("an API token was refused", reason=problem.reason, address=address_of(request))
            raise


def caller_of(request: HttpRequest, scope: str) -> ApiCaller:
    """`NotPermitted` when the token lacks the scope."""
    caller = cast(ApiCaller, cast(Any, request).auth)
    if scope not in caller.scopes:
        raise NotPermitted(f"the token lacks the scope {scope}", rule="api-scope")
    return caller


def group_ids_of(caller: ApiCaller) -> tuple[int, ...] | None:
    """None is every group."""
    actor = caller.actor
    return None if sees_everything(actor.role, actor.group_ids) else tuple(sorted(actor.group_ids))


def check_group(caller: ApiCaller, group_id: object, what: str) -> None:
    """What belongs to another group is not there: 404, so that nobody learns of it."""
    groups = group_ids_of(caller)
    if groups is not None and group_id not in groups:
        raise NotFound(f"there is no {what}")


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
    key = f"sign {caller.user_id}"
    FAILURES.check(key)
    try:
        if given.username != caller.actor.name:
            raise NotAuthenticated("signed as somebody else than the token's user")
        return sign_as(given.username, given.password, deps_of(request), change_deps_of(request))
    except NotAuthenticated:
        FAILURES.add(key)
        raise NotPermitted(
            "username and password do not fit; nothing was signed", rule="signature-refused"
        ) from None
