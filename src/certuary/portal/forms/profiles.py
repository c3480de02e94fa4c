"""A profile as a form. Each field is one key of the TOML; what a value must be, the TOML's own reader says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from django import forms

from certuary.core.names import ATTRIBUTES
from certuary.core.profile_config import EXTENDED_KEY_USAGES, KEY_USAGES, KEY_WORDS, SAN_KINDS
from certuary.core.profile_text import DEFAULTS, Value
from certuary.portal.forms.base import PortalForm

_PURPOSE_WORDS: Final = {dotted: word for word, dotted in EXTENDED_KEY_USAGES.items()}


def _pairs(words: Iterable[str]) -> list[tuple[str, str]]:
    return [(word, word) for word in words]


def _words(label: str, words: Iterable[str], help_text: str = "") -> forms.MultipleChoiceField:
    return forms.MultipleChoiceField(
        label=label,
        choices=_pairs(words),
        required=False,
        help_text=help_text,
        widget=forms.CheckboxSelectMultiple,
    )


def _flag(label: str, help_text: str = "") -> forms.BooleanField:
    return forms.BooleanField(label=label, required=False, help_text=help_text)


def _text(label: str, help_text: str = "", *, needed: bool = False) -> forms.CharField:
    return forms.CharField(label=label, required=needed, help_text=help_text, max_length=1024)


class ProfileForm(PortalForm):
    name = _text("Name", "a-z, 0-9, - _ . ; it stays as long as the profile does", needed=True)
    description = _text("Description", "For people")
    authority = forms.ChoiceField(label="Authority", help_text="Signs what is made under this profile")
    est_default = _flag(
        "May be the default",
        "The property est.ca.server.user.profile may choose it for the endpoint without a label",
    )
    lifetime = _text("Lifetime", "A number and s, m, h or d, such as 90d; up to 3660d", needed=True)
    backdate = _text("Backdated by", "For devices whose clocks are behind; up to 1h")
    keys = _words("Keys taken", KEY_WORDS, "+ is: at least so many bits")
    key_reuse = forms.ChoiceField(
        label="Key reuse",
        choices=[
            ("allow", "allow: any key again"),
            ("same-names", "same-names: again for the same names"),
            ("refuse", "refuse: a new key each time"),
        ],
    )
    subject_required = _words("Required", ATTRIBUTES, "The request must have them")
    subject_optional = _words("Optional", ATTRIBUTES, "The request may have them")
    subject_fixed = forms.CharField(
        label="Fixed",
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
        help_text="One a line, such as O = Acme: put in front where the request leaves it out",
    )
    subject_unlisted = forms.ChoiceField(
        label="Other subject fields",
        choices=[("refuse", "refuse the request"), ("drop", "drop them")],
    )
    common_name = forms.ChoiceField(
        label="Common name",
        choices=[("free", "free: as it is"), ("listed", "listed: one of the DNS names or addresses")],
    )
    san_allow = _words("Kinds taken", SAN_KINDS)
    san_required = _words("Required kinds", SAN_KINDS)
    san_max = forms.IntegerField(label="At most", required=False, help_text="Names, from 0 to 100")
    san_wildcards = _flag("Take wildcards", "*.host.example")
    key_usage = _words("Key usage", KEY_USAGES, "As far as the certificate's key can do it")
    key_usage_critical = _flag("Key usage is critical")
    purposes = _words("Purposes", EXTENDED_KEY_USAGES, "Extended key usage")
    other_purposes = _text("Other purposes", "Object identifiers, separated by commas")
    purposes_critical = _flag("Purposes are critical")
    basic_constraints = _flag("Say CA:FALSE")
    basic_constraints_critical = _flag("CA:FALSE is critical")
    certificate_policies = _text("Policies", "Object identifiers, separated by commas")
    unasked_extensions = forms.ChoiceField(
        label="Extensions not taken",
        choices=[("drop", "drop them"), ("refuse", "refuse the request")],
    )
    crl_pointer = _flag("Point at the CRL")
    ca_pointer = _flag("Point at the authority's certificate")

    def __init__(self, *args: Any, authorities: Iterable[str], **kwargs: Any) -> None:
        self._authorities = tuple(authorities)
        super().__init__(*args, **kwargs)

    def prepare(self) -> None:
        self.fields["authority"].choices = _pairs(self._authorities)  # type: ignore[attr-defined]  # of a ChoiceField

    def groups(self) -> list[tuple[str, list[forms.BoundField]]]:
        return [(title, [self[name] for name in names]) for title, names in _GROUPS]

    def typed(self) -> dict[str, Value]:
        """What the fields say, by key. Of a bound form, valid or not: a field that cannot be read is left out."""
        self.is_valid()
        data = self.cleaned_data
        values: dict[str, Value] = {}
        for name, path in FIELD_PATHS.items():
            if name in data:
                values[path] = _value(name, data[name])
        if "purposes" in data and "other_purposes" in data:
            values["extended_key_usage.allow"] = (*data["purposes"], *_split(data["other_purposes"]))
        if values.get("alternative_names.max") == "":
            values["alternative_names.max"] = DEFAULTS["alternative_names.max"]
        return values


FIELD_PATHS: Final[Mapping[str, str]] = {
    "name": "name",
    "description": "description",
    "authority": "authority",
    "est_default": "est_default",
    "lifetime": "validity.lifetime",
    "backdate": "validity.backdate",
    "keys": "keys.allow",
    "key_reuse": "key_reuse",
    "subject_required": "subject.required",
    "subject_optional": "subject.optional",
    "subject_fixed": "subject.fixed",
    "subject_unlisted": "subject.unlisted",
    "common_name": "subject.common_name",
    "san_allow": "alternative_names.allow",
    "san_required": "alternative_names.required",
    "san_max": "alternative_names.max",
    "san_wildcards": "alternative_names.wildcards",
    "key_usage": "key_usage.allow",
    "key_usage_critical": "key_usage.critical",
    "purposes": "extended_key_usage.allow",
    "purposes_critical": "extended_key_usage.critical",
    "basic_constraints": "basic_constraints.include",
    "basic_constraints_critical": "basic_constraints.critical",
    "certificate_policies": "certificate_policies",
    "unasked_extensions": "unasked_extensions",
    "crl_pointer": "pointers.crl",
    "ca_pointer": "pointers.ca",
}

_GROUPS: Final = (
    ("Profile", ("name", "description", "authority", "est_default")),
    ("Validity and keys", ("lifetime", "backdate", "keys", "key_reuse")),
    (
        "Subject",
        ("subject_required", "subject_optional", "subject_fixed", "subject_unlisted", "common_name"),
    ),
    ("Alternative names", ("san_allow", "san_required", "san_max", "san_wildcards")),
    (
        "Usage",
        (
            "key_usage",
            "key_usage_critical",
            "purposes",
            "other_purposes",
            "purposes_critical",
            "basic_constraints",
            "basic_constraints_critical",
            "certificate_policies",
            "unasked_extensions",
        ),
    ),
    ("Where to check it", ("crl_pointer", "ca_pointer")),
)


def field_of(path: str) -> str | None:
    """The field that a key of the TOML is edited with; the nearest above it for a key within a table of texts."""
    for name, known in FIELD_PATHS.items():
        if path == known or path.startswith(known + "."):
            return name
    return None


def initial_of(values: Mapping[str, Value]) -> dict[str, Any]:
    """`values` with their defaults, as the fields show them."""
    said = {**DEFAULTS, **values}
    initial = {name: _shown(name, said.get(path, "")) for name, path in FIELD_PATHS.items()}
    purposes = as_purposes(said.get("extended_key_usage.allow", ()))
    initial["purposes"] = [word for word in purposes if word in EXTENDED_KEY_USAGES]
    initial["other_purposes"] = ", ".join(word for word in purposes if word not in EXTENDED_KEY_USAGES)
    return initial


def changes_of(typed: Mapping[str, Value], values: Mapping[str, Value]) -> dict[str, Value]:
    """What was typed and means something else than what the text says. The order of words means nothing."""
    said = {**DEFAULTS, **values}
    return {path: value for path, value in typed.items() if not _means(path, value, said.get(path, ""))}


def as_purposes(value: Value) -> tuple[str, ...]:
    assert isinstance(value, tuple)
    return tuple(_PURPOSE_WORDS.get(word, word) for word in value)


def _means(path: str, one: Value, other: Value) -> bool:
    if isinstance(one, tuple) and isinstance(other, tuple):
        if path == "extended_key_usage.allow":
            one, other = as_purposes(one), as_purposes(other)
        return sorted(one) == sorted(other)
    return one == other


def _value(name: str, cleaned: Any) -> Value:
    if name in ("crl_pointer", "ca_pointer"):
        return "auto" if cleaned else "none"
    if name == "subject_fixed":
        return _fixed(cleaned)
    if name == "certificate_policies":
        return _split(cleaned)
    if isinstance(cleaned, list):
        return tuple(cleaned)
    if cleaned is None:
        return ""
    value: Value = cleaned
    return value


def _shown(name: str, value: Value) -> Any:
    if name in ("crl_pointer", "ca_pointer"):
        return value == "auto"
    if isinstance(value, Mapping):
        return "\n".join(f"{word} = {text}" for word, text in value.items())
    if name == "certificate_policies" and isinstance(value, tuple):
        return ", ".join(value)
    return list(value) if isinstance(value, tuple) else value


def _fixed(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines() if line.strip())
    return {word.strip(): value.strip().strip('"') for word, _, value in pairs}


def _split(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())
