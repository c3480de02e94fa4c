"""Verify and Confirm, and Sign and Save, for every kind of change."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from certuary.errors import CertuaryError, Conflict, NotAuthenticated
from certuary.portal.approving import apply_or_ask, takes_two
from certuary.portal.changes import CHANGES
from certuary.portal.problem import problem_page
from certuary.portal.signing import Pending, Review, find_pending, sign_in_to_sign, use_up


@require_http_methods(["GET", "POST"])
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    try:
        pending = find_pending(request, token)
        review = CHANGES[pending.kind].review({**pending.content, "token": token}, request)
    except CertuaryError as problem:
        return problem_page(request, problem)
    if request.method == "GET":
        return _page(request, pending, review, None)
    return _sign(request, pending, review)


def _sign(request: HttpRequest, pending: Pending, review: Review) -> HttpResponse:
    try:
        if request.POST.get("digest") != review.digest:
            raise Conflict(
                "what is there changed after it was shown to you; look at it again before you sign"
            )
        actor, deps = sign_in_to_sign(
            request, request.POST.get("username", ""), request.POST.get("password", "")
        )
        use_up(request, pending.token)
        change = CHANGES[pending.kind]
        done = apply_or_ask(change, pending.kind, pending.content, review, actor, deps, request)
    except NotAuthenticated:
        return _page(
            request, pending, review, "Username and password do not fit. Nothing was signed.", status=403
        )
    except CertuaryError as problem:
        return _page(request, pending, review, f"Nothing was signed: {problem.detail}.", status=409)
    for warning in done.warnings:
        messages.warning(request, warning)
    if done.secrets or done.shell:
        return render(request, "portal/done.html", {"done": done})
    messages.success(request, done.message)
    return redirect(done.url)


def _page(
    request: HttpRequest, pending: Pending, review: Review, problem: str | None, *, status: int = 200
) -> HttpResponse:
    context = {
        "review": review,
        "problem": problem,
        "takes_two": takes_two(request, pending.kind, pending.content),
    }
    return render(request, "portal/confirm.html", context, status=status)
