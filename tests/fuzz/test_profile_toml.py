"""Any text is a profile or a `BadRequest`; no other error, and never for long."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certuary.core.profile import Profile, check_profile, parse_profile
from certuary.core.profile_config import KEYS
from certuary.errors import BadRequest
from tests.unit.core.issuing import SHIPPED

_values = st.sampled_from(
    ["true", "1", "-1", "1e400", '""', '"90d"', '"\\u0000"', "[]", '["CN"]', "[1]", "{}", '{ O = "A" }', "[[]]",
     '"ec-p256"', '["ec-p256"]', '["1.2.3"]', '["2.99999999999999999999"]', "1979-05-27", "nan", '"ß"']
)  # fmt: skip
_paths = st.sampled_from([f"{table}.{key}".lstrip(".") for table, keys in KEYS.items() for key in keys])
_lines = st.builds("{} = {}".format, _paths, _values)


def parses_or_is_refused(text: str) -> None:
    try:
        profile = check_profile(parse_profile(text))
    except BadRequest:
        return
    assert isinstance(profile, Profile)


@given(st.text(max_size=300))
def test_any_text_is_a_profile_or_a_bad_request(text: str) -> None:
    parses_or_is_refused(text)


@given(st.lists(_lines, max_size=20, unique_by=lambda line: line.partition("=")[0]))
def test_any_values_in_known_keys_are_a_profile_or_a_bad_request(lines: list[str]) -> None:
    parses_or_is_refused("\n".join(lines))


@given(st.sampled_from(sorted(SHIPPED)), st.integers(0, 1500), st.integers(0, 20), st.text(max_size=8))
def test_a_damaged_shipped_profile_is_a_profile_or_a_bad_request(
    name: str, start: int, length: int, put: str
) -> None:
    text = SHIPPED[name]
    parses_or_is_refused(text[:start] + put + text[start + length :])


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 1_900,
        "a = [" + "[\n" * 9_000,
        "a = " + "{a=" * 600,
        "\n".join(f"a{number}." + "a." * 990 + "a = 1" for number in range(16)),
        "a." * 30_000 + "a = 1",
        "a = " + "9" * 1_900,
        "a = 1" + "\n" * 40_000,
        "\ud800",
        "a = 2024-99-99",
        "[" * 1_900,
    ],
)
def test_a_hostile_text_is_a_bad_request_within_a_second(text: str) -> None:
    started = time.process_time()
    with pytest.raises(BadRequest):
        parse_profile(text)
    assert time.process_time() - started < 1
