"""Identities: what opens the portal for a user beside the password, as the user's sealed record names them.

    {"kind": "oidc", "issuer": "https://...", "claim": "sub", "subject": "..."}
    {"kind": "certificate", "sha256": "64 hexadecimal digits", "subject": "CN=..."}

An identity of a provider is the issuer, the claim and its value: what another issuer says, or another claim, is
somebody else. A certificate is just that one, by its fingerprint: what else its authority issues opens nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certuary.errors import InvalidValue

MOST: Final = 16
"""Of one user."""
SUBJECT_CHARACTERS: Final = 255
"""OpenID Connect Core 1.0 section 2: a subject is no longer."""

_ISSUER_CHARACTERS: Final = 512
_CLAIM: Final = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcIdentity:
    issuer: str
    claim: str
    subject: str

    def __post_init__(self) -> None:
        if not self.issuer.startswith("https://") or not _is_line(self.issuer, _ISSUER_CHARACTERS):
            raise InvalidValue("an issuer is an https:// address", rule="identity")
        if not _CLAIM.fullmatch(self.claim):
            raise InvalidValue(f"{self.claim!r} is not the name of a claim", rule="identity")
        if not _is_line(self.subject, SUBJECT_CHARACTERS):
            raise InvalidValue(
                f"a subject has 1 to {SUBJECT_CHARACTERS} printable characters, and no space at its ends",
                rule="identity",
            )

    @property
    def key(self) -> tuple[str, ...]:
        """What makes it this identity and no other."""
        return "oidc", self.issuer, self.claim, self.subject

    @property
    def in_words(self) -> str:
        return f"{self.claim} {self.subject} of {self.issuer}"

    def to_json(self) -> dict[str, str]:
        return {"kind": "oidc", "issuer": self.issuer, "claim": self.claim, "subject": self.subject}


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundCertificate:
    """`subject` is shown to people, and decides nothing."""

    sha256: str
    subject: str

    def __post_init__(self) -> None:
        if not _SHA256.fullmatch(self.sha256):
            raise InvalidValue("a fingerprint is a SHA-256 in 64 hexadecimal digits", rule="identity")

    @property
    def key(self) -> tuple[str, ...]:
        return "certificate", self.sha256

    @property
    def in_words(self) -> str:
        return f"certificate {self.subject or 'of no subject'}, SHA-256 {self.sha256}"

    def to_json(self) -> dict[str, str]:
        return {"kind": "certificate", "sha256": self.sha256, "subject": self.subject}


Identity = OidcIdentity | BoundCertificate


def identity_of_certificate(certificate: x509.Certificate) -> BoundCertificate:
    subject = certificate.subject.rfc4514_string()
    der = certificate.public_bytes(Encoding.DER)
    return BoundCertificate(sha256=hashlib.sha256(der).hexdigest(), subject=subject[:SUBJECT_CHARACTERS])


def identity_from_json(value: object) -> Identity:
    """`InvalidValue` for what `to_json` never made."""
    if not isinstance(value, Mapping) or not all(isinstance(part, str) for part in value.values()):
        raise InvalidValue("an identity is an object of texts", rule="identity")
    kind, rest = value.get("kind"), {name: part for name, part in value.items() if name != "kind"}
    try:
        if kind == "oidc":
            return OidcIdentity(**rest)
        if kind == "certificate":
            return BoundCertificate(**rest)
    except TypeError:
        raise InvalidValue(f"an identity of kind {kind} has other members", rule="identity") from None
    raise InvalidValue(f"{kind!r} is no kind of identity", rule="identity")


def identities_from_json(value: object) -> tuple[Identity, ...]:
    """Those of a user's column that can be read: what plain SQL wrote there is nobody's."""
    found: list[Identity] = []
    for one in value if isinstance(value, list | tuple) else ():
        try:
            found.append(identity_from_json(one))
        except InvalidValue:
            continue
    return tuple(found)


def _is_line(text: str, most: int) -> bool:
    return 0 < len(text) <= most and text.isprintable() and text == text.strip()
