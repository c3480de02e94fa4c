"""Marks: an HMAC under a key-store key, over what the server writes into a row and later believes.

Whoever can write to the database but has no key cannot make one, so an altered row is found out. A mark names the
installation and the kind of row: it holds in no other database and for no other table.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from certuary.core.keyed_hash import KeyedHash
from certuary.core.values import serial_to_text, time_to_text
from certuary.errors import InvalidMark

# A JSON list: no two rows have one text, as every value keeps its type and its bounds. One encoder for all calls.
_encode_json = json.JSONEncoder(separators=(",", ":")).encode


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
        self._hash_of = KeyedHash(key).of
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
        what = f"the record of API token {row.name!r}"
        _check(row.mark, lambda: self.api_token(row, credential), what)

    def check_certificate(self, row: Certificate) -> None:
        what = f"the record of certificate {serial_to_text(row.serial)}"
        _check(row.mark, lambda: self.certificate(row), what)

    def check_crl(self, row: Crl) -> None:
        what = f"the record of CRL {row.number} of authority {row.authority_id}"
        _check(row.mark, lambda: self.crl(row), what)

    def check_profile_version(self, row: ProfileVersion) -> None:
        what = f"the record of version {row.number} of profile {row.profile_id}"
        _check(row.mark, lambda: self.profile_version(row), what)

    def _mark(self, values: Sequence[object]) -> bytes:
        return self._hash_of(_encode_json(values).encode())


def _check(mark: object, make: Callable[[], bytes], what: str) -> None:
    if mark is None:
        raise InvalidMark(f"{what} has no mark: the server did not write it")
    try:
        expected = make()
    except (AttributeError, TypeError, ValueError):
        expected = None  # SQLite keeps any value in any column: a time edited by hand may be no time
    if expected is None or not isinstance(mark, bytes) or not hmac.compare_digest(mark, expected):
        raise InvalidMark(f"{what} was altered: its mark does not hold")
