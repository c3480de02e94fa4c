"""An error as a page: what happened, why, and what to do next; the numbers come from the one error map."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from certuary.errors import CertuaryError, RateLimited, Unavailable
from certuary.est.error_map import http_status


def problem_page(request: HttpRequest, problem: CertuaryError) -> HttpResponse:
    return answered(render(request, "portal/problem.html", {"problem": problem}), problem)


def answered(page: HttpResponse, problem: CertuaryError) -> HttpResponse:
    """The page with the status of the error, and with the time to wait where waiting helps."""
    page.status_code = http_status(problem)
    if isinstance(problem, RateLimited | Unavailable):
        page["Retry-After"] = str(problem.retry_after)
    return page
