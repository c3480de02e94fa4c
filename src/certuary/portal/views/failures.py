"""Answers where no page could answer: each says what happened and what to do, and names the request for the log.

Nothing of an exception reaches the page. Those for a server that is not well are drawn without the frame, whose
navigation and user come from the database.
"""

from __future__ import annotations

import sys
from typing import Final

import structlog
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.db import DatabaseError, DataError, InterfaceError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from certuary.errors import DatabaseDown

RETRY_SECONDS: Final = 10
_TOO_MUCH: Final = (RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent)
_AWAY: Final = (DatabaseDown, DatabaseError, InterfaceError)
_log = structlog.get_logger("certuary.portal")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, _TOO_MUCH):
        return _plain(request, 413, "Too much at once", "What was sent is larger than the portal takes.")
    return _plain(request, 400, "Not understood", "The request was not one that the portal's pages make.")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """`reason` is for the log: to whoever forged the form it says nothing."""
    _log.warning("a form without its token was refused", reason=reason, request_id=_request_id(request))
    sentence = (
        "The form did not come from a page of this session: it was open for too long, or another site sent it."
        " Nothing was changed. Open the page again and repeat."
    )
    return _plain(request, 403, "This form is no longer valid", sentence)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "portal/404.html", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    problem = sys.exc_info()[1]
    if isinstance(problem, DataError):  # such as a NUL, which PostgreSQL keeps in no text
        return bad_request(request, problem)
    if isinstance(problem, _AWAY):
        return database_away(request)
    # Not the exception's text: it may repeat what somebody typed. Django's own log line has where it was raised.
    _log.error(
        "a page failed", path=request.path, kind=type(problem).__name__, request_id=_request_id(request)
    )
    sentence = (
        "Something failed that should not. Nothing was changed by this request unless its page said so."
    )
    return _plain(request, 500, "An unexpected error", sentence, "portal/500.html")


def database_away(request: HttpRequest) -> HttpResponse:
    _log.error("the database cannot be reached", path=request.path, request_id=_request_id(request))
    sentence = (
        "The database cannot be reached. Certuary tries again by itself; so can you, in some seconds."
        " Certificate revocation lists are still served."
    )
    response = _plain(request, 503, "Not available right now", sentence)
    response["Retry-After"] = str(RETRY_SECONDS)
    return response


def _plain(
    request: HttpRequest, status: int, heading: str, sentence: str, template: str = "portal/failure.html"
) -> HttpResponse:
    context = {"heading": heading, "sentence": sentence, "request_id": _request_id(request)}
    return HttpResponse(render_to_string(template, context), status=status)


def _request_id(request: HttpRequest) -> str:
    """Empty for what was refused before it had one."""
    return str(getattr(request, "request_id", ""))
