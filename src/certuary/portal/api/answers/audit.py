"""The audit log."""

from __future__ import annotations

from typing import Any

from ninja import Schema
from pydantic import Field

from certuary.portal.api.answers.base import Moment, Page
from certuary.store.audit_pages import LOOKED_AT


class Event(Schema):
    number: int = Field(description="rises with each event; a gap is a transaction that was undone")
    at: Moment
    kind: str = Field(description="such as enrolment.issued")
    actor_kind: str = Field(description="user, application, system, sql")
    actor: str
    target: str
    address: str
    request_id: str
    detail: dict[str, Any] = Field(description="by kind; of a change the values before and after")
    stream: str = Field(description="which process wrote it")
    seq: int | None = Field(description="its place in the stream; null for one that no stream has")
    hash: str = Field(description="of the chain, in hex")


class EventPage(Page):
    items: list[Event]
    stopped: bool = Field(
        description=f"true where {LOOKED_AT:,} events were looked at without filling the page: "
        "go on with the cursor"
    )


class Checkpoint(Schema):
    number: int
    at: Moment
    streams: int | None
    problem: str | None = Field(description="why it is not of this installation; null when it is")


class AuditVerification(Schema):
    checkpoint: Checkpoint | None = Field(
        description="the newest one; null before the first. The whole chain takes the audit key, which the portal does "
        "not hold: `certuary audit verify`"
    )
