"""Seals and what is wrong with them."""

from __future__ import annotations

from ninja import Schema
from pydantic import Field

from certuary.portal.api.answers.base import Moment, Page
from certuary.portal.seal_problems import LOOKED_AT


class SealProblem(Schema):
    kind: str = Field(description="a record's kind, or manifest")
    id: int | None = Field(description="the record's number, for /seals/KIND/ID")
    name: str
    reason: str


class SealProblemPage(Page):
    items: list[SealProblem] = Field(description="by kind and number")
    stopped: bool = Field(
        description=f"true where {LOOKED_AT:,} records were verified without filling the page: go on with the "
        "cursor"
    )


class SealColumn(Schema):
    name: str
    value: str = Field(description="as it stands; of a secret its digest")
    is_secret: bool
    holds: bool | None = Field(description="as it was signed; null where no seal can be read")


class Seal(Schema):
    kind: str
    id: int
    name: str
    is_gone: bool = Field(description="its row was deleted past Certuary")
    problem: str | None = Field(description="why it is not believed; null when it is")
    signer: str | None
    signed_at: Moment | None
    fingerprint: str | None = Field(description="SHA-256 of the signer's certificate, in hex")
    version: int
    digest: str | None = Field(
        description="SHA-256 of what a signature covers as it stands; give it back to sign that, and nothing else"
    )
    columns: list[SealColumn]
