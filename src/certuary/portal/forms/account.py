"""One's own password and second factors."""

from __future__ import annotations

import json
from typing import Any

from allauth.mfa.base.internal.flows import check_rate_limit
from allauth.mfa.totp.internal.auth import validate_totp_code
from allauth.mfa.webauthn.internal.auth import complete_registration, parse_registration_response
from django import forms
from django.contrib.auth.password_validation import password_validators_help_texts, validate_password
from django.core.exceptions import ValidationError

from certuary.portal.forms.base import PortalForm
from certuary.portal.models import PortalUser

_LONGEST_CREDENTIAL = 16 * 1024


class PasswordForm(PortalForm):
    old = forms.CharField(
        label="Present password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        help_text="It opens your signing key, which the new password will open.",
    )
    new = forms.CharField(
        label="New password",
        strip=False,
        max_length=256,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    again = forms.CharField(
        label="New password, once more",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, user: PortalUser, *args: Any, **kwargs: Any) -> None:
        self._user = user
        self.base_fields["new"].help_text = " ".join(
            text.replace("Your password", "It") for text in password_validators_help_texts()
        )
        super().__init__(*args, **kwargs)

    def clean_new(self) -> str:
        new = str(self.cleaned_data["new"])
        validate_password(new, self._user)
        return new

    def clean(self) -> dict[str, Any]:
        values = self.cleaned_data
        if "new" in values and "again" in values and values["new"] != values["again"]:
            self.add_error("again", "The two differ. Type the same new password twice.")
        if "new" in values and values.get("old") == values["new"]:
            self.add_error("new", "This is the present password. Choose another one.")
        return values


class TotpForm(PortalForm):
    code = forms.CharField(
        label="Code that the app shows",
        max_length=12,
        widget=forms.TextInput(
            attrs={
                "autocomplete": "one-time-code",
                "inputmode": "numeric",
                "class": "form-control code-field",
            }
        ),
        help_text="Six digits. It proves that the app has the secret; the next one comes within 30 seconds.",
    )

    def __init__(self, user: PortalUser, secret: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._user, self._secret = user, secret

    def clean_code(self) -> str:
        forget_failures = check_rate_limit(self._user)
        code = "".join(str(self.cleaned_data["code"]).split())
        if not validate_totp_code(self._secret, code):
            raise ValidationError(
                "The code does not fit. Check the clock of your phone, and use the newest code."
            )
        forget_failures()
        return code


class PasskeyForm(PortalForm):
    name = forms.CharField(
        label="Name",
        max_length=64,
        help_text="What you call it, such as the name of the laptop or the key.",
    )
    credential = forms.CharField(
        max_length=_LONGEST_CREDENTIAL,
        widget=forms.HiddenInput,
        error_messages={"required": "The passkey was not read."},
    )

    def clean_credential(self) -> dict[str, Any]:
        try:
            credential = json.loads(self.cleaned_data["credential"])
        except (ValueError, RecursionError):
            credential = None
        if not isinstance(credential, dict):
            raise ValidationError("The browser's answer cannot be read. Try again.")
        parse_registration_response(credential)
        complete_registration(credential)
        return credential
