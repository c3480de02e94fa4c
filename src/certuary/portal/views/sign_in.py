"""Sign in: the password, then a second factor where there is one."""

from __future__ import annotations

import json
from typing import Any

from allauth.account.views import LoginView, LogoutView
from allauth.mfa.base.views import AuthenticateView
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from certuary.portal.deps import deps_of
from certuary.portal.second_factors import PASSKEY, TOTP
from certuary.portal.ways import note_way, way_in_words, way_of

WAITING_LOGIN = "account_login"  # where allauth keeps the login whose second factor has not come yet


class SignIn(LoginView):  # type: ignore[misc]  # allauth has no types
    template_name = "portal/sign_in.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # Asking for this page again means "as somebody else": the login that waits for its second factor
        # is given up, or the page would lead back to that second factor for ever.
        if request.method == "GET":
            request.session.pop(WAITING_LOGIN, None)
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return response

    def form_valid(self, form: Any) -> HttpResponseBase:
        note_way(self.request, None)
        response: HttpResponseBase = super().form_valid(form)
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        ways = deps_of(self.request).ways
        return {
            **super().get_context_data(**kwargs),
            "by_password": ways.password,
            "provider": ways.provider.settings.name if ways.provider else "",
            "by_certificate": ways.certificates is not None,
        }


class SecondFactor(AuthenticateView):  # type: ignore[misc]  # allauth has no types
    template_name = "portal/second_factor.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        from allauth.mfa.models import Authenticator

        kinds = set(
            Authenticator.objects.filter(user_id=self.stage.login.user.pk).values_list("type", flat=True)
        )
        options = context.get("js_data", {}).get("request_options")
        return {
            **context,
            "has_app": TOTP in kinds,
            "options": json.dumps(options) if PASSKEY in kinds else "",
            "who": self.stage.login.user.name,
            "way": way_in_words(way_of(self.request.session)),
        }


class SignOut(LogoutView):  # type: ignore[misc]  # allauth has no types
    template_name = "portal/sign_out.html"
