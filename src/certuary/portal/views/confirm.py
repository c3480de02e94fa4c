"""Verify and Confirm, and Sign and Save, for every kind of change."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from certuary.errors import CertuaryError, Conflict, NotAuthenticated
from certuary.portal.approving import URL as APPROVALS
from certuary.portal.approving import apply_or_ask, is_waiting, takes_two
from certuary.portal.changes import CHANGES
from certuary.portal.problem import answered, problem_page
from certuary.portal.signing import Pending, Review, find_pending, keep, sign_in_to_sign, use_up


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
    except NotAuthenticated:
        page = _page(request, pending, review, "Username and password do not fit. Nothing was signed.")
        page.status_code = HTTPStatus.FORBIDDEN
        return page
    except CertuaryError as problem:
        return answered(_page(request, pending, review, _what_happened(problem)), problem)
    try:
        use_up(request, pending.token)
    except CertuaryError as problem:
        return problem_page(request, problem)
    try:
        change = CHANGES[pending.kind]
        done = apply_or_ask(change, pending.kind, pending.content, review, actor, deps, request)
    except CertuaryError as problem:
        return _failed(request, pending, review, problem)
    for warning in done.warnings:
        messages.warning(request, warning)
    if done.secrets or done.shell:
        return render(request, "portal/done.html", {"done": done})
    messages.success(request, done.message)
    return redirect(done.url)


def _failed(request: HttpRequest, used: Pending, review: Review, problem: CertuaryError) -> HttpResponse:
    """The step is used up, and what was typed is not lost: it is proposed anew, to be edited or signed once more."""
    if used.kind.startswith("approval-") and not is_waiting(request, int(used.content["id"])):
        messages.error(request, _what_happened(problem), extra_tags="danger")
        return redirect(f"{APPROVALS}{used.content['id']}/")
    again = keep(request, used.kind, used.content)
    # Not reviewed anew, which may fail now: then there would be no page to edit from.
    groups = (
        replace(group, edit_url=group.edit_url.replace(used.token, again.token)) for group in review.groups
    )
    page = _page(request, again, replace(review, groups=tuple(groups)), _what_happened(problem))
    return answered(page, problem)


def _what_happened(problem: CertuaryError) -> str:
    if problem.is_recorded:
        return f"Your signature is on record, and what you signed failed after it: {problem.detail}."
    return f"Nothing was signed: {problem.detail}."


def _page(request: HttpRequest, pending: Pending, review: Review, problem: str | None) -> HttpResponse:
    context = {
        "url": pending.url,
        "review": review,
        "problem": problem,
        "takes_two": takes_two(request, pending.kind, pending.content),
    }
    return render(request, "portal/confirm.html", context)
