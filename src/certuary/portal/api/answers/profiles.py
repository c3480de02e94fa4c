"""Profiles, their versions, and the labels that select them."""

from __future__ import annotations

from ninja import Schema
from pydantic import Field

from certuary.portal.api.answers.base import Moment, Page, Sealed
from certuary.portal.api.answers.certificates import Section


class Profile(Sealed):
    name: str
    current_version: int | None


class ProfilePage(Page):
    items: list[Profile]


class WholeProfile(Profile):
    toml: str = Field(description="what the current version says")


class ProfileSaved(WholeProfile):
    is_unchanged: bool = Field(description="the current version said the same already: nothing was saved")


class ProfileVersion(Schema):
    number: int
    toml: str
    created_at: Moment
    created_by: str
    is_altered: bool = Field(description="its mark does not hold: plain SQL changed it")


class ProfileVersionPage(Page):
    items: list[ProfileVersion] = Field(description="newest first")


class ProfileChange(Schema):
    path: str = Field(description="the key of the TOML")
    label: str
    before: str
    after: str


class ProfileDifference(Schema):
    changes: list[ProfileChange] = Field(description="what the keys say, in words")
    diff: str = Field(description="the two texts as a unified diff")


class ProfileFinding(Schema):
    path: str = Field(description='the key of the TOML that is to blame; "" where there is none')
    detail: str


class ProfileChecked(Schema):
    """What a profile would make. Nothing is saved."""

    name: str
    findings: list[ProfileFinding] = Field(description="of pkilint and our own; [] when it can be saved")
    sample_pem: str | None = Field(description="a certificate as it would be issued, under a throw-away key")
    sample: list[Section] = Field(description="the sample's fields in words")


class ProfileUse(Schema):
    is_default: bool = Field(description="a property selects it for the endpoint without a label")
    labels: list[str]
    applications: list[str] = Field(description="of one's own groups")


class Label(Sealed):
    name: str
    profile: str | None
    url: str = Field(description="where clients enrol")


class LabelPage(Page):
    items: list[Label]
