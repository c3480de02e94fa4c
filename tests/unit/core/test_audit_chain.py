"""The chain of audit events: what a hash covers, and which numbers a failed commit leaves."""

from __future__ import annotations

import hmac
from hashlib import sha256

import pytest

from certuary.core.audit_chain import (
    EMPTY,
    Chain,
    ChainLink,
    EventHasher,
    EventTexts,
    Head,
    new_stream,
    stream_key,
)

KEY = stream_key(b"secret" * 8, "a")
TEXTS = EventTexts(
    "2026-11-23 12:00:00.25", "enrolment.issued", "application", "line-1", "01", "r", "::1", "{}"
)
PREVIOUS = b"p" * 32


def test_a_hash_is_an_hmac_over_the_hash_before_and_each_text_behind_its_length() -> None:
    message = PREVIOUS + (
        b"1:a7,22:2026-11-23 12:00:00.2516:enrolment.issued11:application6:line-12:011:r3:::12:{}"
    )
    assert EventHasher("a", KEY).hash(7, PREVIOUS, TEXTS) == hmac.digest(KEY, message, sha256)


@pytest.mark.parametrize("name", EventTexts._fields)
def test_a_hash_covers_every_text(name: str) -> None:
    hasher = EventHasher("a", KEY)
    changed = TEXTS._replace(**{name: "other"})
    assert hasher.hash(1, PREVIOUS, changed) != hasher.hash(1, PREVIOUS, TEXTS)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a", KEY, 1, PREVIOUS), ("b", KEY, 1, PREVIOUS)),
        (("a", KEY, 1, PREVIOUS), ("a", b"k" * 32, 1, PREVIOUS)),
        (("a", KEY, 1, PREVIOUS), ("a", KEY, 2, PREVIOUS)),
        (("a", KEY, 1, PREVIOUS), ("a", KEY, 1, b"q" * 32)),
    ],
    ids=["stream", "key", "seq", "previous"],
)
def test_a_hash_covers_its_place(
    one: tuple[str, bytes, int, bytes], other: tuple[str, bytes, int, bytes]
) -> None:
    hashes = [
        EventHasher(stream, key).hash(seq, previous, TEXTS) for stream, key, seq, previous in (one, other)
    ]
    assert hashes[0] != hashes[1]


def test_text_cannot_move_from_one_column_to_the_next() -> None:
    hasher = EventHasher("a", KEY)
    moved = TEXTS._replace(actor="line-", target="101")
    assert hasher.hash(1, PREVIOUS, moved) != hasher.hash(1, PREVIOUS, TEXTS)


def test_the_first_event_has_the_number_one_and_each_follows_the_one_before() -> None:
    first, second = Chain("a", KEY).links([TEXTS, TEXTS])
    assert (first.stream, first.seq, first.previous) == ("a", 1, bytes(32))
    assert (second.seq, second.previous) == (2, first.hash)


def test_numbers_are_used_up_by_a_commit_alone() -> None:
    chain = Chain("a", KEY)
    failed = chain.links([TEXTS, TEXTS])
    assert chain.links([TEXTS, TEXTS]) == failed
    chain.advance(failed[-1])
    assert chain.links([TEXTS])[0].seq == 3


def test_a_fork_leaves_the_chain_where_it_is() -> None:
    chain = Chain("a", KEY)
    ahead = chain.fork()
    ahead.advance(ahead.links([TEXTS])[0])
    assert (chain.head, ahead.head.seq) == (EMPTY, 1)


@pytest.mark.parametrize(
    ("stored", "moved", "seq"),
    [(None, False, 5), (Head(4, b"x"), False, 5), (Head(5, b"x"), False, 5), (Head(7, b"x"), True, 7)],
    ids=["none", "behind", "level", "ahead"],
)
def test_only_a_database_that_is_ahead_is_followed(stored: Head | None, moved: bool, seq: int) -> None:
    chain = Chain("a", KEY)
    chain.advance(ChainLink("a", 5, b"", b"h"))
    assert chain.find_head(stored) is moved
    assert chain.head.seq == seq


def test_every_stream_has_a_key_of_its_own() -> None:
    assert new_stream() != new_stream()
    assert len({stream_key(b"s" * 32, stream) for stream in ("a", "b", "commands")}) == 3
