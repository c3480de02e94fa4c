"""Properties over the API: the rows of `api_properties`, and who changed them, by plain SQL too."""

from __future__ import annotations

from django.http import HttpRequest
from ninja import Router

from certuary.portal.access import ADMINISTRATORS, EVERYBODY
from certuary.portal.api import answers
from certuary.portal.api.callers import caller_of, needs, sign
from certuary.portal.api.describe import Describer
from certuary.portal.api.idempotency import NOTHING, Answer, answer_of, change
from certuary.portal.api.pages import Paging, after, cut, number_cursor
from certuary.portal.api.schemas import PropertyGiven
from certuary.portal.deps import deps_of
from certuary.portal.property_history import MEANINGS, property_change, statement_of, target_of
from certuary.services.ports import StoredEvent
from certuary.services.record_gate import name_of
from certuary.services.set_property import find_property, set_property, unset_property
from certuary.store.audit import events_about

router = Router(tags=["Properties"])

_READ = needs("properties:read", EVERYBODY)
_WRITE = needs("properties:write", ADMINISTRATORS)


@router.get("", response=answers.PropertyPage, summary="List properties, by key", **_READ)
def list_properties(request: HttpRequest, paging: Paging) -> answers.PropertyPage:
    found = after(deps_of(request).records.all("property"), paging.cursor, paging.limit, name_of)
    shown, cursor = cut(found, paging.limit, name_of)
    describe = Describer(request)
    return answers.PropertyPage(items=[describe.property(record) for record in shown], next_cursor=cursor)


@router.get(
    "/{key}", response=answers.WholeProperty, summary="One property, its meaning and its SQL", **_READ
)
def get_property(request: HttpRequest, key: str) -> answers.WholeProperty:
    record = find_property(deps_of(request).records, key)
    return answers.WholeProperty(
        **Describer(request).property_fields(record),
        meaning=MEANINGS.get(str(record.id), ""),
        sql=statement_of(record),
    )


@router.get(
    "/{key}/changes",
    response=answers.PropertyChangePage,
    summary="Who changed a property, newest first",
    **_READ,
)
def list_property_changes(request: HttpRequest, key: str, paging: Paging) -> answers.PropertyChangePage:
    """Also of a key that is no longer set; empty for one that never was."""
    before = number_cursor(paging.cursor)
    found = events_about([target_of(key)], before=before, limit=paging.limit + 1)
    shown, cursor = cut(found, paging.limit, lambda event: event.number)
    return answers.PropertyChangePage(items=[_change(event) for event in shown], next_cursor=cursor)


@router.put("/{key}", response=answers.Property, summary="Set a property", **_WRITE)
@change
def put_property(request: HttpRequest, key: str, given: PropertyGiven) -> Answer:
    actor, deps = sign(request, caller_of(request))
    saved = set_property(actor, key, given.value, given.status, deps)
    fields = Describer(request).property_fields(saved.record)
    return answer_of(answers.Property(**{**fields, "warnings": list(saved.warnings)}))


@router.delete("/{key}", response={204: None}, summary="Remove a property", **_WRITE)
@change
def delete_property(request: HttpRequest, key: str) -> Answer:
    actor, deps = sign(request, caller_of(request))
    unset_property(actor, key, deps)
    return NOTHING


def _change(event: StoredEvent) -> answers.PropertyChange:
    change = property_change(event)
    return answers.PropertyChange(
        at=change.at,
        what=change.what,
        who=change.who,
        by_sql=change.by_sql,
        database_user=change.database_user,
        before=change.before,
        after=change.after,
    )
