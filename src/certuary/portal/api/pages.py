"""Pages by cursor: an opaque text that says after which key to go on, never how many to skip."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Final, Self, TypeVar

from ninja import Query, Schema
from pydantic import Field, ValidationInfo, model_validator

from certuary.errors import InvalidValue
from certuary.portal.api.schemas import is_storable

T = TypeVar("T")

MOST: Final = 500


class KnownQuery(Schema):
    """A parameter that is not known is refused: a typing error in a filter would find too much."""

    @model_validator(mode="after")
    def _knows_all(self, info: ValidationInfo) -> Self:
        request = (info.context or {}).get("request")
        unknown = set() if request is None else set(request.GET) - set(type(self).model_fields)
        if unknown:
            raise ValueError(f"there is no parameter {sorted(unknown)[0][:64]!r}")
        return self


class PageQuery(KnownQuery):
    cursor: str | None = Field(None, max_length=2000, description="`next_cursor` of the page before")
    limit: int = Field(100, ge=1, le=MOST, description="how many at most")


Paging = Annotated[PageQuery, Query()]


def encode_cursor(key: str | int) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def next_cursor(key: str | int | None) -> str | None:
    return None if key is None else encode_cursor(key)


def text_cursor(cursor: str | None) -> str:
    key = _decode(cursor) if cursor else ""
    if not isinstance(key, str) or not is_storable(key):
        raise wrong_cursor()
    return key


def number_cursor(cursor: str | None) -> int | None:
    key = _decode(cursor) if cursor else None
    if key is not None and (not isinstance(key, int) or isinstance(key, bool) or not 0 <= key < 2**63):
        raise wrong_cursor()
    return key


def cut(found: Sequence[T], limit: int, key: Callable[[T], str | int]) -> tuple[Sequence[T], str | None]:
    """Of one more than asked for: the page, and the cursor when there is another."""
    shown = found[:limit]
    return shown, next_cursor(key(shown[-1])) if len(found) > limit else None


def after(found: Sequence[T], cursor: str | None, limit: int, key: Callable[[T], str]) -> list[T]:
    """Of a kind that stays small, by name: one more than asked for."""
    last = text_cursor(cursor)
    return sorted((one for one in found if key(one) > last), key=key)[: limit + 1]


def _decode(cursor: str) -> object:
    try:
        return json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        raise wrong_cursor() from None


def wrong_cursor() -> InvalidValue:
    return InvalidValue("this cursor is of no page; begin again without one", rule="cursor")
