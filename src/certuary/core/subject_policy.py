"""Which subjects a profile takes, and what each attribute must look like (RFC 5280 section 4.1.2.6)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from cryptography import x509
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from certuary.core.names import ATTRIBUTE_NAMES, ATTRIBUTES, fold
from certuary.core.profile_config import ProfileConfig
from certuary.errors import ProfileRefused

Attribute = x509.NameAttribute[str | bytes]

# RFC 5280 appendix A.1: the upper bounds, in characters.
_UPPER_BOUND = {
    NameOID.COMMON_NAME: 64,
    NameOID.COUNTRY_NAME: 2,
    NameOID.ORGANIZATION_NAME: 64,
    NameOID.ORGANIZATIONAL_UNIT_NAME: 64,
    NameOID.LOCALITY_NAME: 128,
    NameOID.STATE_OR_PROVINCE_NAME: 128,
    NameOID.STREET_ADDRESS: 128,
    NameOID.DOMAIN_COMPONENT: 63,
    NameOID.USER_ID: 256,
    NameOID.SERIAL_NUMBER: 64,
    NameOID.DN_QUALIFIER: 64,
    NameOID.TITLE: 64,
    NameOID.SURNAME: 64,
    NameOID.GIVEN_NAME: 64,
    NameOID.ORGANIZATION_IDENTIFIER: 128,
    NameOID.EMAIL_ADDRESS: 255,
    NameOID.UNSTRUCTURED_NAME: 255,
}
_MAX_ATTRIBUTES = 20
_MAX_TOTAL = 1024
# Controls, format characters that turn text round, and what no text may have (RFC 4518 section 2.3).
_UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffe\uffff]"
)
_PRINTABLE_STRING = re.compile(r"[A-Za-z0-9 '()+,\-./:=?]+", re.ASCII)
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
_DOMAIN_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?", re.ASCII)
_IA5 = re.compile(r"[\x20-\x7e]+", re.ASCII)

_PRINTABLE_ONLY = frozenset({NameOID.COUNTRY_NAME, NameOID.SERIAL_NUMBER, NameOID.DN_QUALIFIER})
_IA5_ONLY = frozenset({NameOID.DOMAIN_COMPONENT, NameOID.EMAIL_ADDRESS})
_REPERTOIRE: dict[x509.ObjectIdentifier, re.Pattern[str]] = {
    NameOID.COUNTRY_NAME: _COUNTRY,
    NameOID.SERIAL_NUMBER: _PRINTABLE_STRING,
    NameOID.DN_QUALIFIER: _PRINTABLE_STRING,
    NameOID.DOMAIN_COMPONENT: _DOMAIN_LABEL,
    NameOID.EMAIL_ADDRESS: _IA5,
}
_MAY_REPEAT = frozenset({NameOID.ORGANIZATIONAL_UNIT_NAME, NameOID.DOMAIN_COMPONENT})


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectPolicy:
    """`fixed` attributes come first in the subject where the request leaves them out."""

    required: tuple[x509.ObjectIdentifier, ...]
    allowed: frozenset[x509.ObjectIdentifier]
    fixed: Mapping[x509.ObjectIdentifier, x509.NameAttribute[str]]
    drop_unlisted: bool
    common_name_listed: bool

    @classmethod
    def from_config(cls, config: ProfileConfig) -> SubjectPolicy:
        fixed = {
            ATTRIBUTES[word]: _fixed_attribute(config, word, value) for word, value in config.subject_fixed
        }
        listed = {ATTRIBUTES[word] for word in (*config.subject_required, *config.subject_optional)}
        return cls(
            required=tuple(ATTRIBUTES[word] for word in config.subject_required),
            allowed=frozenset(listed | set(fixed)),
            fixed=fixed,
            drop_unlisted=config.subject_unlisted == "drop",
            common_name_listed=config.common_name_listed,
        )

    def accept(self, subject: x509.Name, alternative_names: tuple[x509.GeneralName, ...]) -> x509.Name:
        """The subject as the certificate has it: in the request's order, and its encoding where allowed."""
        seen: set[x509.ObjectIdentifier] = set()
        rdns: list[x509.RelativeDistinguishedName] = []
        changed = False
        size = 0
        for rdn in subject.rdns:
            kept: list[Attribute] = []
            for attribute in rdn:
                accepted = self._accept(attribute, seen)
                changed = changed or accepted is not attribute
                if accepted is not None:
                    kept.append(accepted)
                    size += len(accepted.value)
            if len(kept) == len(rdn) and not changed:
                rdns.append(rdn)
            elif kept:
                rdns.append(x509.RelativeDistinguishedName(kept))
        if len(subject.rdns) > _MAX_ATTRIBUTES or size > _MAX_TOTAL:
            raise _refused(
                f"more than {_MAX_ATTRIBUTES} attributes or {_MAX_TOTAL} characters", "subject-size"
            )
        self._check_required(seen)
        missing = [attribute for oid, attribute in self.fixed.items() if oid not in seen]
        if changed or missing:
            subject = x509.Name([*(x509.RelativeDistinguishedName([each]) for each in missing), *rdns])
        if self.common_name_listed:
            _check_common_name(subject, alternative_names)
        return subject

    def _accept(self, attribute: Attribute, seen: set[x509.ObjectIdentifier]) -> Attribute | None:
        """The attribute as it goes into the certificate, None where it is dropped."""
        oid = attribute.oid
        if oid not in self.allowed:
            if self.drop_unlisted:
                return None
            raise _refused(f"the profile does not take {_word(oid)}", "subject-attribute")
        if oid in seen and oid not in _MAY_REPEAT:
            raise _refused(f"{_word(oid)} stands there twice", "subject-attribute")
        seen.add(oid)
        value = attribute.value
        if not isinstance(value, str):
            raise _refused(f"{_word(oid)} is not a text", "subject-value")
        problem = _problem(oid, value)
        if problem:
            raise _refused(f"{_word(oid)} {problem}", "subject-value")
        fixed = self.fixed.get(oid)
        if fixed is None or fixed.value == value:
            return _encoded(attribute, value)
        if fold(fixed.value) != fold(value):
            raise _refused(f"{_word(oid)} is fixed to {fixed.value!r} by the profile", "subject-fixed")
        return fixed

    def _check_required(self, seen: set[x509.ObjectIdentifier]) -> None:
        for oid in self.required:
            if oid not in seen and oid not in self.fixed:
                raise _refused(f"the profile needs {_word(oid)}", "subject-attribute-missing")


