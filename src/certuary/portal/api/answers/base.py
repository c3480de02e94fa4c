"""What the answers have in common."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Literal

from ninja import Schema
from pydantic import Field, PlainSerializer, WithJsonSchema


def moment_text(at: datetime) -> str:
    """RFC 3339, in UTC, to the microsecond that the database keeps."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


Moment = Annotated[
    datetime,
    PlainSerializer(moment_text, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Day = Annotated[
    date,
    PlainSerializer(date.isoformat, return_type=str),
    WithJsonSchema({"type": "string", "format": "date"}),
]


class Page(Schema):
    next_cursor: str | None = Field(description="for `cursor`, to go on; null on the last page")


class Sealed(Schema):
    """What every record has that people sign."""

    id: int
    version: int = Field(description="rises with each signed change")
    seal: Literal["holds", "broken"] = Field(description="a record whose seal is broken is not used")
    seal_problem: str | None = Field(description="why it is broken; null when it holds")
