"""Groups."""

from __future__ import annotations

from pydantic import Field

from certuary.portal.api.answers.base import Page, Sealed


class Group(Sealed):
    code: str = Field(description="its lasting name, such as GRP_001")
    name: str


class GroupPage(Page):
    items: list[Group]
