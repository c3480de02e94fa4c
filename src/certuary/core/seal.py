"""Seals: a user's signature over a record, counter-signed by the server with time, signer and role.

    statement          canonical JSON (RFC 8785) of instance, kind, id, version and every column
    signature          ECDSA P-256, the user's key, over the statement
    countersignature   ECDSA P-256, the manifest key, over the statement's digest, the signature, who signed, as what
                       and when: the server's word that the signer was entitled at that time

The statement is never stored: it is made anew from the row. A seal is the rest, as JSON, in a column of the row.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from certuary.core.canonical_json import canonical_json
from certuary.core.certificate import SigningKey
from certuary.errors import InvalidSeal, InvalidValue

SECRET_COLUMNS: Final = frozenset({"password_hash", "signing_key", "content"})
"""In a statement by their digest, so that a statement can be shown to anybody who may see the record."""

LATER_COLUMNS: Final = frozenset({"authenticators", "must_change_password", "identities", "least_role"})
"""Columns younger than the first seals: a statement has them only when they hold something, so that older seals, which
were made without them, still hold. Empty, false and absent mean the same of each."""

_SIGNED: Final = b"certuary seal 1\n"
_COUNTERSIGNED: Final = b"certuary countersignature 1\n"
_VERSION: Final = 1
_HINT_CHARACTERS: Final = 12
_ECDSA: Final = ec.ECDSA(hashes.SHA256())

Columns = Mapping[str, object]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """`certificate` is the signer's, DER. `hints` are beginnings of the columns' digests: they tell which column
    changed, and prove nothing."""

    signer: str
    role: str
    group_ids: tuple[int, ...]
    at: datetime
    certificate: bytes
    signature: bytes
    countersignature: bytes
    hints: Mapping[str, str]

    def to_text(self) -> str:
        values = {
            "v": _VERSION,
            "signer": self.signer,
            "role": self.role,
            "groups": list(self.group_ids),
            "at": moment_text(self.at),
            "certificate": _text(self.certificate),
            "signature": _text(self.signature),
            "countersignature": _text(self.countersignature),
            "hints": dict(self.hints),
        }
        return json.dumps(values, separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> Seal:
        """`InvalidSeal` for what `to_text` never wrote."""
        try:
            values = json.loads(text)
            if values["v"] != _VERSION:
                raise InvalidSeal("its seal is of another release")
            return cls(
                signer=_checked(values["signer"], str),
                role=_checked(values["role"], str),
                group_ids=tuple(_checked(group, int) for group in values["groups"]),
                at=_moment(values["at"]),
                certificate=base64.b64decode(values["certificate"], validate=True),
                signature=base64.b64decode(values["signature"], validate=True),
                countersignature=base64.b64decode(values["countersignature"], validate=True),
                hints=_checked(values["hints"], dict),
            )
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            raise InvalidSeal("its seal cannot be read") from None


def statement(*, instance: str, kind: str, record_id: int, version: int, columns: Columns) -> bytes:
    """What is signed. `InvalidSeal` for a column that holds what no record does."""
    values = {
        "instance": instance,
        "kind": kind,
        "id": record_id,
        "version": version,
        "columns": {name: _plain(name, value) for name, value in _stated(columns)},
    }
    try:
        return canonical_json(values)
    except InvalidValue:
        raise InvalidSeal("it holds a value that cannot be signed") from None


def sign_statement(
    statement: bytes,
    *,
    columns: Columns,
    signer: str,
    role: str,
    group_ids: Sequence[int],
    certificate: bytes,
    key: SigningKey,
    countersigning_key: SigningKey,
    at: datetime,
) -> Seal:
    seal = Seal(
        signer=signer,
        role=role,
        group_ids=tuple(sorted(group_ids)),
        at=at,
        certificate=certificate,
        signature=sign(key, _SIGNED + statement),
        countersignature=b"",
        hints={name: _hint(name, value) for name, value in _stated(columns)},
    )
    attested = _COUNTERSIGNED + _attestation(seal, statement)
    return replace(seal, countersignature=sign(countersigning_key, attested))


def check_signature(seal: Seal, statement: bytes, key: ec.EllipticCurvePublicKey) -> None:
    """`key` is the signer's, as the seal's certificate names it. `InvalidSeal` when it signed something else."""
    if not is_signed(key, seal.signature, _SIGNED + statement):
        raise InvalidSeal(f"it is not what {seal.signer!r} signed")


def check_countersignature(seal: Seal, statement: bytes, key: ec.EllipticCurvePublicKey) -> None:
    try:
        attested = _COUNTERSIGNED + _attestation(seal, statement)
    except InvalidValue:
        raise InvalidSeal("its seal names a signer that cannot be") from None
    if not is_signed(key, seal.countersignature, attested):
        raise InvalidSeal("the server has not counter-signed this seal")


def changed_columns(seal: Seal, columns: Columns) -> tuple[str, ...]:
    """The columns that are not what they were when the seal was made, by its hints."""
    stated = dict(_stated(columns))
    gone = tuple(name for name in LATER_COLUMNS & seal.hints.keys() if name not in stated)
    return (
        *(name for name, value in stated.items() if seal.hints.get(name) != _hint(name, value)),
        *sorted(gone),
    )


def entry_digest(statement: bytes, seal_text: str) -> str:
    """What the manifest holds of a record: it covers the content and the very seal. SHA-256 in hex."""
    return hashlib.sha256(statement + b"\n" + seal_text.encode(errors="surrogatepass")).hexdigest()


def fingerprint(certificate: bytes) -> str:
    """Of a signing certificate: SHA-256 in hex."""
    return hashlib.sha256(certificate).hexdigest()


def sign(key: SigningKey, message: bytes) -> bytes:
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key.sign(message, _ECDSA)


def is_signed(key: ec.EllipticCurvePublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message, _ECDSA)
    except InvalidSignature:
        return False
    return True


def moment_text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment_text(moment) != text:
        raise ValueError
    return moment


def _attestation(seal: Seal, statement: bytes) -> bytes:
    return canonical_json(
        {
            "statement": hashlib.sha256(statement).hexdigest(),
            "signature": _text(seal.signature),
            "certificate": fingerprint(seal.certificate),
            "signer": seal.signer,
            "role": seal.role,
            "groups": list(seal.group_ids),
            "at": moment_text(seal.at),
        }
    )


def _stated(columns: Columns) -> Iterator[tuple[str, object]]:
    return ((name, value) for name, value in columns.items() if value or name not in LATER_COLUMNS)


def _hint(name: str, value: object) -> str:
    text = repr(_plain(name, value)).encode(errors="surrogatepass")
    return hashlib.sha256(text).hexdigest()[:_HINT_CHARACTERS]


def _plain(name: str, value: object) -> object:
    """A column as JSON: the same for both databases."""
    if name in SECRET_COLUMNS and isinstance(value, str):
        return f"sha256:{hashlib.sha256(value.encode(errors='surrogatepass')).hexdigest()}"
    if isinstance(value, datetime):
        return moment_text(value)
    if isinstance(value, bytes):
        return _text(value)
    return value


def _checked(value: object, kind: type[T]) -> T:
    if type(value) is not kind:
        raise TypeError
    return value


def _text(octets: bytes) -> str:
    return base64.b64encode(octets).decode("ascii")
