from __future__ import annotations

from typing import Any

from cryptography import x509
from django import forms
from django.core.exceptions import ValidationError

from certuary.core.certificate import certificate_from_pem
from certuary.core.identity import SUBJECT_CHARACTERS, Identity, OidcIdentity, identity_of_certificate
from certuary.errors import InvalidValue, MalformedCertificate
from certuary.portal.forms.base import PortalForm
from certuary.portal.ways import Ways


class IdentityForm(PortalForm):
    """A field for each way that is configured; one of them is filled in, and becomes `identity`."""

    subject = forms.CharField(
        required=False,
        max_length=SUBJECT_CHARACTERS,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    certificate = forms.CharField(
        label="Certificate",
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 8, "class": "form-control mono", "spellcheck": "false"}),
        help_text="The user's own, in PEM. Just this one opens the portal; one that replaces it is bound anew.",
    )

    def __init__(self, ways: Ways, *args: Any, **kwargs: Any) -> None:
        self.ways = ways
        self.identity: Identity | None = None
        super().__init__(*args, **kwargs)

    def prepare(self) -> None:
        provider = self.ways.provider
        if provider is None:
            del self.fields["subject"]
        else:
            settings = provider.settings
            self.fields["subject"].label = f"Subject at {settings.name}"
            self.fields["subject"].help_text = (
                f"The value of the claim {settings.claim}, as {settings.issuer} states it of this user. Letters count "
                "as they are."
            )
        if self.ways.certificates is None:
            del self.fields["certificate"]

    def clean_certificate(self) -> str:
        pem: str = self.cleaned_data["certificate"]
        if pem:
            self.identity = identity_of_certificate(certificate_in(pem))
        return pem

    def clean_subject(self) -> str:
        subject: str = self.cleaned_data["subject"]
        if subject and self.ways.provider:
            settings = self.ways.provider.settings
            try:
                self.identity = OidcIdentity(issuer=settings.issuer, claim=settings.claim, subject=subject)
            except InvalidValue as problem:
                raise ValidationError(f"{problem.detail}.") from None
        return subject

    def clean(self) -> dict[str, Any]:
        values = self.cleaned_data
        given = [name for name in self.fields if values.get(name)]
        if len(given) != 1 and not self.errors:
            self.add_error(
                None, "Fill in one of the two." if len(self.fields) > 1 else "Fill in the identity."
            )
        return values


def certificate_in(pem: str) -> x509.Certificate:
    try:
        return certificate_from_pem(pem.encode())
    except MalformedCertificate:
        raise ValidationError(
            "This is no certificate in PEM that can be read: it begins with -----BEGIN CERTIFICATE-----."
        ) from None
