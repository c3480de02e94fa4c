from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from certuary.errors import InvalidValue
from certuary.portal.forms.base import PortalForm
from certuary.portal.role_words import ROLE_MEANINGS, ROLE_NAMES
from certuary.services.entitlement import CA_ADMINISTRATOR, sees_everything
from certuary.services.names_and_times import checked_name
from certuary.services.ports import Record


class RoleForm(PortalForm):
    """`roles` are those that the viewer may give, `groups` those that the viewer sees."""

    role = forms.ChoiceField(label="Role", widget=forms.RadioSelect(attrs={"class": "form-check-input"}))
    groups = forms.MultipleChoiceField(
        label="Groups",
        required=False,
        widget=forms.CheckboxSelectMultiple(attrs={"class": "form-check-input"}),
        help_text="What of the installation the user sees and works on. A CA Administrator needs none: all are theirs. "
        "An Auditor without groups reads everything.",
    )

    def __init__(self, roles: Sequence[str], groups: Sequence[Record], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        role, chosen = self.fields["role"], self.fields["groups"]
        assert isinstance(role, forms.ChoiceField)
        assert isinstance(chosen, forms.MultipleChoiceField)
        self._gives_all = CA_ADMINISTRATOR in roles
        role.choices = [(name, f"{ROLE_NAMES[name]}: {ROLE_MEANINGS[name]}") for name in roles]
        chosen.choices = [
            (str(group.values["code"]), f"{group.values['code']} {group.values['name']}") for group in groups
        ]

    def clean(self) -> dict[str, Any]:
        values = self.cleaned_data
        role = values.get("role")
        # Who may not make a CA Administrator does not make one who reads everything, either.
        needs_none = self._gives_all and sees_everything(str(role), ())
        if role is not None and not needs_none and not values.get("groups"):
            self.add_error("groups", "A user of this role belongs to at least one group.")
        return values


class NewUserForm(RoleForm):
    name = forms.CharField(
        label="Username",
        max_length=64,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
        ),
        help_text="What the user signs in with. It stays: signatures name it. "
        "The password is made up and shown to you once, after you sign.",
    )
    field_order = ("name", "role", "groups")

    def clean_name(self) -> str:
        try:
            return checked_name(str(self.cleaned_data["name"]), "a user")
        except InvalidValue as problem:
            raise ValidationError(f"{problem.detail}.") from None


class CompromisedForm(PortalForm):
    since = forms.DateTimeField(
        label="Compromised since (UTC)",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"}, format="%Y-%m-%dT%H:%M:%S"),
        input_formats=["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"],
        help_text="What the key signed from this moment on is void, and left out of use. Rather early than late.",
    )

    def clean_since(self) -> datetime:
        since: datetime = self.cleaned_data["since"]
        moment = since.replace(tzinfo=UTC) if timezone.is_naive(since) else since
        if moment > timezone.now():
            raise ValidationError("A key is not compromised in the future.")
        return moment
