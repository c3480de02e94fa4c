"""Properties."""

from __future__ import annotations

from ninja import Schema
from pydantic import Field

from certuary.portal.api.answers.base import Moment, Page


class Property(Schema):
    property_key: str
    property_value: str
    status: str = Field(description="Active, or it counts for nothing")
    warnings: list[str] = Field(description="why the server cannot use the value; [] when it can")


class PropertyPage(Page):
    items: list[Property]


class PropertyChange(Schema):
    at: Moment
    what: str = Field(description="added, changed or removed")
    who: str
    by_sql: bool = Field(description="past Certuary, by plain SQL")
    database_user: str = Field(description="of a change by plain SQL")
    before: str
    after: str


class PropertyChangePage(Page):
    items: list[PropertyChange] = Field(description="newest first")


class WholeProperty(Property):
    meaning: str = Field(description='what a known one does; "" for others')
    sql: str = Field(description="the statement that sets it to what it is")
