from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from certuary.core.seal import (
    Seal,
    changed_columns,
    check_countersignature,
    check_signature,
    entry_digest,
    fingerprint,
    sign_statement,
    statement,
)
from certuary.errors import InvalidSeal

NOW = datetime(2026, 11, 23, 12, 0, 0, 250_000, tzinfo=UTC)
COLUMNS: dict[str, object] = {
    "name": "plant",
    "password_hash": "$argon2id$secret",
    "group_id": 1,
    "networks": ["192.0.2.0/24"],
    "enabled": True,
    "expires_at": None,
    "created_at": NOW,
    "certificate_der": b"\x30\x00",
}
# Another value of the same column each.
OTHERS: dict[str, object] = {
    "name": "plant ",
    "password_hash": "$argon2id$other",
    "group_id": 2,
    "networks": [],
    "enabled": False,
    "expires_at": NOW,
    "created_at": datetime(2026, 11, 23, 12, tzinfo=UTC),
    "certificate_der": b"\x30\x01",
}


@cache
def user_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@cache
def server_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def stated(columns: dict[str, object] = COLUMNS, **changes: Any) -> bytes:
    values: dict[str, Any] = {"instance": "i-1", "kind": "application", "record_id": 7, "version": 3}
    return statement(columns=columns, **values | changes)


def sealed(columns: dict[str, object] = COLUMNS) -> Seal:
    return sign_statement(
        stated(columns),
        columns=columns,
        signer="olga",
        role="administrator",
        group_ids=(2, 1),
        certificate=b"certificate",
        key=user_key(),
        countersigning_key=server_key(),
        at=NOW,
    )


def test_a_seal_reads_back_as_it_was_written_and_holds() -> None:
    seal = Seal.from_text(sealed().to_text())
    assert seal.group_ids == (1, 2)
    assert (seal.signer, seal.role, seal.at, seal.certificate) == (
        "olga",
        "administrator",
        NOW,
        b"certificate",
    )
    check_signature(seal, stated(), user_key().public_key())
    check_countersignature(seal, stated(), server_key().public_key())
    assert changed_columns(seal, COLUMNS) == ()


@pytest.mark.parametrize("column", COLUMNS)
def test_an_altered_column_breaks_the_signature_and_is_named(column: str) -> None:
    seal = sealed()
    altered = {**COLUMNS, column: OTHERS[column]}
    with pytest.raises(InvalidSeal, match="not what 'olga' signed"):
        check_signature(seal, stated(altered), user_key().public_key())
    with pytest.raises(InvalidSeal, match="counter-signed"):
        check_countersignature(seal, stated(altered), server_key().public_key())
    assert changed_columns(seal, altered) == (column,)


@pytest.mark.parametrize(
    "changes",
    [{"instance": "i-2"}, {"kind": "user"}, {"record_id": 8}, {"version": 4}],
    ids=lambda changes: next(iter(changes)),
)
def test_a_seal_is_for_one_version_of_one_record_of_one_installation(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidSeal):
        check_signature(sealed(), stated(**changes), user_key().public_key())


@pytest.mark.parametrize(
    "changes",
    [
        {"signer": "mallory"},
        {"role": "ca-administrator"},
        {"group_ids": (1, 2, 3)},
        {"at": datetime(2025, 1, 1, tzinfo=UTC)},
        {"certificate": b"another"},
        {"signature": b"another"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_the_server_attests_who_signed_as_what_and_when(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidSeal, match="counter-signed"):
        check_countersignature(replace(sealed(), **changes), stated(), server_key().public_key())


def test_neither_signature_stands_for_the_other() -> None:
    seal = sealed()
    swapped = replace(seal, signature=seal.countersignature, countersignature=seal.signature)
    for key in (user_key().public_key(), server_key().public_key()):
        with pytest.raises(InvalidSeal):
            check_signature(swapped, stated(), key)
        with pytest.raises(InvalidSeal):
            check_countersignature(swapped, stated(), key)


def test_a_secret_is_stated_by_its_digest_only() -> None:
    assert b"argon2id" not in stated()
    assert b'"password_hash":"sha256:' in stated()
    assert "argon2id" not in sealed().to_text()


def test_a_moment_is_the_same_in_every_time_zone() -> None:
    elsewhere = datetime.fromisoformat("2026-11-23T13:00:00.250000+01:00")
    assert stated({"at": NOW}) == stated({"at": elsewhere})


@pytest.mark.parametrize("value", [2**60, "\ud800", float("nan"), {1: 2}])
def test_a_value_that_cannot_be_signed_is_an_invalid_seal(value: object) -> None:
    with pytest.raises(InvalidSeal, match="cannot be signed"):
        stated({"name": value})


def test_the_manifests_digest_covers_the_content_and_the_very_seal() -> None:
    text = sealed().to_text()
    again = sealed().to_text()
    digests = {
        entry_digest(stated(), text),
        entry_digest(stated(), again),
        entry_digest(stated({**COLUMNS, "enabled": False}), text),
        entry_digest(stated(), "\ud800"),
    }
    assert len(digests) == 4


def test_a_fingerprint_is_the_sha256_of_the_certificate() -> None:
    assert fingerprint(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def altered_text(**changes: object) -> str:
    return json.dumps({**json.loads(sealed().to_text()), **changes})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        '"v"',
        "\ud800",
        "[" * 100_000,
        altered_text(v=2),
        altered_text(v="1"),
        altered_text(signer=7),
        altered_text(role=None),
        altered_text(groups=["1"]),
        altered_text(groups=[True]),
        altered_text(groups=7),
        altered_text(at=7),
        altered_text(at="yesterday"),
        altered_text(at="2026-11-23T12:00:00"),
        altered_text(at="2026-11-23T13:00:00.250000+01:00"),
        altered_text(at="0001-01-01T00:00:00+23:59"),
        altered_text(at="9999-12-31T23:59:59-23:59"),
        altered_text(certificate="*"),
        altered_text(certificate="\u00e4"),
        altered_text(signature=[]),
        altered_text(countersignature=None),
        altered_text(hints=[]),
        altered_text(hints=None),
    ],
)
def test_a_text_that_is_no_seal_is_an_invalid_seal(text: str) -> None:
    with pytest.raises(InvalidSeal):
        Seal.from_text(text)


@pytest.mark.parametrize("changes", [{"groups": [2**60]}, {"signer": "\ud800"}, {"role": "\udfff"}])
def test_a_signer_that_cannot_be_is_an_invalid_seal(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidSeal, match="cannot be"):
        check_countersignature(Seal.from_text(altered_text(**changes)), stated(), server_key().public_key())


def test_a_hint_that_is_no_text_only_names_its_column_as_changed() -> None:
    hints = {**sealed().hints, "name": [7]}
    seal = Seal.from_text(altered_text(hints=hints, certificate=base64.b64encode(b"c").decode()))
    assert changed_columns(seal, COLUMNS) == ("name",)