def _problem(oid: x509.ObjectIdentifier, value: str) -> str:
    """What is wrong with a value; "" when nothing is."""
    if not value or len(value) > _UPPER_BOUND[oid]:
        return f"is 1 to {_UPPER_BOUND[oid]} characters long"
    if _UNPRINTABLE.search(value):
        return "has a control character"
    if value != value.strip():
        return "begins or ends with a blank"
    repertoire = _REPERTOIRE.get(oid)
    if repertoire is not None and not repertoire.fullmatch(value):
        return (
            "is two capital letters (ISO 3166)"
            if oid == NameOID.COUNTRY_NAME
            else "has a character it cannot have"
        )
    return ""


def _encoded(attribute: Attribute, value: str) -> Attribute:
    """The attribute in an encoding that RFC 5280 section 4.1.2.4 allows: the request's own if it is one."""
    oid = attribute.oid
    wire = attribute._type
    if oid in _PRINTABLE_ONLY:
        fits = wire is _ASN1Type.PrintableString
    elif oid in _IA5_ONLY:
        fits = wire is _ASN1Type.IA5String
    else:
        # Some encoders write any text as PrintableString; it has no @ and no *.
        fits = wire is _ASN1Type.UTF8String or (
            wire is _ASN1Type.PrintableString and _PRINTABLE_STRING.fullmatch(value) is not None
        )
    if fits:
        return attribute
    try:
        return x509.NameAttribute(oid, value)
    except ValueError:
        raise _refused(f"{_word(oid)} is too long to be written in UTF-8", "subject-value") from None


def _check_common_name(subject: x509.Name, alternative_names: tuple[x509.GeneralName, ...]) -> None:
    """RFC 6125 section 6.4.4: clients look at alternative names; a CN that differs misleads people."""
    names = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if not names:
        return
    common_name = str(names[0].value).lower()
    hosts = {name.value.lower() for name in alternative_names if isinstance(name, x509.DNSName)}
    addresses = {name.value for name in alternative_names if isinstance(name, x509.IPAddress)}
    if common_name in hosts:
        return
    try:
        if ip_address(common_name) in addresses:
            return
    except ValueError:
        pass
    raise _refused(
        f"CN {common_name[:64]!r} is not among the subject alternative names", "common-name-not-listed"
    )


def _fixed_attribute(config: ProfileConfig, word: str, value: str) -> x509.NameAttribute[str]:
    problem = _problem(ATTRIBUTES[word], value)
    if problem:
        raise config.source.error(f"subject.fixed.{word}", f"{word} {problem}")
    try:
        return x509.NameAttribute(ATTRIBUTES[word], value)
    except ValueError as error:
        raise config.source.error(f"subject.fixed.{word}", str(error)) from None


def _word(oid: x509.ObjectIdentifier) -> str:
    return ATTRIBUTE_NAMES.get(oid, oid.dotted_string)


def _refused(detail: str, rule: str) -> ProfileRefused:
    return ProfileRefused(f"subject: {detail}", rule=rule)
