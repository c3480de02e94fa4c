"""What is typed about an application: checked here by the services' own rules, so that Proceed can be believed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from django import forms

from certuary.core.subject_rule import SubjectRule
from certuary.errors import CertuaryError, InvalidValue
from certuary.portal.forms.base import PortalForm
from certuary.portal.words import network_lines, understand_networks
from certuary.services.names_and_times import (
    checked_name,
    checked_password,
    checked_username,
    parse_moment,
)
from certuary.services.ports import Record

GENERATE: Final = "generate"
TYPE: Final = "type"
KEEP: Final = "keep"

Choices = Sequence[tuple[str, str]]


class PasswordFields(PortalForm):
    """`kept`: a password was typed before, and its hash waits."""

    password_source = forms.ChoiceField(
        label="Password",
        widget=forms.RadioSelect(attrs={"class": "form-check-input"}),
        choices=[(GENERATE, "Generate one, and show it once"), (TYPE, "I type one")],
        initial=GENERATE,
    )
    password = forms.CharField(
        label="The password",
        required=False,
        strip=False,
        max_length=256,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "spellcheck": "false"}),
        help_text="8 to 256 printable characters. It is hashed when you press Proceed; only the hash is kept.",
    )

    def __init__(self, *args: Any, kept: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if kept:
            source = self.fields["password_source"]
            assert isinstance(source, forms.ChoiceField)
            source.choices = [(KEEP, "The one typed before, kept as its hash"), *_pairs(source.choices)]
            source.initial = KEEP
            self.initial["password_source"] = KEEP

    def clean_password(self) -> str:
        typed = str(self.cleaned_data["password"])
        if self.cleaned_data.get("password_source") != TYPE:
            return ""
        _checked(checked_password, typed)
        return typed


class GrantFields(PortalForm):
    """From where, in which group, for what, under which names, until when."""

    networks = forms.CharField(
        label="IP addresses and networks",
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "class": "form-control mono"}),
        help_text="One a line: 192.0.2.7, 10.0.0.0/24 or 2001:db8::/32. Empty: any address may use the password.",
    )
    group = forms.ChoiceField(label="Group", help_text="Who looks after it: the users of this group.")
    profiles = forms.MultipleChoiceField(
        label="Profiles",
        required=False,
        widget=forms.CheckboxSelectMultiple(attrs={"class": "form-check-input"}),
        help_text="None ticked: the default profile, or the ones its labels select.",
    )
    labels = forms.MultipleChoiceField(
        label="Labels",
        required=False,
        widget=forms.CheckboxSelectMultiple(attrs={"class": "form-check-input"}),
        help_text="A label is the last part of the EST address. None ticked: the address without a label.",
    )
    subject_rule = forms.CharField(
        label="Subject rule",
        required=False,
        max_length=4096,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false", "class": "form-control mono"}),
        help_text="The names it may ask for, such as CN=dev-*,O=Acme; dns=.plant.example; ip=10.0.0.0/24. "
        "Empty: any name that its profiles allow.",
    )
    expires = forms.CharField(
        label="Expires",
        required=False,
        max_length=40,
        widget=forms.TextInput(attrs={"spellcheck": "false"}),
        help_text="A date (2027-01-31), a moment (2027-01-31T12:00Z) or a span (90d, 1y). Empty: never.",
    )

    def __init__(
        self,
        *args: Any,
        groups: Choices,
        profiles: Choices,
        labels: Choices,
        now: datetime,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._now = now
        for name, choices in (("group", groups), ("profiles", profiles), ("labels", labels)):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = list(choices)

    def clean_networks(self) -> str:
        text = str(self.cleaned_data["networks"])
        wrong = [line.text for line in understand_networks(text) if not line.is_good]
        if wrong:
            raise forms.ValidationError(wrong)
        return "\n".join(network_lines(text))

    def clean_subject_rule(self) -> str:
        text = " ".join(str(self.cleaned_data["subject_rule"]).split())
        return str(_checked(SubjectRule.parse, text)) if text else ""

    def clean_expires(self) -> str:
        """As typed. What it comes to is in `expires_at`."""
        text = str(self.cleaned_data["expires"]).strip()
        moment = _checked(lambda given: parse_moment(given, self._now), text) if text else None
        if moment is not None and moment <= self._now:
            raise forms.ValidationError(f"{moment:%Y-%m-%d %H:%M} UTC has passed already")
        self.cleaned_data["expires_at"] = None if moment is None else moment.isoformat()
        return text


class IdentityFields(PortalForm):
    name = forms.CharField(
        label="Name",
        max_length=64,
        help_text="What people call it: letters, digits, spaces and . _ @ + -",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    username = forms.CharField(
        label="Username",
        max_length=128,
        help_text="What the client authenticates with. No colon.",
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )

    def clean_name(self) -> str:
        return str(_checked(lambda text: checked_name(text, "an application"), self.cleaned_data["name"]))

    def clean_username(self) -> str:
        return str(_checked(checked_username, self.cleaned_data["username"]))


class NewApplicationForm(PasswordFields, IdentityFields, GrantFields):
    field_order = ("name", "username")


class EditApplicationForm(IdentityFields, GrantFields):
    """The password has a page of its own: Rotate password."""

    field_order = ("name", "username")


def choices_of(records: Iterable[Record], value: str, *shown: str) -> list[tuple[str, str]]:
    return [
        (str(record.values[value]), " · ".join(str(record.values[column]) for column in (value, *shown)))
        for record in records
    ]


def _pairs(choices: Any) -> list[tuple[str, str]]:
    return [(str(value), str(text)) for value, text in choices]


def _checked(check: Callable[[str], object], text: str) -> Any:
    try:
        return check(text)
    except InvalidValue as problem:
        raise forms.ValidationError(_sentence(problem)) from None


def _sentence(problem: CertuaryError) -> str:
    return problem.detail[:1].upper() + problem.detail[1:]
