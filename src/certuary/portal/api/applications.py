"""External applications over the API."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router
from pydantic import Field

from certuary.errors import InvalidValue
from certuary.portal.api.callers import caller_of, check_group, group_ids_of, sign
from certuary.portal.api.describe import Describer
from certuary.portal.api.idempotency import Answer, change
from certuary.portal.api.pages import PageQuery, page, text_cursor
from certuary.portal.api.schemas import (
    ApplicationChanged,
    ApplicationGiven,
    GrantsGiven,
    Item,
    Page,
    PasswordGiven,
)
from certuary.portal.api.tokens import ApiCaller
from certuary.portal.deps import deps_of
from certuary.services.find_record import find_named
from certuary.services.ports import Record
from certuary.services.register_application import (
    Grants,
    Identity,
    NewApplication,
    Registered,
    change_application,
    register_application,
    remove_application,
    rotate_password,
    set_application_enabled,
)
from certuary.store.record_rows import select_page

router = Router(tags=["Applications"])
READ, WRITE = "applications:read", "applications:write"


class ApplicationQuery(PageQuery):
    group: str | None = Field(None, max_length=16, description="a group's code")


@router.get("", response=Page, summary="List external applications, by name")
def list_applications(request: HttpRequest, wanted: Annotated[ApplicationQuery, Query()]) -> dict[str, Any]:
    caller = caller_of(request, READ)
    filters: dict[str, object] = {"name__gt": text_cursor(wanted.cursor)}
    groups = group_ids_of(caller)
    if groups is not None:
        filters["group_id__in"] = groups
    if wanted.group is not None:
        filters["group__code"] = wanted.group
    # One more than asked for says whether there is another page.
    records = select_page("application", filters, wanted.limit + 1)
    describe = Describer(request)
    shown = records[: wanted.limit]
    more = str(shown[-1].values["name"]) if len(records) > wanted.limit else None
    return page([describe.record(record) for record in shown], more)


@router.get("/{name}", response=Item, summary="One application")
def get_application(request: HttpRequest, name: str) -> dict[str, Any]:
    caller = caller_of(request, READ)
    return Describer(request).record(_own(request, caller, name))


@router.post("", response={201: Item}, summary="Register an application")
@change
def create_application(request: HttpRequest, given: ApplicationGiven) -> Answer:
    caller = caller_of(request, WRITE)
    actor, deps = sign(request, caller)
    new = NewApplication(
        name=given.name, username=given.username, password=given.password, grants=_grants(given)
    )
    return _answer(request, register_application(actor, new, deps_of(request).passwords, deps), status=201)


@router.patch("/{name}", response=Item, summary="Change what an application may do")
@change
def patch_application(request: HttpRequest, name: str, given: ApplicationChanged) -> Answer:
    caller = caller_of(request, WRITE)
    _own(request, caller, name)
    actor, deps = sign(request, caller)
    identity = Identity(name=given.name, username=given.username)
    return _answer(request, change_application(actor, name, _grants(given), deps, identity=identity))


@router.post("/{name}/disable", response=Item, summary="Disable an application")
@change
def disable_application(request: HttpRequest, name: str) -> Answer:
    return _set_enabled(request, name, enabled=False)


@router.post("/{name}/enable", response=Item, summary="Enable an application")
@change
def enable_application(request: HttpRequest, name: str) -> Answer:
    return _set_enabled(request, name, enabled=True)


@router.post("/{name}/rotate", response=Item, summary="Give an application another password")
@change
def rotate_application(request: HttpRequest, name: str, given: PasswordGiven) -> Answer:
    caller = caller_of(request, WRITE)
    _own(request, caller, name)
    actor, deps = sign(request, caller)
    return _answer(request, rotate_password(actor, name, given.password, deps_of(request).passwords, deps))


@router.delete("/{name}", response={204: None}, summary="Remove an application")
@change
def delete_application(request: HttpRequest, name: str) -> Answer:
    caller = caller_of(request, WRITE)
    _own(request, caller, name)
    actor, deps = sign(request, caller)
    remove_application(actor, name, deps)
    return Answer(status=204, body={})


def _set_enabled(request: HttpRequest, name: str, *, enabled: bool) -> Answer:
    caller = caller_of(request, WRITE)
    _own(request, caller, name)
    actor, deps = sign(request, caller)
    record = set_application_enabled(actor, name, enabled=enabled, deps=deps)
    return Answer(body=Describer(request).record(_fresh(request, record)))


def _own(request: HttpRequest, caller: ApiCaller, name: str) -> Record:
    """`NotFound` alike for what is not there and for what another group has: without the nearest names."""
    found = deps_of(request).records.find("application", name=name)
    check_group(caller, None if found is None else found.values["group_id"], f"application {name!r}")
    return found if found is not None else find_named(deps_of(request).records, "application", name)


def _answer(request: HttpRequest, registered: Registered, *, status: int = 200) -> Answer:
    body = {
        **Describer(request).record(_fresh(request, registered.record)),
        "warnings": list(registered.warnings),
    }
    generated = registered.generated_password
    return Answer(status=status, body=body, secrets={} if generated is None else {"password": generated})


def _fresh(request: HttpRequest, record: Record) -> Record:
    """With the seal that the change has put on it."""
    return deps_of(request).records.find("application", id=record.id) or record


def _grants(given: GrantsGiven) -> Grants:
    return Grants(
        networks=_tuple(given.networks),
        profiles=_tuple(given.profiles),
        labels=_tuple(given.labels),
        group=given.group,
        subject_rule=given.subject_rule,
        expires_at=None if given.expires_at is None else _utc(given.expires_at),
        never_expires=given.never_expires,
    )


def _utc(moment: datetime) -> datetime:
    try:
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except OverflowError:
        pass
    raise InvalidValue("expires_at is a moment with its zone, such as 2027-01-31T12:00:00Z", rule="moment")


def _tuple(texts: list[str] | None) -> tuple[str, ...] | None:
    return None if texts is None else tuple(texts)
