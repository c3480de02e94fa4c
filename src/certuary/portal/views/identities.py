"""Manage Users & Roles: what opens the portal for a user beside the password."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from certuary.errors import CertuaryError, Conflict, NotFound
from certuary.portal.deps import deps_of
from certuary.portal.forms.identities import IdentityForm
from certuary.portal.people import find_user
from certuary.portal.problem import problem_page
from certuary.portal.signing import content_of, propose
from certuary.services.manage_identity import identities_of


@require_http_methods(["GET", "POST"])
def bind(request: HttpRequest, number: int) -> HttpResponse:
    ways = deps_of(request).ways
    try:
        user = find_user(request, number)
        if not ways.has_others:
            raise Conflict(
                "only passwords open the portal of this installation; see docs/portal.md for the other ways in"
            )
    except CertuaryError as problem:
        return problem_page(request, problem)
    typed = content_of(request, request.GET.get("token"), "identity-bind")
    form = IdentityForm(ways, request.POST or None, initial=typed)
    if request.method == "POST" and form.is_valid() and form.identity is not None:
        content = {"id": number, "identity": form.identity.to_json(), **form.cleaned_data}
        return redirect(propose(request, "identity-bind", content))
    context = {
        "form": form,
        "title": f"A way in for {user.values['name']}",
        "lead": "It opens the portal. What they change is signed with their password, as before.",
        "back_url": f"/users/{number}/",
    }
    return render(request, "portal/form.html", context)


@require_POST
def unbind(request: HttpRequest, number: int) -> HttpResponse:
    try:
        user = find_user(request, number)
        words = request.POST.get("identity", "")
        found = next((one for one in identities_of(user) if one.in_words == words), None)
        if found is None:
            raise NotFound("this user has no such identity")
    except CertuaryError as problem:
        return problem_page(request, problem)
    return redirect(propose(request, "identity-unbind", {"id": number, "identity": found.to_json()}))
