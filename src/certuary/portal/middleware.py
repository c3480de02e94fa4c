"""What every request passes: it carries the dependencies, and is let through only where a rule says so."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib.auth import SESSION_KEY, logout
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.shortcuts import redirect, render
from django.urls import Resolver404, resolve
from django.utils.http import urlencode

from certuary.errors import CertuaryError, DatabaseDown
from certuary.portal import installed_deps
from certuary.portal.access import PUBLIC, rule_of
from certuary.portal.backend import is_believed
from certuary.portal.models import PortalUser
from certuary.portal.problem import problem_page
from certuary.portal.views.failures import database_away

GetResponse = Callable[[HttpRequest], HttpResponse]


class DepsMiddleware:
    """Also gives the request its identifier, which the answer, the log and the audit events carry."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        deps = installed_deps.current()
        request.certuary = deps  # type: ignore[attr-defined]
        request.request_id = deps.new_request_id()  # type: ignore[attr-defined]
        response = self._get_response(request)
        response["X-Request-Id"] = request.request_id  # type: ignore[attr-defined]
        response.setdefault("Cache-Control", "no-store")
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """An error of ours that a page let pass; any other is `views.failures.server_error`'s."""
        if isinstance(exception, DatabaseDown):
            return database_away(request)
        return problem_page(request, exception) if isinstance(exception, CertuaryError) else None


class AccessMiddleware:
    """Deny by default: a page without a rule is served to nobody."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            name = resolve(request.path_info).view_name
        except Resolver404:
            return self._get_response(request)
        rule = rule_of(name)
        if rule is PUBLIC:
            return self._get_response(request)
        if not request.user.is_authenticated:
            if SESSION_KEY in request.session:  # of somebody disabled: it must not revive with them
                request.session.flush()
            wanted = request.get_full_path() if request.method in ("GET", "HEAD") else request.path
            return redirect(f"/sign-in/?{urlencode({'next': wanted})}")
        user = request.user
        assert isinstance(user, PortalUser)
        if not is_believed(request, user):
            logout(request)
            return redirect("/sign-in/")
        if rule is None or not rule(user.role):
            return _forbidden(request)
        return self._get_response(request)


def _forbidden(request: HttpRequest) -> HttpResponse:
    return HttpResponseForbidden(render(request, "portal/forbidden.html").content)
