"""What the dashboard shows, the nodes, and the search."""

from __future__ import annotations

from ninja import Schema
from pydantic import Field

from certuary.portal.api.answers.base import Day, Moment
from certuary.portal.api.answers.seals import SealProblem


class DayCount(Schema):
    day: Day
    name: str = Field(description="a profile, or how soon")
    count: int


class ExpiryWindow(Schema):
    days: int
    count: int


class ReasonCount(Schema):
    rule: str
    count: int


class AuthorityAge(Schema):
    name: str
    kind: str
    not_after: Moment
    days_left: int
    crl: str = Field(description="current, runs out soon, out of date, or none published")
    crl_next_update: Moment | None


class Statistics(Schema):
    """Of one's own groups; of all for a CA Administrator."""

    is_complete: bool = Field(description="everything that was there has been counted")
    counted_at: Moment | None
    issued: list[DayCount] = Field(
        description="per day and profile, of the last 30 days; days without are absent"
    )
    expiring: list[ExpiryWindow] = Field(description="within so many days, not revoked")
    expiring_by_day: list[DayCount] = Field(description="of the next 90 days; days without are absent")
    refused: list[ReasonCount] = Field(description="of the last 7 days, by rule")
    authorities: list[AuthorityAge]
    broken: list[SealProblem] = Field(description="as the nodes found them")


class Node(Schema):
    name: str
    hostname: str
    version: str
    state: str = Field(description="Ready; Ready, with warnings; Not ready; Not answering")
    ready: bool
    reasons: list[str] = Field(description="why it is not ready")
    warnings: list[str]
    started_at: Moment
    seen_at: Moment


class Nodes(Schema):
    items: list[Node] = Field(description="those of the last week, by host")


class Hit(Schema):
    title: str
    text: str
    page: str = Field(description="its page in the portal")
    is_exact: bool = Field(description="what was asked for is its very name or number")


class HitGroup(Schema):
    title: str
    hits: list[Hit]


class Found(Schema):
    groups: list[HitGroup] = Field(description="at most ten of a kind, of kinds that the token's scopes open")
