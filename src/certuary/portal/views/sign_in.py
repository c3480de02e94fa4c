"""Sign in: the password, then a second factor where there is one."""

from __future__ import annotations

import json
from typing import Any

from allauth.account.views import LoginView, LogoutView
from allauth.mfa.base.views import AuthenticateView

from certuary.portal.second_factors import PASSKEY, TOTP


class SignIn(LoginView):  # type: ignore[misc]  # allauth has no types
    template_name = "portal/sign_in.html"


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
        }


class SignOut(LogoutView):  # type: ignore[misc]  # allauth has no types
    template_name = "portal/sign_out.html"
