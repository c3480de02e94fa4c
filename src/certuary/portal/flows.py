"""A sign-in at a provider while it is under way: kept here, for the browser that began it, and used once.

The answer of the provider arrives by a navigation from another site, with which no browser sends our session's cookie:
that one is SameSite=Strict. So the flow has a cookie of its own, SameSite=Lax, which lives ten minutes and names a row
beside the sessions; it opens nothing by itself. A browser without it, such as one that was led to somebody else's
answer, is refused.
"""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, HttpResponse

from certuary.portal.models import PortalSession
from certuary.portal.provider import FLOW_SECONDS, Flow
from certuary.portal.sessions import SessionStore, key_hash

COOKIE: Final = "__Host-certuary-flow"
_KEPT: Final = "flow"


def keep_flow(response: HttpResponse, flow: Flow) -> None:
    SessionStore.clear_expired()
    kept = SessionStore()
    kept[_KEPT] = flow.to_json()
    kept.create()
    response.set_cookie(
        COOKIE, str(kept.session_key), max_age=FLOW_SECONDS, secure=True, httponly=True, samesite="Lax"
    )


def take_flow(request: HttpRequest) -> Flow | None:
    """None when this browser began none, or its answer was taken already."""
    key = request.COOKIES.get(COOKIE)
    if not key:
        return None
    kept = SessionStore(key).get(_KEPT)
    if not isinstance(kept, dict):
        return None
    # Of two answers at once, one finds the row gone.
    used, _ = PortalSession.objects.filter(key_hash=key_hash(key)).delete()
    return Flow.from_json(kept) if used else None


def forget_flow(response: HttpResponse) -> None:
    response.delete_cookie(COOKIE, samesite="Lax")
    response.cookies[COOKIE]["secure"] = True
