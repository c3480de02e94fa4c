"""Which columns of a list somebody wants: chosen by `?columns=`, and remembered by a cookie of the list's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.utils.text import slugify

PARAMETER: Final = "columns"
_A_YEAR: Final = 365 * 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnChoice:
    """One box of the form."""

    name: str
    title: str
    is_shown: bool


def chosen(request: HttpRequest, caption: str, names: Sequence[str], usual: Sequence[str]) -> tuple[str, ...]:
    """In the list's order. The first column, which names the record, is always among them."""
    wanted = set(request.GET.getlist(PARAMETER) or request.COOKIES.get(_cookie(caption), "").split("."))
    known = wanted.intersection(names)
    return tuple(name for name in names if name == names[0] or name in (known or usual))


def remember(request: HttpRequest, response: HttpResponse, caption: str, names: Sequence[str]) -> None:
    """Only what was asked for just now."""
    if PARAMETER not in request.GET:
        return
    response.set_cookie(
        _cookie(caption), ".".join(names), max_age=_A_YEAR, secure=True, httponly=True, samesite="Strict"
    )


def _cookie(caption: str) -> str:
    return f"__Host-columns-{slugify(caption)}"
