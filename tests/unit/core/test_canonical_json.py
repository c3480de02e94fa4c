from __future__ import annotations

import random
from typing import Any

import pytest
import rfc8785

from certuary.core.canonical_json import canonical_json
from certuary.errors import InvalidValue


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [True, None, "x"]}, '{"a":[true,null,"x"],"b":1}'),
        ('\u20ac$\x0f\nA\'B"\\"/\x7f', '"\u20ac$\\u000f\\nA\'B\\"\\\\\\"/\x7f"'),  # RFC 8785 section 3.2.2
        (
            [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
            "[333333333.3333333,1e+30,4.5,0.002,1e-27]",
        ),
        # Names sort as UTF-16 does: RFC 8785 section 3.2.3.
        ({"\u20ac": 1, "\ufb33": 2, "\U0001f600": 3}, '{"\u20ac":1,"\U0001f600":3,"\ufb33":2}'),
        (-(2**53) + 1, "-9007199254740991"),
        ({}, "{}"),
        ([], "[]"),
    ],
)
def test_a_value_has_one_text(value: object, text: str) -> None:
    assert canonical_json(value) == text.encode()


@pytest.mark.parametrize(
    "value",
    [2**53, -(2**53), float("nan"), float("inf"), "\ud800", {"\ud800": 1}, {1: 2}, b"x", {"a": object()}],
)
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(InvalidValue) as refused:
        canonical_json(value)
    assert refused.value.rule == "canonical-json"


def test_what_is_nested_too_deeply_is_refused() -> None:
    value: list[object] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(InvalidValue):
        canonical_json(value)


def test_the_quick_way_and_the_reference_write_the_same() -> None:
    made = random.Random(8785)
    for _ in range(3000):
        value = _made_up(made, depth=4)
        assert canonical_json(value) == rfc8785.dumps(value), repr(value)


def _made_up(made: random.Random, depth: int) -> Any:
    """Every kind of value, and every character that is escaped or sorts oddly among those of its texts."""
    kind = made.randrange(8 if depth else 6)
    if kind == 6:
        return [_made_up(made, depth - 1) for _ in range(made.randrange(5))]
    if kind == 7:
        return {_text(made): _made_up(made, depth - 1) for _ in range(made.randrange(5))}
    simple = (None, made.random() < 0.5, made.randint(-(2**53) + 1, 2**53 - 1), made.uniform(-1e9, 1e9))
    return (*simple, _text(made), (_text(made),))[kind]


def _text(made: random.Random) -> str:
    pools = (range(0x80), range(0x20, 0x7F), range(0x80, 0xD800), range(0xE000, 0x110000))
    pool = made.choice(pools)
    return "".join(chr(made.choice(pool)) for _ in range(made.randrange(12)))
