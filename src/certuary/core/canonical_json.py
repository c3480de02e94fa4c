"""Canonical JSON, RFC 8785: one text for one value, so that it can be signed."""

from __future__ import annotations

import json
from typing import Any, Final, cast

import rfc8785

from certuary.errors import InvalidValue

_MOST: Final = 2**53 - 1
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def canonical_json(value: object) -> bytes:
    """`InvalidValue` for what has no canonical form: other types, whole numbers beyond 53 bits, lone surrogates."""
    try:
        # 9 us instead of 25 for an application, and every record that is read is written so once to be verified.
        return _ENCODER.encode(value).encode() if _is_plain(value) else rfc8785.dumps(cast(Any, value))
    except (rfc8785.CanonicalizationError, UnicodeError, RecursionError):
        raise InvalidValue("a value cannot be written as canonical JSON", rule="canonical-json") from None


def _is_plain(value: object) -> bool:
    """Whether the standard encoder's text is the canonical one: it writes fractions otherwise, and sorts names by code
    points, which is the order of UTF-16 where they are ASCII."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is int:
        return -_MOST <= cast(int, value) <= _MOST
    if kind is dict:
        items = cast(dict[object, object], value).items()
        return all(type(name) is str and name.isascii() and _is_plain(each) for name, each in items)
    return (kind is list or kind is tuple) and all(map(_is_plain, cast(list[object], value)))
