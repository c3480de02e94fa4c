"""Certificates over the API: search, one in full, where it comes from, its files, revoke."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router
from pydantic import Field, model_validator

from certuary.errors import InvalidMark, MalformedCertificate, NotFound
from certuary.portal.access import EVERYBODY, OFFICERS
from certuary.portal.api import answers
from certuary.portal.api.callers import caller_of, needs, sign
from certuary.portal.api.describe import csr_pem, describe_certificate, describe_event, describe_sections
from certuary.portal.api.files import files_of
from certuary.portal.api.idempotency import Answer, answer_of, change
from certuary.portal.api.pages import PageQuery, next_cursor, number_cursor, wrong_cursor
from certuary.portal.api.schemas import MomentGiven, RevocationGiven
from certuary.portal.authority_files import chain_above
from certuary.portal.certificate_fields import decode
from certuary.portal.certificate_search import Criteria, find_certificate, find_certificates, mark_problem
from certuary.portal.deps import deps_of
from certuary.portal.downloads import download
from certuary.portal.names import Names
from certuary.portal.scope import Scope
from certuary.services.authorities import export_certificates
from certuary.services.change_record import change_records
from certuary.services.ports import CertificateRow
from certuary.services.revoke import parse_reason
from certuary.store.certificate_history import enrolment_of, events_of

router = Router(tags=["Certificates"])

_READ = needs("certificates:read", EVERYBODY)


class CertificateQuery(PageQuery):
    subject: str = Field("", max_length=500, description="its beginning: CN=dev-1, or just dev-1")
    alternative_name: str = Field("", max_length=253, description="part of one")
    serial: str = Field("", max_length=60, description="in hex")
    sha256: str = Field("", max_length=120, description="of the certificate or its key, asked for alone")
    application: str = Field("", max_length=64, description="an application's name")
    profile: str = Field("", max_length=64, description="a profile's name")
    status: Literal["", "valid", "expired", "revoked"] = ""
    expiring_within_days: int | None = Field(
        None, ge=0, le=36500, description="still valid, not much longer; in the place of the next two"
    )
    expires_from: MomentGiven | None = None
    expires_before: MomentGiven | None = None

    @model_validator(mode="after")
    def _fits(self) -> CertificateQuery:
        if self.sha256 and len(self.model_fields_set - {"sha256", "cursor", "limit", "application"}) > 0:
            raise ValueError("sha256 is asked for alone, or with an application")
        if self.expiring_within_days is not None and (self.expires_from or self.expires_before):
            raise ValueError("expiring_within_days is asked for without expires_from and expires_before")
        return self


@router.get("", response=answers.CertificatePage, summary="Search certificates", **_READ)
def search_certificates(
    request: HttpRequest, query: Annotated[CertificateQuery, Query()]
) -> answers.CertificatePage:
    """Newest first; by subject in the order of subjects, by expiry the soonest first."""
    now, days = deps_of(request).clock.now(), query.expiring_within_days
    wanted = Criteria(
        subject=query.subject,
        alternative_name=query.alternative_name,
        serial=query.serial,
        fingerprint=query.sha256,
        application=query.application,
        profile=query.profile,
        status=query.status or ("" if days is None else "valid"),
        expiring_from=query.expires_from if days is None else now,
        expiring_before=query.expires_before if days is None else now + timedelta(days=days),
    )
    after = number_cursor(query.cursor)
    try:
        found = find_certificates(Scope.of(request), wanted, now, after=after, limit=query.limit)
    except NotFound:
        raise wrong_cursor() from None
    names = Names(found.certificates)
    return answers.CertificatePage(
        items=[answers.Certificate(**describe_certificate(row, names, now)) for row in found.certificates],
        next_cursor=next_cursor(found.older),
        stopped=found.stopped,
    )


@router.get(
    "/{serial}", response=answers.WholeCertificate, summary="One certificate, decoded, with its PEM", **_READ
)
def get_certificate(request: HttpRequest, serial: str) -> answers.WholeCertificate:
    return _whole(request, find_certificate(Scope.of(request), serial))


@router.get(
    "/{serial}/trail", response=answers.Trail, summary="The request that made it, and its events", **_READ
)
def get_certificate_trail(request: HttpRequest, serial: str) -> answers.Trail:
    row = find_certificate(Scope.of(request), serial)
    made = enrolment_of(row)
    enrolment = None
    if made is not None:
        enrolment = answers.Enrolment(
            request_id=made.request_id,
            at=made.at,
            operation=made.operation,
            label=made.label,
            address=made.address,
            csr=csr_pem(made.csr_der),
        )
    events = events_of(row, made.request_id if made else "")
    return answers.Trail(request=enrolment, events=[describe_event(event) for event in events])


@router.get(
    "/{serial}/files/{form}",
    response={200: None},
    summary="Download it, alone or with its chain",
    **needs("certificates:read", EVERYBODY, responses=files_of("pem", "der", "p7b")),
)
def download_certificate(
    request: HttpRequest, serial: str, form: Literal["pem", "der", "p7b", "chain", "chain-p7b"]
) -> HttpResponse:
    """The chain is the certificate and every authority above it."""
    row = find_certificate(Scope.of(request), serial)
    has_chain = form in ("chain", "chain-p7b")
    ders = (row.der, *(chain_above(row.authority_id, deps_of(request)) if has_chain else ()))
    kind = {"chain": "pem", "chain-p7b": "p7b"}.get(form, form)
    name = f"{serial.lower()}-chain" if has_chain else serial.lower()
    try:
        return download(export_certificates(ders, kind), kind, name)
    except MalformedCertificate:
        raise InvalidMark(
            f"the record of certificate {serial} was altered: its DER cannot be parsed"
        ) from None


@router.post(
    "/{serial}/revoke",
    response=answers.WholeCertificate,
    summary="Revoke a certificate",
    **needs("certificates:revoke", OFFICERS),
)
@change
def revoke_certificate(request: HttpRequest, serial: str, given: RevocationGiven) -> Answer:
    row = find_certificate(Scope.of(request), serial)
    reason = parse_reason(given.reason)
    actor, deps = sign(request, caller_of(request))
    with change_records(actor, deps) as changes:
        revoked = changes.revoke(row, reason)
    return answer_of(_whole(request, revoked))


def _whole(request: HttpRequest, row: CertificateRow) -> answers.WholeCertificate:
    try:
        pem = export_certificates((row.der,), "pem").decode("ascii")
    except MalformedCertificate:
        pem = ""
    deps = deps_of(request)
    authority = deps.records.find("authority", id=row.authority_id)
    return answers.WholeCertificate(
        **describe_certificate(row, Names((row,)), deps.clock.now()),
        pem=pem,
        mark_problem=mark_problem(request, row, authority) or None,
        decoded=describe_sections(decode(row.der)),
    )
