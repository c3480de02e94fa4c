"""Authorities over the API, and their files."""

from __future__ import annotations

from typing import Literal

from django.http import HttpRequest, HttpResponse
from ninja import Router

from certuary.portal.access import EVERYBODY
from certuary.portal.api import answers
from certuary.portal.api.callers import needs
from certuary.portal.api.describe import Describer
from certuary.portal.api.files import files_of
from certuary.portal.api.pages import Paging, after, cut
from certuary.portal.authority_files import authority_file, check_readable
from certuary.portal.deps import deps_of
from certuary.portal.downloads import download
from certuary.services.authorities import certificate_der, export_certificates
from certuary.services.find_record import find_named
from certuary.services.record_gate import name_of
from certuary.store.crls import DjangoCrlStore

router = Router(tags=["Authorities"])

_READ = needs("authorities:read", EVERYBODY)


@router.get("", response=answers.AuthorityPage, summary="List authorities, by name", **_READ)
def list_authorities(request: HttpRequest, paging: Paging) -> answers.AuthorityPage:
    found = after(deps_of(request).records.all("authority"), paging.cursor, paging.limit, name_of)
    shown, cursor = cut(found, paging.limit, name_of)
    describe = Describer(request)
    return answers.AuthorityPage(items=[describe.authority(record) for record in shown], next_cursor=cursor)


@router.get(
    "/{name}", response=answers.WholeAuthority, summary="One authority, with its PEM and its CRL", **_READ
)
def get_authority(request: HttpRequest, name: str) -> answers.WholeAuthority:
    record = check_readable(find_named(deps_of(request).records, "authority", name))
    assert isinstance(record.id, int)
    describe, crl = Describer(request), DjangoCrlStore().latest(record.id)
    return answers.WholeAuthority(
        **describe.authority_fields(record),
        pem=export_certificates((certificate_der(record),), "pem").decode("ascii"),
        crl=None if crl is None else describe.crl(crl, record),
    )


@router.get(
    "/{name}/files/{form}",
    response={200: None},
    summary="Download its certificate, its chain or its CRL",
    **needs("authorities:read", EVERYBODY, responses=files_of("pem", "der", "p7b", "crl")),
)
def download_authority(
    request: HttpRequest, name: str, form: Literal["pem", "der", "p7b", "chain", "chain-p7b", "crl"]
) -> HttpResponse:
    record = check_readable(find_named(deps_of(request).records, "authority", name))
    assert isinstance(record.id, int)
    return download(*authority_file(record.id, form, deps_of(request)))
