"""A profile in words, key by key: for its page, for Verify and Confirm, and for the difference of two versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from certuary.core.profile_config import EXTENDED_KEY_USAGES, ProfileConfig

_PURPOSES: Final = {dotted: word for word, dotted in EXTENDED_KEY_USAGES.items()}
_UNITS: Final = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
_KEY_REUSE: Final[Mapping[str, str]] = {
    "allow": "a key may be certified again, under any names",
    "same-names": "a key may be certified again for exactly the same names, and for no others",
    "refuse": "each certificate needs a new key",
}
_UNASKED: Final[Mapping[str, str]] = {
    "drop": "what a request asks for beyond the profile is left out of the certificate",
    "refuse": "a request that asks for more than the profile gives is refused",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """`path` is the key of the TOML, `value` what it says, `meaning` what that does."""

    path: str
    group: str
    label: str
    value: str
    meaning: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Two facts of one key: `before` or `after` is None where there is no profile to compare with."""

    before: Fact | None
    after: Fact

    @property
    def is_change(self) -> bool:
        return self.before is not None and self.before.value != self.after.value


def describe(config: ProfileConfig) -> tuple[Fact, ...]:
    return tuple(
        Fact(path=path, group=group, label=label, value=value(config), meaning=meaning(config))
        for path, group, label, value, meaning in _FACTS
    )


def differences(before: ProfileConfig | None, after: ProfileConfig) -> tuple[Difference, ...]:
    """Every key, changed or not."""
    old = {} if before is None else {fact.path: fact for fact in describe(before)}
    return tuple(Difference(before=old.get(fact.path), after=fact) for fact in describe(after))


def span_text(length: timedelta) -> str:
    """90 days, 5 minutes, 1 day 12 hours."""
    seconds, parts = int(length.total_seconds()), []
    for size, word in _UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {word}{'s' if count > 1 else ''}")
    return " ".join(parts) or "none"


def purpose_text(dotted: str) -> str:
    return _PURPOSES.get(dotted, dotted)


def _list(words: tuple[str, ...]) -> str:
    return ", ".join(words) or "none"


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"


def _no_words(config: ProfileConfig) -> str:
    return ""


def _est_default(config: ProfileConfig) -> str:
    if config.est_default:
        return "the property est.ca.server.user.profile may choose it for the endpoint without a label"
    return "it is reached by a label only; the property est.ca.server.user.profile cannot choose it"


def _lifetime(config: ProfileConfig) -> str:
    return (
        f"a certificate ends {span_text(config.lifetime)} after it is issued, or with its authority if sooner"
    )


def _backdate(config: ProfileConfig) -> str:
    return "how far notBefore lies back, for devices whose clocks are behind"


def _unlisted(config: ProfileConfig) -> str:
    if config.subject_unlisted == "refuse":
        return "a request with another subject field is refused"
    return "other subject fields are left out of the certificate"


def _common_name(config: ProfileConfig) -> str:
    if config.common_name_listed:
        return "a CN must repeat one of the DNS names or addresses"
    return "a CN is taken as it is"


def _alternative_names(config: ProfileConfig) -> str:
    if not config.san_allow or not config.san_max:
        return "a request with alternative names is refused"
    return f"up to {config.san_max} names of these kinds"


def _purposes(config: ProfileConfig) -> str:
    return "what a certificate is good for; a request can ask for fewer, never for more"


_Fact = tuple[str, str, str, Callable[[ProfileConfig], str], Callable[[ProfileConfig], str]]
_FACTS: Final[tuple[_Fact, ...]] = (
    ("name", "Profile", "Name", lambda c: c.name, _no_words),
    ("description", "Profile", "Description", lambda c: c.description, _no_words),
    ("authority", "Profile", "Authority", lambda c: c.authority, lambda c: "signs what is made under it"),
    ("est_default", "Profile", "May be the default", lambda c: _yes(c.est_default), _est_default),
    ("validity.lifetime", "Validity", "Lifetime", lambda c: span_text(c.lifetime), _lifetime),
    ("validity.backdate", "Validity", "Backdated by", lambda c: span_text(c.backdate), _backdate),
    ("keys.allow", "Keys", "Keys taken", lambda c: _list(c.keys), _no_words),
    ("key_reuse", "Keys", "Key reuse", lambda c: c.key_reuse, lambda c: _KEY_REUSE[c.key_reuse]),
    ("subject.required", "Subject", "Required", lambda c: _list(c.subject_required), _no_words),
    ("subject.optional", "Subject", "Optional", lambda c: _list(c.subject_optional), _no_words),
    (
        "subject.fixed", "Subject", "Fixed",
        lambda c: _list(tuple(f"{word} = {text}" for word, text in c.subject_fixed)), _no_words,
    ),
    ("subject.unlisted", "Subject", "Other fields", lambda c: c.subject_unlisted, _unlisted),
    (
        "subject.common_name", "Subject", "Common name",
        lambda c: "listed" if c.common_name_listed else "free", _common_name,
    ),
    (
        "alternative_names.allow", "Alternative names", "Kinds taken",
        lambda c: _list(c.san_allow), _alternative_names,
    ),
    ("alternative_names.required", "Alternative names", "Required", lambda c: _list(c.san_required), _no_words),
    ("alternative_names.max", "Alternative names", "At most", lambda c: str(c.san_max), _no_words),
    ("alternative_names.wildcards", "Alternative names", "Wildcards", lambda c: _yes(c.san_wildcards), _no_words),
    (
        "basic_constraints.include", "Usage", "Says CA:FALSE",
        lambda c: _yes(c.basic_constraints), _no_words,
    ),
    (
        "basic_constraints.critical", "Usage", "CA:FALSE is critical",
        lambda c: _yes(c.basic_constraints_critical), _no_words,
    ),
    (
        "key_usage.allow", "Usage", "Key usage",
        lambda c: _list(c.key_usage), lambda c: "as far as the certificate's kind of key can do it",
    ),
    ("key_usage.critical", "Usage", "Key usage is critical", lambda c: _yes(c.key_usage_critical), _no_words),
    (
        "extended_key_usage.allow", "Usage", "Purposes",
        lambda c: _list(tuple(map(purpose_text, c.purposes))), _purposes,
    ),
    ("extended_key_usage.critical", "Usage", "Purposes are critical", lambda c: _yes(c.purposes_critical), _no_words),
    ("certificate_policies", "Usage", "Policies", lambda c: _list(c.certificate_policies), _no_words),
    (
        "unasked_extensions", "Usage", "Extensions not taken",
        lambda c: c.unasked_extensions, lambda c: _UNASKED[c.unasked_extensions],
    ),
    ("pointers.crl", "Where to check it", "Points at the CRL", lambda c: _yes(c.crl_pointer), _no_words),
    ("pointers.ca", "Where to check it", "Points at the authority", lambda c: _yes(c.ca_pointer), _no_words),
)  # fmt: skip
