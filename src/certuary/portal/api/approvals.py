"""Approvals over the API: a change that takes two persons is answered 202, and another user's call makes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any, Final, Literal

from django.http import HttpRequest
from ninja import Query, Router

from certuary.errors import Conflict, NotFound, SecondPersonNeeded
from certuary.portal.api.callers import caller_of, sign
from certuary.portal.api.idempotency import Answer, change
from certuary.portal.api.pages import PageQuery, number_cursor, page
from certuary.portal.api.schemas import DigestGiven, Item, Page, ReasonGiven
from certuary.portal.api.tokens import ApiCaller
from certuary.portal.approving import (
    content_of_approval,
    find_approval,
    find_waiting,
    keep_for_second_person,
    review_again,
)
from certuary.portal.changes import CHANGES
from certuary.portal.changes.approvals import DIFFERS
from certuary.portal.columns import numbers, texts
from certuary.portal.deps import deps_of
from certuary.portal.models import PortalUser
from certuary.portal.scope import Scope
from certuary.portal.signing import Content, shown_groups
from certuary.services import approvals as service
from certuary.services.change_record import ChangeDeps
from certuary.services.entitlement import Actor
from certuary.services.ports import Record
from certuary.services.two_persons import Approved, digest_of
from certuary.store.approvals import list_approvals as list_rows

router = Router(tags=["Approvals"])
READ, WRITE = "approvals:read", "approvals:write"
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


class ApprovalQuery(PageQuery):
    state: Literal["waiting", "decided"] = "waiting"


@router.get("", response=Page, summary="List what waits for a second person, newest first")
def list_approvals(request: HttpRequest, wanted: Annotated[ApprovalQuery, Query()]) -> dict[str, Any]:
    _act_as(request, caller_of(request, READ))
    before, waiting = number_cursor(wanted.cursor), wanted.state == "waiting"
    found = list_rows(waiting=waiting, before=before, limit=wanted.limit + 1)
    shown = found[: wanted.limit]
    scope = Scope.of(request)
    more = int(shown[-1].id) if len(found) > wanted.limit else None
    return page([_described(record) for record in shown if scope.has_record(record)], more)


@router.get("/{name}", response=Item, summary="One request, with what was signed")
def get_approval(request: HttpRequest, name: str) -> dict[str, Any]:
    _act_as(request, caller_of(request, READ))
    record = _find(request, name)
    shown = [
        {"group": group.title, "label": line.label, "value": line.value, "before": line.before}
        for group in shown_groups(str(record.values["shown"]))
        for line in group.lines
    ]
    return {**_described(record), "shown": shown}


@router.post("/{name}/approve", response=Item, summary="Make the change, as the second person")
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


@router.post("/{name}/reject", response=Item, summary="Refuse the change")
@change
def reject_approval(request: HttpRequest, name: str, given: ReasonGiven) -> Answer:
    actor, deps, record = _deciding(request, name)
    service.reject_approval(actor, record, given.reason, deps)
    return Answer(body=_described(_find(request, name)))


@router.post("/{name}/withdraw", response=Item, summary="Take back what one asked for")
@change
def withdraw_approval(request: HttpRequest, name: str) -> Answer:
    actor, deps, record = _deciding(request, name)
    service.withdraw_approval(actor, record, deps)
    return Answer(body=_described(_find(request, name)))


def answer_or_ask(
    request: HttpRequest,
    signed: tuple[Actor, ChangeDeps],
    kind: str,
    content: Callable[[], Content],
    act: Callable[[], Answer],
) -> Answer:
    """What `act` answers; or 202 when the change takes two persons. `content` is what the portal would make it from."""
    try:
        return act()
    except SecondPersonNeeded as needed:
        actor, deps = signed
        _act_as(request, caller_of(request))
        wanted = content()
        review = CHANGES[kind].review({**wanted, "token": ""}, request)
        record = keep_for_second_person(kind, wanted, review, needed, actor, deps)
    found = _find(request, str(record.values["name"]))
    return Answer(
        status=202, body={"approval": _described(found), "url": f"/api/v1/approvals/{record.values['name']}"}
    )


def content_of_grants(request: HttpRequest, values: Mapping[str, object]) -> Content:
    """An application's grants as the portal's form has them."""
    records, expires_at = deps_of(request).records, values["expires_at"]
    group = records.find("group", id=values["group_id"])
    granted = numbers(values["profile_ids"])
    return {
        "networks": "\n".join(texts(values["networks"])),
        "group": "" if group is None else str(group.values["code"]),
        "profiles": [str(one.values["name"]) for one in records.all("profile") if one.id in granted],
        "labels": texts(values["labels"]),
        "subject_rule": str(values["subject_rule"]),
        "expires_at": expires_at.isoformat() if hasattr(expires_at, "isoformat") else "",
    }


def _deciding(request: HttpRequest, name: str) -> tuple[Actor, ChangeDeps, Record]:
    caller = caller_of(request, WRITE)
    _act_as(request, caller)
    record = find_waiting(request, int(_find(request, name).id))
    actor, deps = sign(request, caller)
    return actor, deps, record


def _act_as(request: HttpRequest, caller: ApiCaller) -> None:
    """What reviews a change asks who looks, as a page does."""
    request.user = PortalUser.objects.get(pk=caller.user_id)


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
