"""Errors as problem details (RFC 9457): the numbers come from the one error map, the words from the errors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

import structlog
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from certuary.errors import (
    BadRequest,
    BodyTooLarge,
    CertuaryError,
    InvalidValue,
    NotAuthenticated,
    RateLimited,
    Unavailable,
)
from certuary.est.error_map import http_status
from certuary.portal.deps import request_id_of

CONTENT_TYPE = "application/problem+json"
_log = structlog.get_logger("certuary.portal")


class IdempotencyMismatch(BadRequest):
    rule = "idempotency-mismatch"


def problem_response(
    request: HttpRequest,
    *,
    status: int,
    name: str,
    detail: str,
    errors: Sequence[dict[str, Any]] = (),
    retry_after: int | None = None,
) -> HttpResponse:
    problem: dict[str, Any] = {
        "type": f"urn:certuary:problem:{name}",
        "title": name.replace("-", " ").capitalize(),
        "status": status,
        "detail": detail,
        "instance": f"urn:certuary:request:{request_id_of(request)}",
        "rule": name,
        "request_id": request_id_of(request),
    }
    if errors:
        problem["errors"] = list(errors)
    response = HttpResponse(json.dumps(problem), content_type=CONTENT_TYPE, status=status)
    if status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="Certuary API"'
    if retry_after is not None:
        response["Retry-After"] = str(retry_after)
    return response


def answer_error(request: HttpRequest, problem: CertuaryError) -> HttpResponse:
    status = 422 if isinstance(problem, InvalidValue | IdempotencyMismatch) else http_status(problem)
    retry_after = problem.retry_after if isinstance(problem, RateLimited | Unavailable) else None
    detail = "a valid API token is needed" if isinstance(problem, NotAuthenticated) else problem.detail
    return problem_response(request, status=status, name=problem.rule, detail=detail, retry_after=retry_after)


def handle_errors(api: NinjaAPI) -> None:
    """Every error of this API is answered here, and none with more than may be shown."""
    api.add_exception_handler(CertuaryError, cast(Any, answer_error))
    api.add_exception_handler(ValidationError, cast(Any, _invalid))
    api.add_exception_handler(AuthenticationError, cast(Any, _unauthenticated))
    api.add_exception_handler(HttpError, cast(Any, _http_error))
    api.add_exception_handler(RequestDataTooBig, cast(Any, _too_big))
    api.add_exception_handler(Http404, cast(Any, _missing))
    api.add_exception_handler(Exception, cast(Any, _unexpected))


def _invalid(request: HttpRequest, problem: ValidationError) -> HttpResponse:
    errors = [
        {"at": "/".join(str(part) for part in error["loc"]), "detail": str(error["msg"])}
        for error in problem.errors
    ]
    return problem_response(
        request,
        status=422,
        name="invalid-value",
        detail="the request is not as the API's description says",
        errors=errors,
    )


def _unauthenticated(request: HttpRequest, _: AuthenticationError) -> HttpResponse:
    return answer_error(request, NotAuthenticated("no token"))


def _http_error(request: HttpRequest, problem: HttpError) -> HttpResponse:
    """Of a body that cannot be read: the parser's own words, if it has any."""
    if isinstance(problem.__cause__, CertuaryError):
        return answer_error(request, problem.__cause__)
    return problem_response(
        request, status=problem.status_code, name="malformed-request", detail="the body is not JSON"
    )


def _too_big(request: HttpRequest, _: RequestDataTooBig) -> HttpResponse:
    octets = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    return answer_error(request, BodyTooLarge(f"a body is at most {octets:,} octets"))


def _missing(request: HttpRequest, _: Http404) -> HttpResponse:
    return problem_response(request, status=404, name="not-found", detail="there is nothing at this address")


def _unexpected(request: HttpRequest, problem: Exception) -> HttpResponse:
    _log.error("an API request failed", request_id=request_id_of(request), exc_info=problem)
    return problem_response(
        request,
        status=500,
        name="internal-error",
        detail="something unexpected happened; the log has the story",
    )
