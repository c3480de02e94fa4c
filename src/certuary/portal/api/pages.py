"""Pages by cursor: an opaque text that says after which key to go on, never how many to skip."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from ninja import Query, Schema
from pydantic import Field

from certuary.errors import InvalidValue

MOST: Final = 500


class PageQuery(Schema):
    cursor: str | None = Field(None, max_length=500, description="`next_cursor` of the page before")
    limit: int = Field(100, ge=1, le=MOST, description="how many at most")


Paging = Annotated[PageQuery, Query()]


def encode_cursor(key: str | int) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def text_cursor(cursor: str | None) -> str:
    key = _decode(cursor) if cursor else ""
    if not isinstance(key, str):
        raise _wrong()
    return key


def number_cursor(cursor: str | None) -> int | None:
    key = _decode(cursor) if cursor else None
    if key is not None and (not isinstance(key, int) or isinstance(key, bool) or not 0 <= key < 2**63):
        raise _wrong()
    return key


def page(items: Sequence[Mapping[str, Any]], next_key: str | int | None) -> dict[str, Any]:
    cursor = None if next_key is None else encode_cursor(next_key)
    return {"items": list(items), "next_cursor": cursor}


def _decode(cursor: str) -> object:
    try:
        return json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        raise _wrong() from None


def _wrong() -> InvalidValue:
    return InvalidValue("this cursor is of no page; begin again without one", rule="cursor")
