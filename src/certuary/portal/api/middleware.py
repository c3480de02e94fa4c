"""What Django itself answers under the API's address (no such method, a host that is not ours) as problem details."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse

from certuary.portal.api.problems import CONTENT_TYPE, problem_response

API_PATH = "/api/v1/"
_PAGES = ("/api/v1/docs",)


class ProblemMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(API_PATH) and _has_nul(request):
            return problem_response(
                request, status=422, name="invalid-value", detail="an address of the API holds no NUL"
            )
        response = self._get_response(request)
        if (
            response.status_code < 400
            or not request.path_info.startswith(API_PATH)
            or request.path_info.startswith(_PAGES)
            or response.get("Content-Type") == CONTENT_TYPE
        ):
            return response
        words = HTTPStatus(response.status_code).phrase
        answer = problem_response(
            request,
            status=response.status_code,
            name="-".join(words.lower().split()),
            detail="there is nothing at this address" if response.status_code == 404 else words.lower(),
        )
        if "Allow" in response:
            answer["Allow"] = response["Allow"]
        return answer


def _has_nul(request: HttpRequest) -> bool:
    """No column holds it, and PostgreSQL fails at it."""
    return "\0" in request.path_info or "%00" in request.META.get("QUERY_STRING", "")
