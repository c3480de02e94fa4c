"""A request to begin with: a key, a subject and names that a profile and a subject rule take.

Where the two contradict each other nothing fits both, and the profile wins: its refusal says what is missing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from certuary.core.names import ATTRIBUTE_NAMES
from certuary.core.profile import Profile
from certuary.core.subject_rule import SubjectRule

_COMMON_NAME: Final = "device-1"
_NAMES: Final = {
    "dns": "device-1.example.com",
    "ip": "192.0.2.1",
    "email": "device-1@example.com",
    "uri": "urn:example:device-1",
}
_OPENSSL_KINDS: Final = {"dns": "DNS", "ip": "IP", "email": "email", "uri": "URI"}
_VALUES: Final = {"C": "DE", "emailAddress": "device-1@example.com", "DC": "example"}
_KEYS: Final = {
    "ec-p256": "ec -pkeyopt ec_paramgen_curve:P-256",
    "ec-p384": "ec -pkeyopt ec_paramgen_curve:P-384",
    "ec-p521": "ec -pkeyopt ec_paramgen_curve:P-521",
    "ed25519": "ed25519",
    "rsa-2048+": "rsa:2048",
    "rsa-3072+": "rsa:3072",
    "rsa-4096+": "rsa:4096",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleRequest:
    """As the arguments `-newkey`, `-subj` and `-addext` of `openssl req` say it; `extension` may be empty."""

    key: str
    subject: str
    extension: str


def example_request(profile: Profile | None, rule: SubjectRule | None) -> ExampleRequest:
    names = _alternative_names(profile, rule)
    attributes = dict(_subject(profile, rule, names))
    subject = "".join(f"/{word}={_escaped(value)}" for word, value in attributes.items())
    listed = ",".join(f"{_OPENSSL_KINDS[kind]}:{value}" for kind, value in names.items())
    return ExampleRequest(
        key=_key(profile),
        subject=subject or "/",
        extension=f"subjectAltName={listed}" if listed else "",
    )


def _key(profile: Profile | None) -> str:
    taken = () if profile is None else profile.keys
    return next((words for word, words in _KEYS.items() if word in taken), _KEYS["ec-p256"])


def _alternative_names(profile: Profile | None, rule: SubjectRule | None) -> dict[str, str]:
    """By kind: those that the profile requires, else one that the rule names and the profile takes."""
    permitted = {} if rule is None else _permitted_names(rule)
    if profile is None:
        return dict(list(permitted.items())[:1])
    policy = profile.alternative_names
    kinds = (
        list(policy.required)
        or [kind for kind in permitted if kind in policy.allow][: min(policy.maximum, 1)]
    )
    if not kinds and profile.subject.common_name_listed:
        kinds = ["dns" if "dns" in policy.allow else "ip"]
    return {kind: permitted.get(kind, _NAMES[kind]) for kind in kinds}


def _permitted_names(rule: SubjectRule) -> dict[str, str]:
    """The first of each kind."""
    networks = [str(network[min(1, network.num_addresses - 1)]) for network in rule.networks[:1]]
    found = {
        "dns": [f"device-1{name}" if name.startswith(".") else name for name in rule.dns[:1]],
        "ip": networks,
        "email": [_mailbox(name) for name in rule.email[:1]],
        "uri": [f"{uri}device-1" if uri[-1] in "/:" else uri for uri in rule.uri[:1]],
    }
    return {kind: values[0] for kind, values in found.items() if values}


def _mailbox(name: str) -> str:
    if "@" in name:
        return name
    return f"device-1@host{name}" if name.startswith(".") else f"device-1@{name}"


def _subject(
    profile: Profile | None, rule: SubjectRule | None, names: dict[str, str]
) -> Iterable[tuple[str, str]]:
    template = () if rule is None else rule.template
    for oid, patterns in template:
        host = names.get("dns") or names.get("ip") or ""
        is_listed = oid == NameOID.COMMON_NAME and profile is not None and profile.subject.common_name_listed
        fits = is_listed and any(pattern.matches(host) for pattern in patterns)
        yield _word(oid), host if fits else _cased(_word(oid), "1".join(patterns[0].parts))
    given = {oid for oid, _ in template}
    required = (NameOID.COMMON_NAME,) if profile is None else profile.subject.required
    for oid in required:
        if oid not in given and (profile is None or oid not in profile.subject.fixed):
            yield _word(oid), _value(oid, rule, names)
    if NameOID.COMMON_NAME not in {*given, *required} and (
        profile is None or NameOID.COMMON_NAME in profile.subject.allowed.difference(profile.subject.fixed)
    ):
        name = _value(NameOID.COMMON_NAME, rule, names)
        if rule is None or name != _COMMON_NAME:  # a rule without a CN lets through its own hosts alone
            yield "CN", name


def _value(oid: x509.ObjectIdentifier, rule: SubjectRule | None, names: dict[str, str]) -> str:
    word = _word(oid)
    if word != "CN":
        return _VALUES.get(word, "example")
    permitted = names if rule is None else {**_permitted_names(rule), **names}
    return permitted.get("dns") or permitted.get("ip") or _COMMON_NAME


def _word(oid: x509.ObjectIdentifier) -> str:
    return ATTRIBUTE_NAMES.get(oid, oid.dotted_string)


def _cased(word: str, value: str) -> str:
    """A rule keeps its values folded; a country is two capitals."""
    return value.upper() if word == "C" else value


def _escaped(value: str) -> str:
    """`-subj` parts attributes at a slash, and values of one attribute at a plus."""
    return value.replace("\\", "\\\\").replace("/", "\\/").replace("+", "\\+")
