from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from certuary.core.manifest import (
    RECORDS_PER_PART,
    Entry,
    Head,
    PartName,
    body_digest,
    part_body,
    part_of,
    read_head,
    read_part,
    sign_head,
)
from certuary.errors import InvalidSeal

NOW = datetime(2026, 11, 23, 12, 0, 0, 250_000, tzinfo=UTC)
ENTRIES = {7: Entry(3, "ab" * 32, "plant"), 9: Entry(1, "cd" * 32, "W\u00e4rme \U0001f600")}


@cache
def manifest_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def head(**changes: Any) -> Head:
    values: dict[str, Any] = {
        "instance": "i-1",
        "sequence": 5,
        "at": NOW,
        "parts": {PartName("application", 0): "ab" * 32, PartName("user", 12): "cd" * 32},
        "compromised": {"ef" * 32: NOW - timedelta(days=1)},
        "accepted": {"by": "admin", "at": "2026-11-23T12:00:00+00:00", "instead_of": 9},
    }
    return Head(**values | changes)


def read(body: str, signature: bytes | None = None, instance: str = "i-1") -> Head:
    signature = sign_head(body, manifest_key()) if signature is None else signature
    return read_head(body, signature, manifest_key().public_key(), instance)


def test_a_head_reads_back_as_it_was_signed() -> None:
    assert read(head().to_body()) == head()
    plain = Head(instance="i-1", sequence=0, at=NOW, parts={})
    assert read(plain.to_body()) == plain


def test_a_part_reads_back_as_it_was_written() -> None:
    assert read_part(part_body(PartName("application", 0), ENTRIES)) == ENTRIES
    assert read_part(part_body(PartName("application", 0), {})) == {}


def test_the_order_in_which_records_were_changed_leaves_no_trace() -> None:
    name = PartName("application", 0)
    assert part_body(name, ENTRIES) == part_body(name, dict(reversed(ENTRIES.items())))


@pytest.mark.parametrize(
    ("record_id", "number"), [(1, 0), (RECORDS_PER_PART - 1, 0), (RECORDS_PER_PART, 1), (1000, 3)]
)
def test_a_part_holds_the_records_whose_numbers_begin_alike(record_id: int, number: int) -> None:
    assert part_of("application", record_id) == PartName("application", number)


@pytest.mark.parametrize(
    "changes",
    [
        {"sequence": 6},
        {"parts": {}},
        {"compromised": {}},
        {"accepted": {}},
        {"at": NOW + timedelta(microseconds=1)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_an_altered_head_is_refused(changes: dict[str, Any]) -> None:
    signature = sign_head(head().to_body(), manifest_key())
    with pytest.raises(InvalidSeal, match="not signed by this installation") as refused:
        read(head(**changes).to_body(), signature)
    assert refused.value.rule == "manifest"


@pytest.mark.parametrize("body", ["", "{}", "\ud800", '{"instance":"i-1"}'])
def test_what_nobody_signed_is_not_parsed(body: str) -> None:
    with pytest.raises(InvalidSeal):
        read(body, sign_head(head().to_body(), manifest_key()))
    with pytest.raises(InvalidSeal):
        read(body, b"")


def test_the_key_of_another_installation_is_refused() -> None:
    body = head().to_body()
    with pytest.raises(InvalidSeal, match="not signed by this installation"):
        read(body, sign_head(body, ec.generate_private_key(ec.SECP256R1())))


def test_the_manifest_of_another_installation_is_refused_whatever_signed_it() -> None:
    with pytest.raises(InvalidSeal, match="that of another installation"):
        read(head().to_body(), instance="i-2")


def test_a_digest_is_of_any_text_that_a_database_may_hold() -> None:
    assert body_digest("a") != body_digest("\ud800")
