"""The audit log over the API: pages, one event, all that is found as a file, and how far it is verified."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest, StreamingHttpResponse
from ninja import Query, Router
from pydantic import Field

from certuary.errors import NotFound
from certuary.portal.access import EVERYBODY
from certuary.portal.api import answers
from certuary.portal.api.callers import needs
from certuary.portal.api.describe import describe_event
from certuary.portal.api.pages import KnownQuery, PageQuery, next_cursor, number_cursor
from certuary.portal.api.schemas import MomentGiven
from certuary.portal.audit_events import JSON_LINES, checked_time, event_file, json_part, newest_checkpoint
from certuary.portal.scope import Scope
from certuary.store.audit_pages import AuditSearch, find_event, search_events

router = Router(tags=["Audit log"])

_READ = needs("audit:read", EVERYBODY)


class AuditFilters(KnownQuery):
    kind: str = Field("", max_length=48, description="whole, or its beginning up to a dot")
    actor: str = Field("", max_length=128)
    target: str = Field("", max_length=128, description="part of it, such as application:line-1")
    request_id: str = Field("", max_length=32)
    since: MomentGiven | None = None
    until: MomentGiven | None = None


class AuditQuery(AuditFilters, PageQuery):
    pass


@router.get("", response=answers.EventPage, summary="Read the audit log, newest first", **_READ)
def list_audit(request: HttpRequest, query: Annotated[AuditQuery, Query()]) -> answers.EventPage:
    """CA Administrators and auditors read all of it, others what their groups' applications and they did."""
    found = search_events(_wanted(request, query), before=number_cursor(query.cursor), limit=query.limit)
    return answers.EventPage(
        items=[describe_event(event) for event in found.events],
        next_cursor=next_cursor(found.older),
        stopped=found.stopped,
    )


@router.get("/{int:number}", response=answers.Event, summary="One event", **_READ)
def get_audit_event(request: HttpRequest, number: int) -> answers.Event:
    # More digits than a column holds would overflow in the database.
    stored = find_event(number, Scope.of(request).audit_reach()) if number < 2**63 else None
    if stored is None:
        raise NotFound(f"there is no event {number}"[:64])
    return describe_event(stored)


@router.get(
    "/export",
    response={200: None},
    summary="All that is found, as JSON Lines",
    **needs(
        "audit:read",
        EVERYBODY,
        responses={
            200: {
                "description": "One event a line, newest first",
                "content": {JSON_LINES: {"schema": {"$ref": "#/components/schemas/Event"}}},
            }
        },
    ),
)
def export_audit(request: HttpRequest, query: Annotated[AuditFilters, Query()]) -> StreamingHttpResponse:
    """Written while it is read, so that millions need no memory."""
    wanted = _wanted(request, query)
    return event_file(request, wanted, json_part, [], name="audit.jsonl", media_type=JSON_LINES)


@router.get(
    "/verification", response=answers.AuditVerification, summary="The newest checkpoint, verified", **_READ
)
def get_audit_verification(request: HttpRequest) -> answers.AuditVerification:
    newest = newest_checkpoint(request)
    return answers.AuditVerification(
        checkpoint=None
        if newest is None
        else answers.Checkpoint(
            number=newest.number, at=newest.at, streams=newest.streams, problem=newest.problem or None
        )
    )


def _wanted(request: HttpRequest, query: AuditFilters) -> AuditSearch:
    return AuditSearch(
        kind=query.kind,
        actor=query.actor,
        target=query.target,
        request_id=query.request_id,
        since=query.since and checked_time(query.since),
        until=query.until and checked_time(query.until),
        reach=Scope.of(request).audit_reach(),
    )
