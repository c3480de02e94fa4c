"""The manifest: which version and digest of every sealed record is the present one, signed as a whole.

A seal proves that a row was signed once; the manifest proves that it is the latest, and that none is missing. It has
two levels, so that a change rewrites little: parts hold the entries of up to 256 records of a kind whose numbers begin
alike, the head holds the digests of the parts and a number that rises with each change.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec

from certuary.core.canonical_json import canonical_json
from certuary.core.certificate import SigningKey
from certuary.core.seal import is_signed, moment_text, sign
from certuary.errors import InvalidSeal

RECORDS_PER_PART: Final = 256
WAY_OUT: Final = "put the row back, or run: certuary seal accept-rollback"
_SIGNED: Final = b"certuary manifest 1\n"


class PartName(NamedTuple):
    kind: str
    number: int


class Entry(NamedTuple):
    """`digest` is `core.seal.entry_digest`; `name` is what people call the record, for when its row is gone."""

    version: int
    digest: str
    name: str


Entries = Mapping[int, Entry]


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """`parts` are digests of part bodies; `compromised` says since when a signing certificate, by its fingerprint, is
    not to be believed; `accepted` is the last rollback that somebody answers for, {} when there was none."""

    instance: str
    sequence: int
    at: datetime
    parts: Mapping[PartName, str]
    compromised: Mapping[str, datetime] = field(default_factory=lambda: MappingProxyType({}))
    accepted: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))

    def to_body(self) -> str:
        values = {
            "instance": self.instance,
            "sequence": self.sequence,
            "at": moment_text(self.at),
            "parts": {f"{name.kind}/{name.number}": digest for name, digest in self.parts.items()},
            "compromised": {name: moment_text(since) for name, since in self.compromised.items()},
            "accepted": dict(self.accepted),
        }
        return canonical_json(values).decode()

    @classmethod
    def from_body(cls, body: str) -> Head:
        """Of a body whose signature was verified."""
        values = json.loads(body)
        return cls(
            instance=values["instance"],
            sequence=values["sequence"],
            at=datetime.fromisoformat(values["at"]),
            parts={_part_name(name): digest for name, digest in values["parts"].items()},
            compromised={
                name: datetime.fromisoformat(since) for name, since in values["compromised"].items()
            },
            accepted=values["accepted"],
        )


def part_of(kind: str, record_id: int) -> PartName:
    return PartName(kind, record_id // RECORDS_PER_PART)


def part_body(name: PartName, entries: Entries) -> str:
    records = {str(record_id): list(entry) for record_id, entry in entries.items()}
    return canonical_json({"kind": name.kind, "number": name.number, "records": records}).decode()


def read_part(body: str) -> dict[int, Entry]:
    """Of a body whose digest the head names."""
    return {int(record_id): Entry(*entry) for record_id, entry in json.loads(body)["records"].items()}


def body_digest(body: str) -> str:
    return hashlib.sha256(body.encode(errors="surrogatepass")).hexdigest()


def sign_head(body: str, key: SigningKey) -> bytes:
    return sign(key, _SIGNED + body.encode())


def read_head(body: str, signature: bytes, key: ec.EllipticCurvePublicKey, instance: str) -> Head:
    """`InvalidSeal` unless the manifest key signed it for this installation."""
    if not is_signed(key, signature, _SIGNED + body.encode(errors="surrogatepass")):
        raise InvalidSeal(f"the manifest was not signed by this installation; {WAY_OUT}", rule="manifest")
    head = Head.from_body(body)
    if head.instance != instance:
        raise InvalidSeal(f"the manifest is that of another installation; {WAY_OUT}", rule="manifest")
    return head


def _part_name(text: str) -> PartName:
    kind, _, number = text.partition("/")
    return PartName(kind, int(number))
