"""How allauth is held to our ways: nobody signs up, no mail is sent, names are ours."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.http import HttpRequest

from certuary.portal.deps import address_of


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no types
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        return address_of(request)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """There is no mail here: what happens to an account is in the audit log."""

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        """See `send_mail`."""

    def add_message(self, *args: Any, **kwargs: Any) -> None:
        """Our pages say what they did themselves."""


class MfaAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth has no types
    def get_totp_label(self, user: Any) -> str:
        return str(user.name)

    def _get_site_name(self) -> str:
        return "Certuary"
