"""Checkpoints: signed, read back, and refused when anything about them was changed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from certuary.core.audit_chain import Head
from certuary.core.checkpoint import Checkpoint, open_checkpoint, read_body, read_line, sign_checkpoint
from certuary.errors import AuditBroken

KEY = ec.generate_private_key(ec.SECP256R1())
CHECKPOINT = Checkpoint(
    instance="8a4f",
    number=3,
    at=datetime(2026, 11, 23, 12, tzinfo=UTC),
    streams={"b": Head(2, b"\x02" * 32), "a": Head(1, b"\x01" * 32)},
    previous="ab",
)
SIGNED = sign_checkpoint(CHECKPOINT, KEY)


def test_a_checkpoint_is_opened_as_it_was_signed_also_from_its_line() -> None:
    assert open_checkpoint(SIGNED, KEY.public_key()) == CHECKPOINT
    assert read_line(SIGNED.to_line()) == SIGNED


def test_the_body_is_canonical() -> None:
    one, other = "01" * 32, "02" * 32
    assert SIGNED.body == (
        '{"at":"2026-11-23 12:00:00","instance":"8a4f","number":3,"previous":"ab",'
        f'"streams":{{"a":[1,"{one}"],"b":[2,"{other}"]}}}}'
    )


def test_a_checkpoint_of_another_key_is_refused() -> None:
    with pytest.raises(AuditBroken):
        open_checkpoint(SIGNED, ec.generate_private_key(ec.SECP256R1()).public_key())


@pytest.mark.parametrize(
    "changes",
    [
        {"body": SIGNED.body.replace("[1,", "[9,")},
        {"body": "\ud800"},
        {"signature": b"x"},
        {"number": 4},
        {"at": datetime(2026, 11, 24, tzinfo=UTC)},
    ],
    ids=["body", "surrogate", "signature", "number", "at"],
)
def test_a_changed_checkpoint_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(AuditBroken):
        open_checkpoint(replace(SIGNED, **changes), KEY.public_key())  # type: ignore[arg-type]  # a table


@pytest.mark.parametrize(
    "line",
    ["", "7", "{}", '{"body": "{}", "signature": "x"}', "[" * 100_000, '{"body": "{}", "signature": ""}'],
)
def test_a_line_that_is_no_checkpoint_is_refused(line: str) -> None:
    with pytest.raises(AuditBroken):
        read_line(line)


@pytest.mark.parametrize("changes", [{"streams": []}, {"streams": {"a": 7}}, {"number": 1e400}, {"at": 7}])
def test_a_body_of_another_shape_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(AuditBroken):
        read_body(json.dumps(json.loads(SIGNED.body) | changes))
