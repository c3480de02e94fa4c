"""Certificates over the API: search, one with its PEM, revoke."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router
from pydantic import Field

from certuary.core.names import subject_search_key
from certuary.core.values import serial_from_text
from certuary.errors import Conflict, NotFound
from certuary.portal.api.callers import caller_of, check_group, group_ids_of, sign
from certuary.portal.api.describe import describe_certificate
from certuary.portal.api.idempotency import Answer, change
from certuary.portal.api.pages import PageQuery, number_cursor, page
from certuary.portal.api.schemas import Item, Page, RevocationGiven
from certuary.portal.api.tokens import ApiCaller
from certuary.portal.deps import deps_of
from certuary.portal.names import application_names
from certuary.services.authorities import export_certificates
from certuary.services.change_record import change_records
from certuary.services.ports import CertificateRow
from certuary.services.revoke import parse_reason
from certuary.store.certificates import CertificateFilter, list_certificates
from certuary.store.models import Application

router = Router(tags=["Certificates"])
READ, REVOKE = "certificates:read", "certificates:revoke"


class CertificateQuery(PageQuery):
    subject: str | None = Field(None, max_length=500, description="its beginning: CN=dev-1, or just dev-1")
    serial: str | None = Field(None, max_length=60, description="in hex")
    application: str | None = Field(None, max_length=64, description="an application's name")
    expiring_within_days: int | None = Field(None, ge=0, le=36500, description="still valid, not much longer")
    revoked: bool | None = None


@router.get("", response=Page, summary="Search certificates, newest first")
def search_certificates(request: HttpRequest, query: Annotated[CertificateQuery, Query()]) -> dict[str, Any]:
    caller = caller_of(request, READ)
    now = deps_of(request).clock.now()
    days = query.expiring_within_days
    wanted = CertificateFilter(
        serial=serial_from_text(query.serial) if query.serial else None,
        application_ids=_applications(caller, query.application),
        subject_prefix=subject_search_key(query.subject) if query.subject else None,
        expiring_from=now if days is not None else None,
        expiring_before=now + timedelta(days=days) if days is not None else None,
        revoked=query.revoked,
    )
    found = list_certificates(wanted, after=number_cursor(query.cursor), limit=query.limit)
    names = application_names(row.application_id for row in found.certificates)
    items = [describe_certificate(row, names.get(row.application_id or 0), now) for row in found.certificates]
    return page(items, found.after)


@router.get("/{serial}", response=Item, summary="One certificate, with its PEM")
def get_certificate(request: HttpRequest, serial: str) -> dict[str, Any]:
    caller = caller_of(request, READ)
    return _described(request, _own(request, caller, serial))


@router.post("/{serial}/revoke", response=Item, summary="Revoke a certificate")
@change
def revoke_certificate(request: HttpRequest, serial: str, given: RevocationGiven) -> Answer:
    caller = caller_of(request, REVOKE)
    row = _own(request, caller, serial)
    reason = parse_reason(given.reason)
    actor, deps = sign(request, caller)
    with change_records(actor, deps) as changes:
        revoked = changes.revoke(row, reason)
    return Answer(body=_described(request, revoked))


def _applications(caller: ApiCaller, name: str | None) -> tuple[int, ...] | None:
    """None is every application and none at all."""
    groups = group_ids_of(caller)
    if groups is None and name is None:
        return None
    found = Application.objects.all() if groups is None else Application.objects.filter(group_id__in=groups)
    if name is not None:
        found = found.filter(name=name)
    return tuple(found.values_list("id", flat=True))


def _own(request: HttpRequest, caller: ApiCaller, serial: str) -> CertificateRow:
    rows = list_certificates(CertificateFilter(serial=serial_from_text(serial)), limit=2).certificates
    if not rows:
        raise NotFound("there is no such certificate")
    group = None
    if rows[0].application_id is not None:
        application = deps_of(request).records.find_ever("application", rows[0].application_id)
        group = None if application is None else application.values["group_id"]
    check_group(caller, group, "such certificate")
    if len(rows) > 1:
        raise Conflict("two authorities have issued this serial; use the portal or the command")
    return rows[0]


def _described(request: HttpRequest, row: CertificateRow) -> dict[str, Any]:
    name = application_names((row.application_id,)).get(row.application_id or 0)
    pem = export_certificates((row.der,), "pem").decode()
    return {**describe_certificate(row, name, deps_of(request).clock.now()), "pem": pem}
