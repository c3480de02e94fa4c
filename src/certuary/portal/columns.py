"""Columns as pages read them: one that somebody edited by SQL may hold anything, and its page stays all the same."""

from __future__ import annotations

from collections.abc import Sequence


def texts(value: object) -> list[str]:
    return [str(each) for each in _listed(value)]


def numbers(value: object) -> tuple[int, ...]:
    return tuple(each for each in _listed(value) if isinstance(each, int))


def _listed(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else ()
