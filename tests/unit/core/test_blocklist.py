from __future__ import annotations

import hashlib

import pytest

from certuary.core.blocklist import (
    EMPTY,
    PLAIN_LIST,
    Blocklist,
    is_text,
    merge_records,
    read_hash_lines,
    read_records,
)
from certuary.errors import InvalidValue


def digest(number: int) -> bytes:
    return hashlib.sha256(number.to_bytes(4, "big")).digest()


def record(number: int, source: int = 1) -> bytes:
    return digest(number)[:15] + bytes((source,))


RECORDS = sorted(record(number) for number in range(1000))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 1000])
def test_a_blocklist_contains_what_is_in_it_and_nothing_else(count: int) -> None:
    blocklist = Blocklist(b"".join(RECORDS[:count]))
    assert len(blocklist) == count
    assert all(blocklist.contains(each[:15]) for each in RECORDS[:count])
    assert not any(blocklist.contains(each) for each in RECORDS[count:])
    assert not any(blocklist.contains(digest(number)) for number in range(1000, 2000))


def test_a_blocklist_compares_fifteen_octets() -> None:
    blocklist = Blocklist(record(7))
    assert blocklist.contains(digest(7))
    assert blocklist.contains(digest(7)[:15] + bytes(17))
    assert not blocklist.contains(digest(7)[:14] + bytes((digest(7)[14] ^ 1,)))


def test_an_empty_blocklist_contains_nothing() -> None:
    assert len(EMPTY) == 0
    assert not EMPTY.contains(digest(1))
    assert not EMPTY.contains(bytes(32))


@pytest.mark.parametrize("octets", [1, 15, 17])
def test_a_buffer_that_is_cut_off_is_refused(octets: int) -> None:
    with pytest.raises(InvalidValue):
        Blocklist(bytes(octets))
    with pytest.raises(InvalidValue):
        list(read_records(bytes(octets)))


@pytest.mark.parametrize(
    ("beginning", "expected"),
    [(b"# a list\r\n\tabc", True), (b"", True), (b"\x00abc", False), (b"abc\x80", False), (b"\x7f", False)],
)
def test_is_text_tells_a_plain_list_from_a_binary_one(beginning: bytes, expected: bool) -> None:
    assert is_text(beginning) is expected


def test_read_hash_lines_reads_hex_in_any_case_and_skips_comments() -> None:
    lines = [
        b"# weak keys\n",
        b"\n",
        digest(1).hex().encode() + b"\n",
        digest(2).hex().upper().encode() + b"\r\n",
        b"  sha256:" + digest(3).hex().encode() + b"  # a router\n",
        digest(4).hex().encode() + b", firmware 1.2\n",
    ]
    assert list(read_hash_lines(lines)) == [record(number, PLAIN_LIST) for number in (1, 2, 3, 4)]


@pytest.mark.parametrize(
    "line", [b"hello", b"ab" * 31, b"ab" * 33, b"zz" * 32, b"\xff" * 64, b"ab" * 20, b"name " + b"ab" * 32]
)
def test_read_hash_lines_names_the_line_it_refuses(line: bytes) -> None:
    with pytest.raises(InvalidValue, match="line 2") as caught:
        list(read_hash_lines([b"# first\n", line]))
    assert caught.value.rule == "blocklist"


def test_read_records_refuses_records_that_are_not_sorted() -> None:
    assert list(read_records(b"".join(RECORDS))) == RECORDS
    with pytest.raises(InvalidValue, match="sorted"):
        list(read_records(b"".join(RECORDS[::-1])))


def test_merge_records_is_sorted_and_holds_each_hash_once() -> None:
    first = sorted(record(number, 1) for number in (1, 2, 3))
    second = sorted(record(number, 2) for number in (2, 3, 4))
    merged = list(merge_records(first, second))
    assert merged == sorted(merged)
    assert sorted(each[:15] for each in merged) == sorted(digest(number)[:15] for number in (1, 2, 3, 4))
