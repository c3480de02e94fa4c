"""Approvals over the API: a change that takes two persons is answered 202, and another user's call makes it."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Final, Literal

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from certuary.errors import Conflict, NotFound
from certuary.portal.access import DECIDERS, EVERYBODY
from certuary.portal.api.answers import Page
from certuary.portal.api.callers import caller_of, needs, sign
from certuary.portal.api.idempotency import Answer, change
from certuary.portal.api.pages import PageQuery, next_cursor, number_cursor
from certuary.portal.api.schemas import DigestGiven, ReasonGiven
from certuary.portal.approving import (
    content_of_approval,
    find_approval,
    find_waiting,
    review_again,
)
from certuary.portal.changes import CHANGES
from certuary.portal.changes.approvals import DIFFERS
from certuary.portal.scope import Scope
from certuary.portal.signing import shown_groups
from certuary.services import approvals as service
from certuary.services.change_record import ChangeDeps
from certuary.services.entitlement import Actor
from certuary.services.ports import Record
from certuary.services.two_persons import Approved, digest_of
from certuary.store.approvals import list_approvals as list_rows

router = Router(tags=["Approvals"])
_READ: Final = needs("approvals:read", EVERYBODY)
_WRITE: Final = needs("approvals:write", DECIDERS)
_SHOWN: Final = (
    "name",
    "kind",
    "change",
    "title",
    "requester",
    "created_at",
    "expires_at",
    "state",
    "decided_by",
    "decided_at",
    "reason",
)


class Approval(Schema):
    id: int
    name: str
    kind: str
    change: str
    title: str
    requester: str
    created_at: str
    expires_at: str
    state: str
    decided_by: str
    decided_at: str | None
    reason: str
    digest: str = Field(description="of what was shown to the first person: the second signs the same")


class ShownLine(Schema):
    group: str
    label: str
    value: str
    before: str | None


class ShownApproval(Approval):
    shown: list[ShownLine]


class ApprovalPage(Page):
    items: list[Approval]


class ApprovalQuery(PageQuery):
    state: Literal["waiting", "decided"] = "waiting"


@router.get("", response=ApprovalPage, summary="List what waits for a second person, newest first", **_READ)
def list_approvals(request: HttpRequest, wanted: Annotated[ApprovalQuery, Query()]) -> ApprovalPage:
    before, waiting = number_cursor(wanted.cursor), wanted.state == "waiting"
    found = list_rows(waiting=waiting, before=before, limit=wanted.limit + 1)
    shown = found[: wanted.limit]
    scope = Scope.of(request)
    more = int(shown[-1].id) if len(found) > wanted.limit else None
    return ApprovalPage(
        items=[Approval(**_described(record)) for record in shown if scope.has_record(record)],
        next_cursor=next_cursor(more),
    )


@router.get("/{name}", response=ShownApproval, summary="One request, with what was signed", **_READ)
def get_approval(request: HttpRequest, name: str) -> ShownApproval:
    record = _find(request, name)
    shown = [
        ShownLine(group=group.title, label=line.label, value=line.value, before=line.before)
        for group in shown_groups(str(record.values["shown"]))
        for line in group.lines
    ]
    return ShownApproval(**_described(record), shown=shown)


@router.post("/{name}/approve", response=Approval, summary="Make the change, as the second person", **_WRITE)
@change
def approve_approval(request: HttpRequest, name: str, given: DigestGiven) -> Answer:
    actor, deps, record = _deciding(request, name)
    made = CHANGES.get(str(record.values["change"]))
    digest = review_again(made, record, request).digest
    if made is None or given.digest.lower() != digest_of(record):
        raise Conflict("the digest is not that of this request; look at it again")
    if digest != digest_of(record):
        raise Conflict(DIFFERS, rule="digest-differs")
    approved = replace(deps, approval=Approved(record=record, digest=digest))
    done = made.apply(content_of_approval(record), actor, approved, request)
    secrets = [{"label": secret.label, "value": secret.value} for secret in done.secrets]
    body = {**_described(_find(request, name)), "message": done.message, "warnings": list(done.warnings)}
    return Answer(body=body, secrets={"secrets": secrets} if secrets else {})


@router.post("/{name}/reject", response=Approval, summary="Refuse the change", **_WRITE)
@change
def reject_approval(request: HttpRequest, name: str, given: ReasonGiven) -> Answer:
    actor, deps, record = _deciding(request, name)
    service.reject_approval(actor, record, given.reason, deps)
    return Answer(body=_described(_find(request, name)))


@router.post("/{name}/withdraw", response=Approval, summary="Take back what one asked for", **_WRITE)
@change
def withdraw_approval(request: HttpRequest, name: str) -> Answer:
    actor, deps, record = _deciding(request, name)
    service.withdraw_approval(actor, record, deps)
    return Answer(body=_described(_find(request, name)))


def _deciding(request: HttpRequest, name: str) -> tuple[Actor, ChangeDeps, Record]:
    record = find_waiting(request, int(_find(request, name).id))
    actor, deps = sign(request, caller_of(request))
    return actor, deps, record


def _find(request: HttpRequest, name: str) -> Record:
    from certuary.store.models import Approval

    number = Approval.objects.filter(name=name).values_list("id", flat=True).first()
    if number is None:
        raise NotFound(f"there is no request for approval {name!r}")
    return find_approval(request, number)


def _described(record: Record) -> dict[str, Any]:
    found = {key: record.values[key] for key in _SHOWN}
    texts_of = {
        key: value.isoformat() if hasattr(value, "isoformat") else value for key, value in found.items()
    }
    return {"id": record.id, **texts_of, "digest": digest_of(record)}
