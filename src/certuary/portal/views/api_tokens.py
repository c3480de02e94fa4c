"""My API tokens: list, make, revoke."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.html import format_html
from django.views.decorators.http import require_POST

from certuary.portal.api.tokens import state_of, tokens_of
from certuary.portal.columns import texts
from certuary.portal.deps import deps_of
from certuary.portal.forms.api_tokens import ApiTokenForm
from certuary.portal.signing import content_of, propose
from certuary.portal.templatetags.portal import moment, state

_NEW = "api-token-new"
_STATES = {
    "in force": ("good", "In force"),
    "revoked": ("quiet", "Revoked"),
    "expired": ("quiet", "Expired"),
    "void": ("broken", "Void"),
}


def api_tokens(request: HttpRequest) -> HttpResponse:
    deps = deps_of(request)
    user = deps.records.find("user", id=request.user.pk)
    assert user is not None, "the middleware has found it"
    now = deps.clock.now()
    lines = []
    for row in tokens_of(user):
        is_now, problem = state_of(row, user, deps.marker, now)
        tone, words = _STATES[is_now]
        lines.append(
            {
                "row": row,
                "state": format_html('<span title="{}">{}</span>', problem or "", state(tone, words)),
                "scopes": texts(row.scopes),
                "last_used": moment(row.last_used_at),
                "is_open": row.revoked_at is None,
            }
        )
    return render(request, "portal/api_tokens.html", {"lines": lines})


def new_api_token(request: HttpRequest) -> HttpResponse:
    typed = content_of(request, request.GET.get("token"), _NEW)
    form = ApiTokenForm(request.POST or None, initial=typed)
    if request.method == "POST" and form.is_valid():
        return redirect(propose(request, _NEW, form.cleaned_data))
    return render(request, "portal/api_token_form.html", {"form": form})


@require_POST
def revoke_api_token(request: HttpRequest, token_id: int) -> HttpResponse:
    return redirect(propose(request, "api-token-revoke", {"id": token_id}))
