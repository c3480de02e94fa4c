"""External applications."""

from __future__ import annotations

from ninja import Schema
from pydantic import Field

from certuary.portal.api.answers.base import Moment, Page, Sealed


class Application(Sealed):
    name: str
    username: str | None = Field(description="for HTTP Basic, at the EST listener")
    group: str | None = Field(description="a group's code")
    networks: list[str] = Field(description="CIDR; [] is any address")
    profiles: list[str] = Field(description="names; [] is the default profile")
    labels: list[str] = Field(description="[] is the endpoint without a label")
    subject_rule: str | None = Field(description='for which names it may ask; "" is any')
    enabled: bool | None
    expires_at: Moment | None = Field(description="null is never")


class ApplicationPage(Page):
    items: list[Application]


class ApplicationRemoved(Schema):
    warnings: list[str] = Field(description="client certificates that could not be revoked with it, and why")


class ApplicationSaved(Application):
    warnings: list[str] = Field(description="what is allowed, and should be looked at")
    password: str | None = Field(
        None, description="the generated one, in the first answer alone and kept nowhere; else absent"
    )
