"""Authorities and their CRLs."""

from __future__ import annotations

from ninja import Schema
from pydantic import Field

from certuary.portal.api.answers.base import Moment, Page, Sealed


class Crl(Schema):
    number: int
    this_update: Moment
    next_update: Moment
    url: str = Field(description="where it is published")
    mark_problem: str | None = Field(description="why its row is not to be believed; null when it is")


class Authority(Sealed):
    name: str
    kind: str | None = Field(description="root or issuing")
    issuer: str | None = Field(description="the authority above; null for a root")
    subject: str | None
    serial: str | None
    key_type: str | None
    key_name: str | None = Field(description="its key's name in the key store")
    not_before: Moment | None
    not_after: Moment | None


class AuthorityPage(Page):
    items: list[Authority]


class WholeAuthority(Authority):
    pem: str
    crl: Crl | None = Field(description="the newest; null before the first")
