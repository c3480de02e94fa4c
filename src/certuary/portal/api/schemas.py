"""What the API takes and gives, as its OpenAPI document says it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ninja import Schema
from pydantic import ConfigDict, Field


class Given(Schema):
    """A body. A field that is not known is refused, so that a typing error is not a missing option."""

    model_config = ConfigDict(extra="forbid")


class Page(Schema):
    items: list[dict[str, Any]]
    next_cursor: str | None = Field(None, description="null on the last page")


Item = dict[str, Any]
"""One record: its columns by name, as `portal.api.describe` says."""


class GrantsGiven(Given):
    networks: list[str] | None = Field(
        None, max_length=500, description="CIDR; [] is any address; absent is as it is"
    )
    profiles: list[str] | None = Field(None, max_length=200, description="names; [] is the default profile")
    labels: list[str] | None = Field(None, max_length=200, description="[] is the unlabelled endpoint")
    group: str | None = Field(None, description="its code, such as GRP_001")
    subject_rule: str | None = Field(None, max_length=4000, description='"" is any name')
    expires_at: datetime | None = None
    never_expires: bool = False


class ApplicationChanged(GrantsGiven):
    name: str | None = Field(None, max_length=64, description="another name, which no application had")
    username: str | None = Field(None, max_length=128, description="another username; the present one stops")


class ApplicationGiven(GrantsGiven):
    name: str = Field(max_length=64)
    username: str = Field(max_length=128)
    password: str | None = Field(
        None, max_length=500, description="absent: one is generated and answered once"
    )


class PasswordGiven(Given):
    password: str | None = Field(
        None, max_length=500, description="absent: one is generated and answered once"
    )


class RevocationGiven(Given):
    reason: str = Field("unspecified", description="a reason of RFC 5280, such as keyCompromise")


class ProfileGiven(Given):
    toml: str = Field(
        max_length=100_000, description="the profile as its file says it; its name decides which"
    )


class LabelGiven(Given):
    name: str = Field(max_length=64)
    profile: str = Field(max_length=64)


class GroupGiven(Given):
    name: str = Field(max_length=64)


class PropertyGiven(Given):
    value: str = Field(max_length=4096)
    status: str = "Active"
