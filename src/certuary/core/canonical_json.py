"""Canonical JSON, RFC 8785: one text for one value, so that it can be signed."""

from __future__ import annotations

from typing import Any, cast

import rfc8785

from certuary.errors import InvalidValue


def canonical_json(value: object) -> bytes:
    """`InvalidValue` for what has no canonical form: other types, whole numbers beyond 53 bits, lone surrogates."""
    try:
        return rfc8785.dumps(cast(Any, value))
    except (rfc8785.CanonicalizationError, UnicodeError, RecursionError):
        raise InvalidValue("a value cannot be written as canonical JSON", rule="canonical-json") from None
