"""Changes that take two persons."""

from __future__ import annotations

from ninja import Schema
from pydantic import Field

from certuary.portal.api.answers.base import Moment, Page


class KeptChange(Schema):
    """A change that takes two persons: it was signed by one, and nothing was changed yet."""

    approval: str = Field(description="its name among the approvals")
    title: str
    digest: str = Field(description="of what the first person signed; the second gives the same")
    url: str


class Approval(Schema):
    """A change that one person signed. `seal_problem` says why one that waits cannot be approved."""

    id: int
    name: str = Field(description="such as APR-1f0c2a9b")
    kind: str | None = Field(description="whose rule takes two persons, such as application")
    change: str | None = Field(description="such as application-new")
    title: str | None
    requester: str | None
    created_at: Moment | None
    expires_at: Moment | None
    state: str | None = Field(description="waiting, approved, rejected or withdrawn")
    decided_by: str | None
    decided_at: Moment | None
    reason: str | None = Field(description="of a rejection")
    digest: str = Field(description="of what was shown to the first person: the second signs the same")
    seal_problem: str | None = Field(description="why it is not believed; null when it is, and once decided")


class ApprovalPage(Page):
    items: list[Approval]


class ShownLine(Schema):
    group: str
    label: str
    value: str
    before: str | None


class ShownApproval(Approval):
    shown: list[ShownLine] = Field(description="what the first person saw when they signed")


class Told(Schema):
    label: str
    value: str = Field(description="empty where it is a file")
    filename: str | None = None
    content: str | None = Field(default=None, description="the file's octets, base64")


class ApprovalMade(Approval):
    message: str
    warnings: list[str] = Field(description="what is allowed, and should be looked at")
    secrets: list[Told] | None = Field(
        None,
        description="such as a generated password, in the first answer alone and kept nowhere; else absent",
    )
