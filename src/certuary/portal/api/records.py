"""Profiles, labels, groups, properties, authorities, users and the audit log over the API."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final

from django.http import HttpRequest
from ninja import Query, Router
from pydantic import Field

from certuary.errors import NotFound, NotPermitted
from certuary.portal.api.callers import caller_of, group_ids_of, sign
from certuary.portal.api.describe import Describer
from certuary.portal.api.idempotency import Answer, change
from certuary.portal.api.pages import PageQuery, Paging, number_cursor, page, text_cursor
from certuary.portal.api.schemas import GroupGiven, Item, LabelGiven, Page, ProfileGiven, PropertyGiven
from certuary.portal.api.tokens import ApiCaller
from certuary.portal.deps import deps_of
from certuary.services.authorities import certificate_der, export_certificates
from certuary.services.change_record import record_name
from certuary.services.entitlement import ADMINISTRATOR, CA_ADMINISTRATOR
from certuary.services.find_record import find_named, find_profile
from certuary.services.lint_profile import lint_profile
from certuary.services.manage_group import add_group, add_label, remove_label
from certuary.services.ports import Record, RecordKind
from certuary.services.save_profile import save_profile
from certuary.services.set_property import set_property, unset_property
from certuary.store.audit import AuditFilter, list_events

profiles = Router(tags=["Profiles"])
labels = Router(tags=["Labels"])
groups = Router(tags=["Groups"])
properties = Router(tags=["Properties"])
authorities = Router(tags=["Authorities"])
users = Router(tags=["Users"])
audit = Router(tags=["Audit log"])

_PROFILES_READ, _PROFILES_WRITE = "profiles:read", "profiles:write"
Keep = Callable[[Record], bool]


class AuditQuery(PageQuery):
    kind: str | None = Field(None, max_length=48, description="whole, or its beginning up to a dot")
    actor: str | None = Field(None, max_length=128)
    request_id: str | None = Field(None, max_length=32)


@profiles.get("", response=Page, summary="List profiles")
def list_profiles(request: HttpRequest, paging: Paging) -> dict[str, Any]:
    caller_of(request, _PROFILES_READ)
    return _page_of(request, "profile", paging)


@profiles.get("/{name}", response=Item, summary="One profile, with its TOML")
def get_profile(request: HttpRequest, name: str) -> dict[str, Any]:
    caller_of(request, _PROFILES_READ)
    return _profile(request, find_profile(deps_of(request).records, name))


@profiles.post("", response={200: Item, 201: Item}, summary="Make a profile, or its next version")
@change
def create_profile_version(request: HttpRequest, given: ProfileGiven) -> Answer:
    actor, deps = sign(request, caller_of(request, _PROFILES_WRITE))
    now = deps.clock.now()
    saved = save_profile(actor, given.toml, lambda profile: lint_profile(profile, now=now), deps)
    found = deps_of(request).records.find("profile", id=saved.record.id) or saved.record
    body = {**_profile(request, found), "is_unchanged": saved.is_unchanged}
    return Answer(status=201 if saved.is_new else 200, body=body)


@labels.get("", response=Page, summary="List labels")
def list_labels(request: HttpRequest, paging: Paging) -> dict[str, Any]:
    caller_of(request, _PROFILES_READ)
    return _page_of(request, "label", paging)


@labels.post("", response={201: Item}, summary="Add a label")
@change
def create_label(request: HttpRequest, given: LabelGiven) -> Answer:
    actor, deps = sign(request, caller_of(request, _PROFILES_WRITE))
    label = add_label(actor, given.name, given.profile, deps)
    return Answer(status=201, body=_fresh(request, label))


@labels.delete("/{name}", response={204: None}, summary="Remove a label")
@change
def delete_label(request: HttpRequest, name: str) -> Answer:
    actor, deps = sign(request, caller_of(request, _PROFILES_WRITE))
    remove_label(actor, name, deps)
    return Answer(status=204, body={})


@groups.get("", response=Page, summary="List groups")
def list_groups(request: HttpRequest, paging: Paging) -> dict[str, Any]:
    own = group_ids_of(caller_of(request, "groups:read"))
    return _page_of(request, "group", paging, lambda record: own is None or record.id in own)


@groups.post("", response={201: Item}, summary="Add a group")
@change
def create_group(request: HttpRequest, given: GroupGiven) -> Answer:
    actor, deps = sign(request, caller_of(request, "groups:write"))
    return Answer(status=201, body=_fresh(request, add_group(actor, given.name, deps)))


@properties.get("", response=Page, summary="List properties")
def list_properties(request: HttpRequest, paging: Paging) -> dict[str, Any]:
    caller_of(request, "properties:read")
    return _page_of(request, "property", paging)


@properties.put("/{key}", response=Item, summary="Set a property")
@change
def put_property(request: HttpRequest, key: str, given: PropertyGiven) -> Answer:
    actor, deps = sign(request, caller_of(request, "properties:write"))
    saved = set_property(actor, key, given.value, given.status, deps)
    return Answer(body={**Describer(request).record(saved.record), "warnings": list(saved.warnings)})


@properties.delete("/{key}", response={204: None}, summary="Remove a property")
@change
def delete_property(request: HttpRequest, key: str) -> Answer:
    actor, deps = sign(request, caller_of(request, "properties:write"))
    unset_property(actor, key, deps)
    return Answer(status=204, body={})


@authorities.get("", response=Page, summary="List authorities")
def list_authorities(request: HttpRequest, paging: Paging) -> dict[str, Any]:
    caller_of(request, "authorities:read")
    return _page_of(request, "authority", paging)


@authorities.get("/{name}", response=Item, summary="One authority, with its PEM")
def get_authority(request: HttpRequest, name: str) -> dict[str, Any]:
    caller_of(request, "authorities:read")
    record = find_named(deps_of(request).records, "authority", name)
    pem = export_certificates((certificate_der(record),), "pem").decode()
    return {**Describer(request).record(record), "pem": pem}


@users.get("", response=Page, summary="List users")
def list_users(request: HttpRequest, paging: Paging) -> dict[str, Any]:
    """A CA Administrator sees all, others themselves and those who have no group but theirs."""
    caller = caller_of(request, "users:read")
    return _page_of(request, "user", paging, lambda record: _may_see_user(caller, record))


@audit.get("", response=Page, summary="Read the audit log, newest first")
def list_audit(request: HttpRequest, query: Annotated[AuditQuery, Query()]) -> dict[str, Any]:
    """Events of all groups: for CA Administrators, and auditors without groups."""
    caller = caller_of(request, "audit:read")
    if group_ids_of(caller) is not None:
        raise NotPermitted("the audit log of all groups is for CA Administrators and auditors of all groups")
    wanted = AuditFilter(kind=query.kind, actor=query.actor, request_id=query.request_id)
    found = list_events(wanted, before=number_cursor(query.cursor), limit=query.limit + 1)
    shown = found[: query.limit]
    items = [
        {
            "number": one.number,
            "stream": one.stream,
            "seq": one.seq,
            "at": one.event.at.isoformat(),
            "kind": one.event.kind,
            "actor_kind": one.event.actor_kind,
            "actor": one.event.actor,
            "target": one.event.target,
            "request_id": one.event.request_id,
            "address": one.event.address,
            "detail": one.event.detail,
        }
        for one in shown
    ]
    return page(items, shown[-1].number if len(found) > query.limit else None)


ROUTERS: Final = {
    "/profiles": profiles,
    "/labels": labels,
    "/groups": groups,
    "/properties": properties,
    "/authorities": authorities,
    "/users": users,
    "/audit": audit,
}


def _page_of(
    request: HttpRequest, kind: RecordKind, paging: Any, keep: Keep = lambda record: True
) -> dict[str, Any]:
    """Of a kind that stays small: hundreds, not millions."""
    after = text_cursor(paging.cursor)
    records: Sequence[Record] = sorted(
        (
            record
            for record in deps_of(request).records.all(kind)
            if record_name(record) > after and keep(record)
        ),
        key=record_name,
    )
    shown = records[: paging.limit]
    describe = Describer(request)
    more = record_name(shown[-1]) if len(records) > paging.limit else None
    return page([describe.record(record) for record in shown], more)


def _profile(request: HttpRequest, record: Record) -> dict[str, Any]:
    return {**Describer(request).record(record), "toml": str(record.values["toml"])}


def _fresh(request: HttpRequest, record: Record) -> dict[str, Any]:
    """With the seal that the change has put on it."""
    found = deps_of(request).records.find(record.kind, id=record.id)
    if found is None:
        raise NotFound("it was removed in the meantime")
    return Describer(request).record(found)


def _may_see_user(caller: ApiCaller, record: Record) -> bool:
    if caller.actor.role == CA_ADMINISTRATOR or record.id == caller.user_id:
        return True
    theirs = record.values["group_ids"]
    return (
        caller.actor.role == ADMINISTRATOR
        and isinstance(theirs, list | tuple)
        and bool(theirs)
        and caller.actor.group_ids.issuperset(theirs)
    )
