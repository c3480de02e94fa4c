"""External applications over the API."""

from __future__ import annotations

import base64
from collections.abc import Collection
from typing import Annotated, Literal

from django.http import HttpRequest
from ninja import Query, Router
from pydantic import Field

from certuary.portal.access import ADMINISTRATORS, EVERYBODY
from certuary.portal.api import answers
from certuary.portal.api.answers import (
    Application,
    ApplicationPage,
    ApplicationRemoved,
    ApplicationSaved,
    ClientCertificate,
)
from certuary.portal.api.callers import caller_of, needs, sign
from certuary.portal.api.describe import Describer, describe_certificate, fresh
from certuary.portal.api.grants import grants_of
from certuary.portal.api.idempotency import NOTHING, Answer, answer_of, change
from certuary.portal.api.pages import PageQuery, next_cursor, text_cursor
from certuary.portal.api.schemas import (
    ApplicationChanged,
    ApplicationGiven,
    ClientCertificateGiven,
    GrantsGiven,
    PasswordGiven,
)
from certuary.portal.deps import deps_of
from certuary.portal.names import Names
from certuary.portal.people import find_group_named
from certuary.portal.scope import Scope, find_application_named
from certuary.services.order_certificate import CertificateWanted, order_certificate
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
from certuary.store.applications import ApplicationFilter
from certuary.store.applications import list_applications as select

router = Router(tags=["Applications"])
_READ = needs("applications:read", EVERYBODY)
_WRITE = needs("applications:write", ADMINISTRATORS)


class ApplicationQuery(PageQuery):
    text: str = Field("", max_length=200, description="in the name or the username, in any case")
    group: str | None = Field(None, max_length=16, description="a group's code")
    status: Literal["", "enabled", "disabled", "expired"] = ""


@router.get("", response=ApplicationPage, summary="List external applications, by name", **_READ)
def list_applications(
    request: HttpRequest, wanted: Annotated[ApplicationQuery, Query()]
) -> answers.ApplicationPage:
    filters = ApplicationFilter(
        text=wanted.text, group_ids=_group_ids(request, wanted.group), status=wanted.status
    )
    found = select(
        filters, deps_of(request).clock.now(), after=text_cursor(wanted.cursor), limit=wanted.limit
    )
    describe = Describer(request)
    more = str(found.records[-1].values["name"]) if found.has_later else None
    return ApplicationPage(
        items=[describe.application(record) for record in found.records], next_cursor=next_cursor(more)
    )


@router.get("/{name}", response=Application, summary="One application", **_READ)
def get_application(request: HttpRequest, name: str) -> answers.Application:
    return Describer(request).application(find_application_named(request, name))


@router.post("", response={201: ApplicationSaved}, summary="Register an application", **_WRITE)
@change
def create_application(request: HttpRequest, given: ApplicationGiven) -> Answer:
    actor, deps = sign(request, caller_of(request))
    new = NewApplication(
        name=given.name, username=given.username, password=given.password, grants=_grants(request, given)
    )
    return _answer(request, register_application(actor, new, deps_of(request).passwords, deps), status=201)


@router.patch("/{name}", response=ApplicationSaved, summary="Change what an application may do", **_WRITE)
@change
def patch_application(request: HttpRequest, name: str, given: ApplicationChanged) -> Answer:
    find_application_named(request, name)
    actor, deps = sign(request, caller_of(request))
    identity = Identity(name=given.name, username=given.username)
    saved = change_application(actor, name, _grants(request, given), deps, identity=identity)
    return _answer(request, saved)


@router.post("/{name}/disable", response=ApplicationSaved, summary="Disable an application", **_WRITE)
@change
def disable_application(request: HttpRequest, name: str) -> Answer:
    return _set_enabled(request, name, enabled=False)


@router.post("/{name}/enable", response=ApplicationSaved, summary="Enable an application", **_WRITE)
@change
def enable_application(request: HttpRequest, name: str) -> Answer:
    return _set_enabled(request, name, enabled=True)


@router.post(
    "/{name}/rotate", response=ApplicationSaved, summary="Give an application another password", **_WRITE
)
@change
def rotate_application(request: HttpRequest, name: str, given: PasswordGiven) -> Answer:
    find_application_named(request, name)
    actor, deps = sign(request, caller_of(request))
    return _answer(request, rotate_password(actor, name, given.password, deps_of(request).passwords, deps))


@router.post(
    "/{name}/client-certificate",
    response={201: ClientCertificate},
    summary="Issue a client certificate, as PKCS#12",
    **_WRITE,
)
@change
def create_client_certificate(request: HttpRequest, name: str, given: ClientCertificateGiven) -> Answer:
    """The file and its passphrase are in the first answer alone; neither is kept."""
    find_application_named(request, name)
    actor, deps = sign(request, caller_of(request))
    wanted = CertificateWanted(
        application=name,
        profile=given.profile,
        common_name=given.common_name or name[:64],
        dns_names=tuple(given.dns_names),
        key_type=given.key_type,
    )
    issued = order_certificate(actor, wanted, deps, deps_of(request).ordering)
    fields = describe_certificate(issued.certificate, Names((issued.certificate,)), deps.clock.now())
    file = base64.b64encode(issued.pkcs12).decode("ascii")
    return answer_of(ClientCertificate(**fields), status=201, pkcs12=file, passphrase=issued.passphrase)


@router.delete(
    "/{name}", response={200: ApplicationRemoved, 204: None}, summary="Remove an application", **_WRITE
)
@change
def delete_application(request: HttpRequest, name: str) -> Answer:
    """200 with what could not be revoked, 204 where there is nothing to tell."""
    find_application_named(request, name)
    actor, deps = sign(request, caller_of(request))
    failed = remove_application(actor, name, deps)
    return answer_of(ApplicationRemoved(warnings=list(failed))) if failed else NOTHING


def _set_enabled(request: HttpRequest, name: str, *, enabled: bool) -> Answer:
    find_application_named(request, name)
    actor, deps = sign(request, caller_of(request))
    return _answer(request, set_application_enabled(actor, name, enabled=enabled, deps=deps))


def _group_ids(request: HttpRequest, code: str | None) -> Collection[int] | None:
    """None is every group. Of a group that is not the caller's there is nothing."""
    own = Scope.of(request).group_ids
    if code is None:
        return own
    group = deps_of(request).records.find("group", code=code)
    return () if group is None or not Scope.of(request).has_record(group) else (int(group.id),)


def _answer(request: HttpRequest, registered: Registered, *, status: int = 200) -> Answer:
    fields = Describer(request).application_fields(fresh(request, registered.record))
    body = ApplicationSaved(**fields, warnings=list(registered.warnings))
    return answer_of(body, status=status, password=registered.generated_password)


def _grants(request: HttpRequest, given: GrantsGiven) -> Grants:
    if given.group is not None:
        find_group_named(request, given.group)
    return grants_of(given)
