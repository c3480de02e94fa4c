from __future__ import annotations

from django import forms

from certuary.portal.api.tokens import LONGEST_DAYS, SCOPES
from certuary.portal.forms.base import PortalForm


class ApiTokenForm(PortalForm):
    name = forms.CharField(
        label="Name",
        max_length=64,
        help_text="What uses it, such as the host and the script: inventory on ops-1.",
    )
    days = forms.IntegerField(
        label="Lifetime in days",
        min_value=1,
        max_value=LONGEST_DAYS,
        initial=90,
        help_text=f"1 to {LONGEST_DAYS}. It also ends when your password or role changes.",
    )
    scopes = forms.MultipleChoiceField(
        label="Scopes",
        choices=list(SCOPES.items()),
        widget=forms.CheckboxSelectMultiple(attrs={"class": "form-check-input"}),
        help_text="As few as it needs. It never opens more than your own role and groups do.",
    )
