from __future__ import annotations

from typing import Final

from django import forms

from certuary.portal.forms.base import PortalForm
from certuary.services.revoke import REASONS

MEANINGS: Final = {
    "unspecified": "No reason is given",
    "keyCompromise": "Its private key is, or may be, in other hands",
    "cACompromise": "The authority's private key is, or may be, in other hands",
    "affiliationChanged": "A name in it is no longer right",
    "superseded": "Another certificate takes its place",
    "cessationOfOperation": "The device or service is no longer used",
    "privilegeWithdrawn": "What it was given for is no longer allowed",
    "aACompromise": "The attribute authority is compromised",
}


class RevokeForm(PortalForm):
    reason = forms.ChoiceField(
        label="Reason",
        choices=[("", "Choose a reason")]
        + [(reason, f"{MEANINGS.get(reason, reason)} ({reason})") for reason in REASONS],
        help_text="Published on the CRL, within seconds, for everybody to read. A revocation cannot be taken back.",
    )
