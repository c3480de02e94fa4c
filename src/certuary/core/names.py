"""Names as text: to show (RFC 4514), to compare and to search (RFC 5280 section 7).

Two names are the same when these texts are: case and runs of blanks do not count in a distinguished name,
case does not count in a DNS name and in the host of a mail address, and the order of subject alternative
names has no meaning (S-30).
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable

from cryptography import x509
from cryptography.x509.oid import NameOID

ATTRIBUTES: dict[str, x509.ObjectIdentifier] = {
    "CN": NameOID.COMMON_NAME,
    "C": NameOID.COUNTRY_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "L": NameOID.LOCALITY_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
    "STREET": NameOID.STREET_ADDRESS,
    "DC": NameOID.DOMAIN_COMPONENT,
    "UID": NameOID.USER_ID,
    "serialNumber": NameOID.SERIAL_NUMBER,
    "dnQualifier": NameOID.DN_QUALIFIER,
    "title": NameOID.TITLE,
    "surname": NameOID.SURNAME,
    "givenName": NameOID.GIVEN_NAME,
    "organizationIdentifier": NameOID.ORGANIZATION_IDENTIFIER,
    "emailAddress": NameOID.EMAIL_ADDRESS,
    "unstructuredName": NameOID.UNSTRUCTURED_NAME,
}
"""The subject attributes we know, by the name that profiles, subject rules and texts use."""

ATTRIBUTE_NAMES = {oid: name for name, oid in ATTRIBUTES.items()}
_FOLDED_NAMES = {oid: name.lower() for name, oid in ATTRIBUTES.items()}
_ESCAPED = re.compile(r'[,+"\\<>;]|^[ #]| $|[\x00-\x1f\x7f]')
_PLAIN = re.compile(r"[a-z0-9](?:[a-z0-9._:@/-]| (?! ))*(?<! )", re.ASCII)


# `json.dumps` with separators would make an encoder for each call.
_encode_json = json.JSONEncoder(separators=(",", ":")).encode


def subject_text(name: x509.Name) -> str:
    """RFC 4514: the last attribute first, "CN=dev-1,O=Acme"."""
    return name.rfc4514_string(ATTRIBUTE_NAMES)


def subject_key(name: x509.Name) -> str:
    """The name folded for comparing and for searching by prefix, in the order of `subject_text`."""
    return ",".join(
        "+".join(
            sorted(
                f"{_FOLDED_NAMES.get(each.oid) or each.oid.dotted_string}={_folded(each.value)}"
                for each in rdn
            )
        )
        for rdn in reversed(name.rdns)
    )


def subject_search_key(text: str) -> str:
    """The beginning of a subject as people type it, folded like `subject_key`: both "dev-1" and "CN=Dev-1"."""
    if "=" not in text:
        return "cn=" + _folded(text)
    parts = re.split(r"(?<!\\)([,+])", text)
    return "".join(part if part in ",+" else _folded_pair(part) for part in parts)


def _folded_pair(typed: str) -> str:
    attribute, equals, value = typed.partition("=")
    return attribute.strip().lower() + equals + fold(value)


def fold(value: str) -> str:
    """caseIgnoreMatch (RFC 5280 section 7.1, RFC 4518): compatibility forms, case and blanks are levelled."""
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", value).casefold()).split())


def _folded(value: str | bytes) -> str:
    if isinstance(value, bytes):
        return "#" + value.hex()
    lowered = value.lower()
    if _PLAIN.fullmatch(lowered):
        return lowered
    return _ESCAPED.sub(_escape, fold(value))


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    return f"\\{ord(character):02x}" if ord(character) < 32 or character == "\x7f" else "\\" + character


def alternative_names_text(names: Iterable[x509.GeneralName]) -> str:
    """A canonical JSON list, sorted, each once: `["DNS:a.example","IP:10.0.0.1"]`, `[]` for none."""
    return _encode_json(sorted({general_name_text(name) for name in names}))


def general_name_text(name: x509.GeneralName) -> str:
    """One subject alternative name, folded for comparing."""
    if isinstance(name, x509.DNSName):
        return "DNS:" + name.value.lower()
    if isinstance(name, x509.IPAddress):
        return f"IP:{name.value}"
    if isinstance(name, x509.RFC822Name):
        # RFC 5280 section 7.5: the local part keeps its case, the host does not.
        local, at, host = name.value.rpartition("@")
        return f"email:{local}{at}{host.lower()}"
    if isinstance(name, x509.UniformResourceIdentifier):
        return "URI:" + name.value
    if isinstance(name, x509.DirectoryName):
        return "dirName:" + subject_key(name.value)
    if isinstance(name, x509.OtherName):
        return f"otherName:{name.type_id.dotted_string};{name.value.hex()}"
    return f"RID:{name.value.dotted_string}"


def same_names(
    subject: x509.Name,
    alternative_names: Iterable[x509.GeneralName],
    other_subject: x509.Name,
    other_alternative_names: Iterable[x509.GeneralName],
) -> bool:
    """RFC 7030 section 4.2.2 (S-30): do two requests or certificates name the same thing?"""
    return subject_key(subject) == subject_key(other_subject) and alternative_names_text(
        alternative_names
    ) == alternative_names_text(other_alternative_names)


def certificate_alternative_names(certificate: x509.Certificate) -> tuple[x509.GeneralName, ...]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return tuple(found.value)
