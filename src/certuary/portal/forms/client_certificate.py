"""What is typed to order an application's client certificate."""

from __future__ import annotations

from typing import Any, Final

from django import forms

from certuary.portal.forms.base import PortalForm

KEY_WORDS: Final = {
    "ec-p256": "EC P-256, for everything of the last years",
    "ec-p384": "EC P-384",
    "rsa-3072": "RSA 3072, for what knows no elliptic curves",
    "rsa-4096": "RSA 4096",
}


class ClientCertificateForm(PortalForm):
    profile = forms.ChoiceField(
        label="Profile",
        help_text="What the certificate may contain, and how long it lasts. Shown are those for clients (clientAuth).",
    )
    common_name = forms.CharField(
        label="Common name",
        max_length=64,
        help_text="Its subject. It must fit the application's subject rule, if there is one.",
    )
    dns_names = forms.CharField(
        label="DNS names",
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false", "class": "form-control mono"}),
        help_text="One a line, for a profile that wants alternative names.",
    )
    key_type = forms.ChoiceField(
        label="Key",
        choices=list(KEY_WORDS.items()),
        help_text="It is made when you sign, and leaves this server in the file that you get, once.",
    )

    def __init__(self, *args: Any, profiles: list[tuple[str, str]], **kwargs: Any) -> None:
        self._profiles = profiles
        super().__init__(*args, **kwargs)

    def prepare(self) -> None:
        profile = self.fields["profile"]
        assert isinstance(profile, forms.ChoiceField)
        profile.choices = self._profiles

    def clean_dns_names(self) -> list[str]:
        return list(dict.fromkeys(str(self.cleaned_data["dns_names"]).split()))
