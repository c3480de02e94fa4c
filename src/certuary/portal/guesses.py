"""Wrong passwords at Sign and Save: after five in five minutes none is looked at, so that a session found open on a
desk is no place to guess in. Sign-in has limits of its own (`ACCOUNT_RATE_LIMITS`).
"""

from __future__ import annotations

from typing import Final

from django.core.cache import cache

from certuary.errors import RateLimited

MOST: Final = 5
SECONDS: Final = 300


def check_guesses(user_id: int) -> None:
    """`RateLimited` when there were too many."""
    if cache.get(_key(user_id), 0) >= MOST:
        raise RateLimited("too many wrong passwords; wait five minutes", retry_after=SECONDS)


def count_guess(user_id: int) -> None:
    cache.add(_key(user_id), 0, SECONDS)
    cache.incr(_key(user_id))


def forget_guesses(user_id: int) -> None:
    cache.delete(_key(user_id))


def _key(user_id: int) -> str:
    return f"guesses:{user_id}"
