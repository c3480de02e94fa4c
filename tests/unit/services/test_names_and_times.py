from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from certuary.errors import InvalidValue
from certuary.services.names_and_times import parse_moment, parse_span

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("30d", timedelta(days=30)),
        (" 12h ", timedelta(hours=12)),
        ("90s", timedelta(seconds=90)),
        ("5m", timedelta(minutes=5)),
        ("2w", timedelta(weeks=2)),
        ("1y", timedelta(days=365)),
    ],
)
def test_a_span_is_a_number_and_a_unit(text: str, span: timedelta) -> None:
    assert parse_span(text) == span


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "0d", "1.5h", "30 d", "101y", "9999999d", "\u0661d"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="not a span"):
        parse_span(text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1d", NOW + timedelta(days=1)),
        ("2027-01-31", datetime(2027, 1, 31, tzinfo=UTC)),
        ("2027-01-31T12:00:00Z", datetime(2027, 1, 31, 12, tzinfo=UTC)),
        ("2027-01-31T12:00:00+02:00", datetime(2027, 1, 31, 10, tzinfo=UTC)),
    ],
)
def test_a_moment_is_a_date_a_time_or_a_span_from_now(text: str, moment: datetime) -> None:
    assert parse_moment(text, NOW) == moment


@pytest.mark.parametrize("text", ["", "tomorrow", "2027-13-01", "31.01.2027", "0001-01-01T00:00:00+14:00"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="not a moment"):
        parse_moment(text, NOW)
