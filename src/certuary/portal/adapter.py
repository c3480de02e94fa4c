"""How allauth is held to our ways: nobody signs up, no mail is sent, names are ours, secrets are encrypted."""

from __future__ import annotations

import base64
import math
import os
import time
from typing import Any, Final

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.internal import ratelimit
from allauth.mfa.adapter import DefaultMFAAdapter
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from certuary.errors import InvalidSeal
from certuary.portal.deps import address_of

_APP: Final = "allauth.account"
_FAILED: Final = "login_failed"
_FACTOR_STAGE: Final = "allauth.mfa.stages.AuthenticateStage"
_NONCE_OCTETS: Final = 12


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no types
    error_messages: Final = {
        **DefaultAccountAdapter.error_messages,
        "username_password_mismatch": "Username and password do not fit, or this user may not sign in.",
        "too_many_login_attempts": "Too many attempts that failed. Wait five minutes, then try again.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        return address_of(request)

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Says when to try again."""
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError:
            key = self._get_login_attempts_cache_key(request, **credentials)
            seconds = _seconds_to_wait(request, key)
            raise ValidationError(
                f"Too many attempts that failed. Try again in {_span(seconds)}.",
                code="too_many_login_attempts",
            ) from None

    def get_login_stages(self) -> list[str]:
        stages: list[str] = super().get_login_stages()
        return [one for one in stages if one != _FACTOR_STAGE] if _skips_factor(self.request) else stages

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """There is no mail here: what happens to an account is in the audit log."""

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        """See `send_mail`."""

    def add_message(self, *args: Any, **kwargs: Any) -> None:
        """Our pages say what they did themselves."""


class MfaAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth has no types
    error_messages: Final = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": "That did not fit. A code is valid for 30 seconds and once: wait for the next one.",
    }

    def get_totp_label(self, user: Any) -> str:
        return str(user.name)

    def _get_site_name(self) -> str:
        return "Certuary"

    def encrypt(self, text: str) -> str:
        """AES-256-GCM under a key of the key store: who reads the database cannot compute codes."""
        nonce = os.urandom(_NONCE_OCTETS)
        return base64.b64encode(nonce + AESGCM(_key()).encrypt(nonce, text.encode(), None)).decode("ascii")

    def decrypt(self, encrypted_text: str) -> str:
        octets = base64.b64decode(encrypted_text)
        try:
            return AESGCM(_key()).decrypt(octets[:_NONCE_OCTETS], octets[_NONCE_OCTETS:], None).decode()
        except InvalidTag:
            raise InvalidSeal("a second factor's secret does not open") from None


def skip_second_factor(request: HttpRequest) -> None:
    """For the sign-in of this request: a provider that is trusted with it has asked for one."""
    request.skips_second_factor = True  # type: ignore[attr-defined]  # read below


def _skips_factor(request: HttpRequest | None) -> bool:
    return getattr(request, "skips_second_factor", False)


def _key() -> bytes:
    return salted_hmac("certuary.portal.second-factor", "", algorithm="sha256").digest()


def _seconds_to_wait(request: HttpRequest, key: str) -> float:
    """Until the oldest failed attempt that counts is forgotten."""
    waits = [1.0]
    for rate in ratelimit.get_rates(app=_APP, action=_FAILED):
        stored = ratelimit.get_cache_key(request, app=_APP, action=_FAILED, rate=rate, key=key)
        history = cache.get(stored, [])
        if len(history) >= rate.amount:
            waits.append(history[-1] + rate.duration - time.time())
    return max(waits)


def _span(seconds: float) -> str:
    if seconds <= 60:
        count, unit = math.ceil(seconds), "second"
    else:
        count, unit = math.ceil(seconds / 60), "minute"
    return f"{count} {unit}{'' if count == 1 else 's'}"
