"""What people type into commands: names, passwords, moments and spans of time. `InvalidValue` says what is wrong."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from certuary.errors import InvalidValue

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@+-]{0,63}")
_SPAN: Final = re.compile(r"([0-9]{1,6})([smhdwy])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}
_LONGEST_SPAN: Final = timedelta(days=365 * 100)
_SHORTEST_PASSWORD: Final = 8
_LONGEST_PASSWORD: Final = 256
_LONGEST_USERNAME: Final = 128


def checked_name(text: str, what: str) -> str:
    if not _NAME.fullmatch(text) or text != text.strip():
        raise InvalidValue(
            f"{text!r} cannot name {what}: up to 64 letters, digits, spaces and . _ @ + -, "
            "beginning with a letter or digit",
            rule="name",
        )
    return text


def checked_username(text: str) -> str:
    """RFC 7617 section 2: a user-id holds no colon; neither part holds a control character."""
    if (
        not 0 < len(text) <= _LONGEST_USERNAME
        or ":" in text
        or not text.isprintable()
        or text != text.strip()
    ):
        raise InvalidValue(
            f"{text!r} cannot be a username: up to {_LONGEST_USERNAME} printable characters, no colon",
            rule="username",
        )
    return text


def checked_password(text: str) -> str:
    if not text.isprintable() or not _SHORTEST_PASSWORD <= len(text) <= _LONGEST_PASSWORD:
        raise InvalidValue(
            f"a password is {_SHORTEST_PASSWORD} to {_LONGEST_PASSWORD} printable characters", rule="password"
        )
    return text


def parse_span(text: str) -> timedelta:
    """Read "30d", "12h", "1y": seconds, minutes, hours, days, weeks or years of 365 days."""
    match = _SPAN.fullmatch(text.strip())
    span = timedelta(seconds=int(match[1]) * _SECONDS[match[2]]) if match else timedelta(0)
    if not timedelta(0) < span <= _LONGEST_SPAN:
        raise InvalidValue(f"{text!r} is not a span of time such as 30d, 12h or 1y", rule="time-span")
    return span


def parse_moment(text: str, now: datetime) -> datetime:
    """Read a date, a time with its zone (UTC when it has none), or a span from now."""
    if _SPAN.fullmatch(text.strip()):
        return now + parse_span(text)
    try:
        moment = datetime.fromisoformat(text.strip())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidValue(
            f"{text!r} is not a moment such as 2027-01-31, 2027-01-31T12:00:00Z or 90d", rule="moment"
        ) from None
