"""Marks: an HMAC under a key-store key, over what the server writes into a row and later believes.

Whoever can write to the database but has no key cannot make one, so an altered row is found out. A mark names the
installation and the kind of row: it holds in no other database and for no other table.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Final, Protocol

from certuary.core.values import serial_to_text, time_to_text
from certuary.errors import InvalidMark

# A JSON list: no two rows have one text, as every value keeps its type and its bounds. One encoder for all calls.
_encode_json = json.JSONEncoder(separators=(",", ":")).encode

_BLOCK_OCTETS: Final = 64
_INNER: Final = bytes(octet ^ 0x36 for octet in range(256))
_OUTER: Final = bytes(octet ^ 0x5C for octet in range(256))


class Certificate(Protocol):
    """What a certificate's mark covers, and the mark. Its DER is not covered: its authority has signed that."""

    @property
    def authority_id(self) -> int: ...
    @property
    def serial(self) -> int: ...
    @property
    def profile_version_id(self) -> int | None: ...
    @property
    def application_id(self) -> int | None: ...
    @property
    def subject_key(self) -> str: ...
    @property
    def alternative_names(self) -> str: ...
    @property
    def key_hash(self) -> str: ...
    @property
    def not_before(self) -> datetime: ...
    @property
    def not_after(self) -> datetime: ...
    @property
    def source(self) -> str: ...
    @property
    def replaces(self) -> str | None: ...
    @property
    def issued_at(self) -> datetime: ...
    @property
    def revoked_at(self) -> datetime | None: ...
    @property
    def revocation_reason(self) -> str | None: ...
    @property
    def revoked_revision(self) -> int | None: ...
    @property
    def mark(self) -> bytes | None: ...


class Crl(Protocol):
    """What a published CRL's mark covers, and the mark."""

    @property
    def authority_id(self) -> int: ...
    @property
    def number(self) -> int: ...
    @property
    def covers_revision(self) -> int: ...
    @property
    def this_update(self) -> datetime: ...
    @property
    def next_update(self) -> datetime: ...
    @property
    def der(self) -> bytes: ...
    @property
    def mark(self) -> bytes | None: ...


class ProfileVersion(Protocol):
    """What the mark of a profile's version covers, and the mark."""

    @property
    def profile_id(self) -> int: ...
    @property
    def number(self) -> int: ...
    @property
    def toml(self) -> str: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def created_by(self) -> str: ...
    @property
    def mark(self) -> bytes | None: ...


class ApiToken(Protocol):
    """What the mark of an API token covers, and the mark. The token itself is nowhere: `token_hash` is a keyed hash."""

    @property
    def token_hash(self) -> str: ...
    @property
    def user_id(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def scopes(self) -> Sequence[str]: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def expires_at(self) -> datetime: ...
    @property
    def revoked_at(self) -> datetime | None: ...
    @property
    def mark(self) -> bytes | None: ...


class Marker:
    """Makes marks and checks them. The checks raise `InvalidMark`, with a detail that names the row."""

    def __init__(self, key: bytes, instance: str) -> None:
        # `hmac.digest` would let go of the interpreter's lock at each call, in the middle of an enrolment.
        padded = _padded(key)
        self._inner = hashlib.sha256(padded.translate(_INNER))
        self._outer = hashlib.sha256(padded.translate(_OUTER))
        self._instance = instance

    def __repr__(self) -> str:
        return f"Marker({self._instance!r})"

    def certificate(self, row: Certificate) -> bytes:
        revoked_at = row.revoked_at
        return self._mark(
            (
                self._instance,
                "certificate",
                row.authority_id,
                row.serial,
                row.profile_version_id,
                row.application_id,
                row.subject_key,
                row.alternative_names,
                row.key_hash,
                time_to_text(row.not_before),
                time_to_text(row.not_after),
                row.source,
                row.replaces,
                time_to_text(row.issued_at),
                None if revoked_at is None else time_to_text(revoked_at),
                row.revocation_reason,
                row.revoked_revision,
            )
        )

    def crl(self, row: Crl) -> bytes:
        return self._mark(
            (
                self._instance,
                "crl",
                row.authority_id,
                row.number,
                row.covers_revision,
                time_to_text(row.this_update),
                time_to_text(row.next_update),
                hashlib.sha256(row.der).hexdigest(),
            )
        )

    def profile_version(self, row: ProfileVersion) -> bytes:
        return self._mark(
            (
                self._instance,
                "profile-version",
                row.profile_id,
                row.number,
                row.toml,
                time_to_text(row.created_at),
                row.created_by,
            )
        )

    def api_token(self, row: ApiToken, credential: str) -> bytes:
        """`credential` says which password and role its user had: with another one, the token is void."""
        revoked_at = row.revoked_at
        return self._mark(
            (
                self._instance,
                "api-token",
                row.token_hash,
                row.user_id,
                row.name,
                list(row.scopes),
                time_to_text(row.created_at),
                time_to_text(row.expires_at),
                None if revoked_at is None else time_to_text(revoked_at),
                credential,
            )
        )

    def check_api_token(self, row: ApiToken, credential: str) -> None:
        try:
            expected = self.api_token(row, credential)
        except _UNREADABLE:
            expected = None
        _check(row.mark, expected, f"the record of API token {row.name!r}")

    def check_certificate(self, row: Certificate) -> None:
        try:
            expected = self.certificate(row)
        except _UNREADABLE:
            expected = None
        _check(row.mark, expected, f"the record of certificate {serial_to_text(row.serial)}")

    def check_crl(self, row: Crl) -> None:
        try:
            expected = self.crl(row)
        except _UNREADABLE:
            expected = None
        _check(row.mark, expected, f"the record of CRL {row.number} of authority {row.authority_id}")

    def check_profile_version(self, row: ProfileVersion) -> None:
        try:
            expected = self.profile_version(row)
        except _UNREADABLE:
            expected = None
        _check(row.mark, expected, f"the record of version {row.number} of profile {row.profile_id}")

    def _mark(self, values: Sequence[object]) -> bytes:
        inner = self._inner.copy()
        inner.update(_encode_json(values).encode())
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()


# SQLite keeps any value in any column: a time edited by hand may be no time.
_UNREADABLE: Final = (AttributeError, TypeError, ValueError)


def _check(mark: object, expected: bytes | None, what: str) -> None:
    if mark is None:
        raise InvalidMark(f"{what} has no mark: the server did not write it")
    if expected is None or not isinstance(mark, bytes) or not hmac.compare_digest(mark, expected):
        raise InvalidMark(f"{what} was altered: its mark does not hold")


def _padded(key: bytes) -> bytes:
    """RFC 2104 section 2: a key longer than a block is hashed, a shorter one filled up with zeros."""
    short = hashlib.sha256(key).digest() if len(key) > _BLOCK_OCTETS else key
    return short.ljust(_BLOCK_OCTETS, b"\x00")
