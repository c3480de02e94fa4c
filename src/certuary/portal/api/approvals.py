"""Approvals over the API: a change that takes two persons is answered 202, and another user's call makes it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Annotated, Final, Literal

from django.http import HttpRequest
from ninja import Query, Router

from certuary.errors import Conflict, NotFound
from certuary.portal.access import DECIDERS, EVERYBODY
from certuary.portal.api import answers
from certuary.portal.api.callers import caller_of, needs, sign
from certuary.portal.api.describe import Describer
from certuary.portal.api.idempotency import Answer, answer_of, change
from certuary.portal.api.pages import PageQuery, cut, number_cursor
from certuary.portal.api.schemas import DigestGiven, ReasonGiven
from certuary.portal.approving import content_of_approval, find_approval, find_waiting, review_again
from certuary.portal.changes import CHANGES
from certuary.portal.changes.approvals import DIFFERS
from certuary.portal.scope import Scope
from certuary.portal.signing import Secret, shown_groups
from certuary.services import approvals as service
from certuary.services.change_deps import ChangeDeps
from certuary.services.entitlement import Actor
from certuary.services.ports import Record
from certuary.services.two_persons import Approved, digest_of
from certuary.store.approvals import approval_number
from certuary.store.approvals import list_approvals as list_rows

router = Router(tags=["Approvals"])
_READ: Final = needs("approvals:read", EVERYBODY)
_WRITE: Final = needs("approvals:write", DECIDERS)


class ApprovalQuery(PageQuery):
    state: Literal["waiting", "decided"] = "waiting"


@router.get(
    "", response=answers.ApprovalPage, summary="List what waits for a second person, newest first", **_READ
)
def list_approvals(request: HttpRequest, query: Annotated[ApprovalQuery, Query()]) -> answers.ApprovalPage:
    """A page may hold fewer than there are yet to come, as those of other groups are left out of it."""
    before, waiting = number_cursor(query.cursor), query.state == "waiting"
    found = list_rows(waiting=waiting, before=before, limit=query.limit + 1)
    shown, cursor = cut(found, query.limit, _number)
    describe, scope = Describer(request), Scope.of(request)
    return answers.ApprovalPage(
        items=[describe.approval(record) for record in shown if scope.has_record(record)], next_cursor=cursor
    )


@router.get("/{name}", response=answers.ShownApproval, summary="One request, with what was signed", **_READ)
def get_approval(request: HttpRequest, name: str) -> answers.ShownApproval:
    record = _find(request, name)
    shown = [
        answers.ShownLine(group=group.title, label=line.label, value=line.value, before=line.before)
        for group in shown_groups(str(record.values["shown"]))
        for line in group.lines
    ]
    return answers.ShownApproval(**Describer(request).approval_fields(record), shown=shown)


@router.post(
    "/{name}/approve",
    response=answers.ApprovalMade,
    summary="Make the change, as the second person",
    **_WRITE,
)
@change
def approve_approval(request: HttpRequest, name: str, given: DigestGiven) -> Answer:
    """Only what `digest` says: 409 when what the change would do is something else by now."""
    actor, deps, record = _deciding(request, name)
    made = CHANGES.get(str(record.values["change"]))
    digest = review_again(made, record, request).digest
    if made is None or given.digest.lower() != digest_of(record):
        raise Conflict("the digest is not that of this request; look at it again")
    if digest != digest_of(record):
        raise Conflict(DIFFERS, rule="digest-differs")
    approved = replace(deps, approval=Approved(record=record, digest=digest))
    done = made.apply(content_of_approval(record), actor, approved, request)
    body = answers.ApprovalMade(
        **Describer(request).approval_fields(_find(request, name)),
        message=done.message,
        warnings=list(done.warnings),
    )
    secrets = [_told(secret).model_dump(exclude_none=True) for secret in done.secrets]
    return answer_of(body, secrets=secrets or None)


def _told(secret: Secret) -> answers.Told:
    if not secret.filename:
        return answers.Told(label=secret.label, value=secret.value)
    return answers.Told(
        label=secret.label, value=secret.value, filename=secret.filename, content=secret.content_base64
    )


@router.post("/{name}/reject", response=answers.Approval, summary="Refuse the change", **_WRITE)
@change
def reject_approval(request: HttpRequest, name: str, given: ReasonGiven) -> Answer:
    actor, deps, record = _deciding(request, name)
    service.reject_approval(actor, record, given.reason, deps)
    return answer_of(Describer(request).approval(_find(request, name)))


@router.post("/{name}/withdraw", response=answers.Approval, summary="Take back what one asked for", **_WRITE)
@change
def withdraw_approval(request: HttpRequest, name: str) -> Answer:
    actor, deps, record = _deciding(request, name)
    service.withdraw_approval(actor, record, deps)
    return answer_of(Describer(request).approval(_find(request, name)))


def _deciding(request: HttpRequest, name: str) -> tuple[Actor, ChangeDeps, Record]:
    record = find_waiting(request, _number(_find(request, name)))
    actor, deps = sign(request, caller_of(request))
    return actor, deps, record


def _find(request: HttpRequest, name: str) -> Record:
    number = approval_number(name)
    with suppress(NotFound):  # of another group: as if it were not there
        if number is not None:
            return find_approval(request, number)
    raise NotFound(f"there is no request for approval {name!r}")


def _number(record: Record) -> int:
    assert isinstance(record.id, int)
    return record.id
