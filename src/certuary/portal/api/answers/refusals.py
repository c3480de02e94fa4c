"""Why a request was answered as it was."""

from __future__ import annotations

from typing import Literal

from ninja import Schema
from pydantic import Field

from certuary.portal.api.answers.base import Moment, Page
from certuary.portal.api.answers.certificates import Section


class Refusal(Schema):
    request_id: str
    at: Moment
    rule: str = Field(description="as docs/errors.md lists it")
    operation: str
    application: str | None
    address: str
    label: str


class RefusalPage(Page):
    items: list[Refusal] = Field(description="newest first")


class Explained(Schema):
    """Why a request was answered as it was."""

    request_id: str
    at: Moment
    outcome: Literal["refused", "issued"]
    rule: str
    sentence: str = Field(description="what the client was told; of a stranger, why it was not let in")
    means: str
    next_step: str
    application: str | None
    operation: str | None
    label: str | None
    address: str
    profile: str | None
    profile_version: int | None
    serial: str | None = Field(description="of the certificate that was issued")
    csr: str | None = Field(description="the request, as PEM")
    decoded: list[Section] = Field(description="the request's fields in words")


class Step(Schema):
    title: str
    meaning: str
    outcome: Literal["passed", "stopped here", "not reached"]


class DryRun(Schema):
    """A request taken through every rule. Nothing is issued, and nothing is kept."""

    granted: bool
    status: int = Field(description="of HTTP, as the client would see it")
    steps: list[Step]
    rule: str | None = Field(description="the one that refuses; null when granted")
    sentence: str | None = Field(description="what the client would be told")
    reason: str | None = Field(description="what the audit event would say beside it")
    means: str | None
    next_step: str | None
    profile: str | None
    replaces: str | None = Field(description="the serial number of the one that it would renew")
    request: list[Section]
    certificate: list[Section] = Field(description="what would be issued, in words; [] when refused")
