"""An error as a page: what happened, why, and what to do next; the numbers come from the one error map."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from certuary.errors import CertuaryError
from certuary.est.error_map import http_status


def problem_page(request: HttpRequest, problem: CertuaryError) -> HttpResponse:
    return render(request, "portal/problem.html", {"problem": problem}, status=http_status(problem))
