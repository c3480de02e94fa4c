"""A certificate's life as a bar with today on it, in numbers that an SVG takes: no style attribute is allowed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

_WIDTH: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifebar:
    """`used` and `today` are in thousandths of its length; `text` says it for those who listen."""

    used: int
    today: int
    tone: str
    text: str

    @classmethod
    def of(cls, not_before: datetime, not_after: datetime, now: datetime) -> Lifebar:
        length = max((not_after - not_before).total_seconds(), 1.0)
        spent = (now - not_before).total_seconds() / length
        used = min(max(round(spent * _WIDTH), 0), _WIDTH)
        days = (not_after - now).days
        if now >= not_after:
            return cls(used=_WIDTH, today=_WIDTH, tone="over", text="expired")
        tone = "late" if spent > 0.8 else "early"
        left = f"{days:,} days" if days >= 2 else f"{int((not_after - now).total_seconds() // 3600)} hours"
        return cls(
            used=used,
            today=used,
            tone=tone,
            text=f"{left} left, {min(max(round(spent * 100), 0), 100)} % used",
        )
