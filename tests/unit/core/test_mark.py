"""Marks: every covered column counts, and no two rows have one mark."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from certuary.core.mark import Marker
from certuary.core.values import serial_to_text
from certuary.errors import InvalidMark
from certuary.services.ports import CertificateRow, CrlRow, ProfileVersionRow

NOW = datetime(2026, 11, 23, 12, 0, 0, 250_000, tzinfo=UTC)
KEY = b"k" * 32
INSTANCE = "8a4f2b0e-0000-4000-8000-000000000001"
MARKER = Marker(KEY, INSTANCE)

CERTIFICATE = CertificateRow(
    authority_id=2,
    serial=0xABC,
    profile_version_id=3,
    application_id=4,
    subject="CN=dev-1",
    subject_key="cn=dev-1",
    alternative_names="[]",
    key_hash="ab" * 32,
    not_before=NOW,
    not_after=NOW + timedelta(days=90),
    der=b"0",
    source="est",
    replaces=None,
    issued_at=NOW,
    marker=MARKER,
)
CRL = CrlRow(
    authority_id=2,
    number=7,
    covers_revision=9,
    this_update=NOW,
    next_update=NOW + timedelta(hours=1),
    der=b"0",
    marker=MARKER,
)
VERSION = ProfileVersionRow(
    profile_id=1, number=2, toml="a = 1", created_at=NOW, created_by="eva", marker=MARKER
)

CERTIFICATE_CHANGES: dict[str, Any] = {
    "authority_id": 3,
    "serial": 0xABD,
    "profile_version_id": None,
    "application_id": 5,
    "subject_key": "cn=dev-2",
    "alternative_names": '["DNS:x"]',
    "key_hash": "cd" * 32,
    "not_before": NOW - timedelta(microseconds=1),
    "not_after": NOW,
    "source": "tls",
    "replaces": "0abc",
    "issued_at": NOW + timedelta(seconds=1),
    "revoked_at": NOW,
    "revocation_reason": "superseded",
    "revoked_revision": 1,
}
CRL_CHANGES: dict[str, Any] = {
    "authority_id": 3,
    "number": 8,
    "covers_revision": 10,
    "this_update": NOW - timedelta(seconds=1),
    "next_update": NOW,
    "der": b"1",
}
VERSION_CHANGES: dict[str, Any] = {
    "profile_id": 2,
    "number": 3,
    "toml": "a = 2",
    "created_at": NOW + timedelta(seconds=1),
    "created_by": "bob",
}


def test_what_the_server_wrote_holds_its_mark() -> None:
    MARKER.check_certificate(CERTIFICATE)
    MARKER.check_crl(CRL)
    MARKER.check_profile_version(VERSION)


@pytest.mark.parametrize("column", CERTIFICATE_CHANGES)
def test_a_certificate_with_another_value_in_a_covered_column_is_refused(column: str) -> None:
    altered = replace(CERTIFICATE, **{column: CERTIFICATE_CHANGES[column]})
    with pytest.raises(InvalidMark, match=serial_to_text(altered.serial)):
        MARKER.check_certificate(altered)


def test_every_column_of_a_certificate_is_covered_but_those_that_say_nothing_by_themselves() -> None:
    """`der` is signed by its authority and compared where it is believed; `subject` is for people to read."""
    columns = set(CertificateRow.__slots__)
    assert columns - CERTIFICATE_CHANGES.keys() == {"subject", "der", "mark", "id"}
    MARKER.check_certificate(replace(CERTIFICATE, subject="x", der=b"x", id=5))


@pytest.mark.parametrize("column", CRL_CHANGES)
def test_a_crl_with_another_value_in_any_column_is_refused(column: str) -> None:
    with pytest.raises(InvalidMark, match="CRL"):
        MARKER.check_crl(replace(CRL, **{column: CRL_CHANGES[column]}))
    assert CRL_CHANGES.keys() | {"mark"} == set(CrlRow.__slots__)


@pytest.mark.parametrize("column", VERSION_CHANGES)
def test_a_profile_version_with_another_value_in_any_column_is_refused(column: str) -> None:
    with pytest.raises(InvalidMark, match="of profile"):
        MARKER.check_profile_version(replace(VERSION, **{column: VERSION_CHANGES[column]}))
    assert VERSION_CHANGES.keys() | {"mark"} == set(ProfileVersionRow.__slots__)


@pytest.mark.parametrize(
    "changes",
    [
        {"subject_key": 'cn=a","b', "alternative_names": "c"},
        {"subject_key": "cn=a", "alternative_names": 'b","c'},
        {"subject_key": "cn=a", "alternative_names": "b"},
        {"subject_key": 'cn=a\\","b', "alternative_names": "c"},
        {"replaces": None, "revocation_reason": "null"},
        {"replaces": "null", "revocation_reason": None},
        {"replaces": None, "revocation_reason": None},
        {"profile_version_id": 1, "application_id": 23},
        {"profile_version_id": 12, "application_id": 3},
        {"revocation_reason": "1", "revoked_revision": None},
        {"revocation_reason": None, "revoked_revision": 1},
    ],
    ids=repr,
)
def test_neighbouring_columns_cannot_be_taken_for_one_another(changes: dict[str, Any]) -> None:
    row = replace(CERTIFICATE, **changes)
    text = json.dumps([getattr(row, column) for column in CERTIFICATE_CHANGES], default=str)
    known = SEEN.setdefault(MARKER.certificate(row), text)
    assert known == text


SEEN: dict[bytes, str] = {}


def test_a_mark_is_the_hmac_of_a_list_that_begins_with_installation_and_kind() -> None:
    values = [
        INSTANCE, "certificate", 2, 0xABC, 3, 4, "cn=dev-1", "[]", "ab" * 32, "2026-11-23 12:00:00.250000",
        "2027-02-21 12:00:00.250000", "est", None, "2026-11-23 12:00:00.250000", None, None, None,
    ]  # fmt: skip
    text = json.dumps(values, separators=(",", ":")).encode()
    assert CERTIFICATE.mark == hmac.digest(KEY, text, hashlib.sha256)


@pytest.mark.parametrize("length", [0, 32, 64, 65, 200])
def test_a_key_of_any_length_is_used_as_hmac_does(length: int) -> None:
    key = b"\x00\xff" * (length // 2) + b"x" * (length % 2)
    text = json.dumps([INSTANCE, "profile-version", 1, 2, "a = 1", "2026-11-23 12:00:00.250000", "eva"],
                      separators=(",", ":")).encode()  # fmt: skip
    assert Marker(key, INSTANCE).profile_version(VERSION) == hmac.digest(key, text, hashlib.sha256)


@pytest.mark.parametrize(
    "other", [Marker(b"o" * 32, INSTANCE), Marker(KEY, "another installation")], ids=["key", "instance"]
)
def test_a_mark_of_another_key_or_installation_is_none(other: Marker) -> None:
    with pytest.raises(InvalidMark, match="altered"):
        other.check_certificate(CERTIFICATE)


def test_a_row_without_a_mark_is_told_from_one_that_was_altered() -> None:
    with pytest.raises(InvalidMark, match="has no mark"):
        MARKER.check_certificate(replace(CERTIFICATE, mark=None))


def test_a_time_counts_as_a_moment_and_not_by_its_zone() -> None:
    berlin = timezone(timedelta(hours=1))
    MARKER.check_certificate(replace(CERTIFICATE, issued_at=NOW.astimezone(berlin)))


@pytest.mark.parametrize("garbage", [None, "no time", 7, b"\xff"])
def test_a_value_of_another_type_is_an_altered_row_and_no_other_error(garbage: Any) -> None:
    with pytest.raises(InvalidMark):
        MARKER.check_certificate(replace(CERTIFICATE, not_after=garbage))
    with pytest.raises(InvalidMark):
        MARKER.check_certificate(replace(CERTIFICATE, mark=garbage))
    with pytest.raises(InvalidMark):
        MARKER.check_crl(replace(CRL, this_update=garbage))
    with pytest.raises(InvalidMark):
        MARKER.check_profile_version(replace(VERSION, created_at=garbage))


def test_a_value_that_json_has_no_form_for_is_an_altered_row() -> None:
    with pytest.raises(InvalidMark):
        MARKER.check_certificate(replace(CERTIFICATE, subject_key=b"octets"))  # type: ignore[arg-type]


def test_a_marker_does_not_show_its_key() -> None:
    assert repr(MARKER) == f"Marker({INSTANCE!r})"


def test_an_api_token_with_a_value_of_another_type_is_an_altered_row_and_no_other_error() -> None:
    marker = Marker(b"k" * 32, "instance")
    row = SimpleNamespace(
        token_hash="hash",
        user_id=1,
        name="ci",
        scopes=["audit:read"],
        created_at=datetime(2026, 11, 25, tzinfo=UTC),
        expires_at=datetime(2027, 11, 25, tzinfo=UTC),
        revoked_at=None,
        mark=None,
    )
    row.mark = marker.api_token(row, "credential")
    marker.check_api_token(row, "credential")
    with pytest.raises(InvalidMark):
        marker.check_api_token(row, "another password")
    row.created_at = "garbage"
    with pytest.raises(InvalidMark):
        marker.check_api_token(row, "credential")
