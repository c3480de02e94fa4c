"""The search field: what was found, by kind; one exact hit is gone to at once."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from certuary.portal.search_all import search_all

_LONGEST = 200


def search(request: HttpRequest) -> HttpResponse:
    query = request.GET.get("q", "").strip()[:_LONGEST]
    groups = search_all(request, query) if query else ()
    exact = [hit for group in groups for hit in group.hits if hit.is_exact]
    if len(exact) == 1:
        return redirect(exact[0].url)
    return render(request, "portal/search.html", {"search": query, "groups": groups})
