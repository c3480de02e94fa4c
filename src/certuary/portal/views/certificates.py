"""Certificates: search, one of them in full, downloads, and the way to a revocation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.html import format_html

from certuary.core.certificate import certificate_from_der
from certuary.core.values import serial_to_text
from certuary.errors import CertuaryError, InvalidMark, InvalidValue, MalformedCertificate, NotFound
from certuary.portal.authority_files import chain_above
from certuary.portal.certificate_fields import decode
from certuary.portal.certificate_search import Criteria, find_certificate, find_certificates, mark_problem
from certuary.portal.certificate_status import status_mark, status_word
from certuary.portal.deps import deps_of
from certuary.portal.downloads import download
from certuary.portal.forms.certificates import RevokeForm
from certuary.portal.lifebar import Lifebar
from certuary.portal.names import Names
from certuary.portal.problem import problem_page
from certuary.portal.scope import Scope
from certuary.portal.signing import content_of, propose
from certuary.portal.tables import (
    Cell,
    Chip,
    Choice,
    Column,
    Row,
    Table,
    TextFilter,
    clipped,
    number_of,
    page_url,
    table_response,
    without,
)
from certuary.portal.templatetags.portal import moment
from certuary.portal.visible import visible
from certuary.services.authorities import FORMATS, chain_of, export_certificates
from certuary.services.entitlement import CA_ADMINISTRATOR, OFFICER
from certuary.services.ports import APPLICATION_SOURCE, CertificateRow
from certuary.store.certificate_history import enrolment_of, events_of
from certuary.store.certificate_pages import LOOKED_AT, SearchPage
from certuary.store.database import read
from certuary.store.models import Application, Profile

_KINDS: Final = (
    ("", "Subject"),
    ("san", "Alternative name"),
    ("serial", "Serial number"),
    ("sha256", "SHA-256"),
)
_CRITERIA: Final = {
    "": "subject",
    "san": "alternative_name",
    "serial": "serial",
    "sha256": "fingerprint",
}
_STATUSES: Final = (("", "Any"), ("valid", "Valid"), ("expired", "Expired"), ("revoked", "Revoked"))
_WINDOWS: Final = (("", "Any"), ("7", "Within 7 days"), ("30", "Within 30 days"), ("90", "Within 90 days"))
_COLUMNS: Final = (
    Column(name="subject", title="Subject"),
    Column(name="serial", title="Serial number"),
    Column(name="application", title="Application"),
    Column(name="profile", title="Profile"),
    Column(name="not_after", title="Valid until"),
    Column(name="status", title="Status"),
)
_SUGGESTED: Final = 100
_SHORT_SERIAL: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The search as the URL has it."""

    query: str
    kind: str
    application: str
    profile: str
    status: str
    window: str
    since: str
    until: str

    @classmethod
    def of(cls, request: HttpRequest) -> _Asked:
        def given(name: str, known: tuple[tuple[str, str], ...] | None = None) -> str:
            value = request.GET.get(name, "").strip()[:200]
            return value if known is None or value in dict(known) else ""

        return cls(
            query=given("q"),
            kind=given("by", _KINDS),
            application=given("application"),
            profile=given("profile"),
            status=given("status", _STATUSES),
            window=given("expires", _WINDOWS),
            since=given("from"),
            until=given("to"),
        )


def certificates(request: HttpRequest) -> HttpResponse:
    asked = _Asked.of(request)
    now = deps_of(request).clock.now()
    problem = ""
    try:
        page = _search(request, asked, now)
    except CertuaryError as refusal:
        page, problem = SearchPage(certificates=()), refusal.detail
    names = Names(page.certificates)
    table = Table(
        caption="Certificates",
        columns=_COLUMNS,
        rows=[_row(row, names, now) for row in page.certificates],
        older_url=page_url(request, "after", page.older),
        newer_url=page_url(request, "before", page.newer),
        chips=_chips(request, asked),
        choices=(
            Choice(name="by", title="Look in", options=_KINDS, value=asked.kind),
            Choice(name="status", title="Status", options=_STATUSES, value=asked.status),
            Choice(name="expires", title="Expires", options=_WINDOWS, value=asked.window),
        ),
        texts=(
            TextFilter(
                name="application",
                title="Application",
                value=asked.application,
                suggestions=_application_names(request),
            ),
            TextFilter(
                name="profile", title="Profile", value=asked.profile, suggestions=_profile_names(request)
            ),
            TextFilter(name="from", title="Expires from", value=asked.since, kind="date"),
            TextFilter(name="to", title="Expires before", value=asked.until, kind="date"),
        ),
        search_label="Search",
        query=asked.query,
        note=_note(page),
        empty_title=_empty_title(problem, page),
        empty_text=_empty_text(problem, page, is_filtered=bool(_chips(request, asked))),
    )
    context = {"title": "Certificates", "lead": "What was issued, to whom, and what it is worth now."}
    return table_response(request, "portal/list.html", table, context)


def certificate(request: HttpRequest, serial: str) -> HttpResponse:
    row = find_or_404(request, serial)
    deps, names = deps_of(request), Names((row,))
    now = deps.clock.now()
    enrolment = enrolment_of(row)
    authority = deps.records.find("authority", id=row.authority_id)
    context = {
        "row": row,
        "serial": serial_to_text(row.serial),
        "title": common_name(row),
        "status": status_mark(row, now),
        "speaks_for_application": row.source == APPLICATION_SOURCE,
        "is_revocable": row.revoked_at is None and _may_revoke(request),
        "application": names.application(row),
        "profile": names.profile(row),
        "sections": decode(row.der),
        "lifebar": Lifebar.of(row.not_before, row.not_after, now),
        "chain": chain_of(deps.records, str(authority.values["name"])) if authority else (),
        "enrolment": enrolment,
        "events": events_of(row, enrolment.request_id if enrolment else ""),
        "mark_problem": mark_problem(request, row, authority),
        "pem": _pem(row),
    }
    return render(request, "portal/certificate.html", context)


def certificate_download(request: HttpRequest, serial: str, form: str) -> HttpResponse:
    row = find_or_404(request, serial)
    if form not in (*FORMATS, "chain"):
        raise Http404
    name = serial_to_text(row.serial)
    if form == "chain":
        above = chain_above(row.authority_id, deps_of(request))
        return _exported(request, (row.der, *above), "pem", f"{name}-chain")
    return _exported(request, (row.der,), form, name)


def revoke_certificate(request: HttpRequest, serial: str) -> HttpResponse:
    row = find_or_404(request, serial)
    typed = content_of(request, request.GET.get("token"), "certificate-revoke")
    form = RevokeForm(request.POST or None, initial=typed)
    page_url = f"/certificates/{serial_to_text(row.serial)}/"
    if request.method == "POST" and form.is_valid():
        content = {"serial": serial_to_text(row.serial), **form.cleaned_data}
        return redirect(propose(request, "certificate-revoke", content))
    lead = f"{common_name(row)}, serial number {serial_to_text(row.serial)}"
    context = {"form": form, "title": "Revoke certificate", "lead": lead, "back_url": page_url}
    return render(request, "portal/form.html", context)


def find_or_404(request: HttpRequest, serial: str) -> CertificateRow:
    """Somebody else's is as if it were not there."""
    try:
        return find_certificate(Scope.of(request), serial)
    except NotFound:
        raise Http404 from None


def common_name(row: CertificateRow) -> str:
    """What people call it: the common name, else the subject, else its first alternative name."""
    try:
        names = certificate_from_der(row.der).subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    except MalformedCertificate:
        names = []
    if names:
        return visible(str(names[0].value)) or "(empty common name)"
    return visible(row.subject or row.alternative_names.strip('[]"').partition('"')[0]) or "(no name)"


def _search(request: HttpRequest, asked: _Asked, now: datetime) -> SearchPage:
    since, until = _window(asked, now)
    by: dict[str, str] = {_CRITERIA[asked.kind]: asked.query}
    wanted = Criteria(
        **by,
        application=asked.application,
        profile=asked.profile,
        status=asked.status or ("valid" if asked.window else ""),  # type: ignore[arg-type]  # one of `_STATUSES`
        expiring_from=since,
        expiring_before=until,
    )
    after, before = number_of(request, "after"), number_of(request, "before")
    return find_certificates(Scope.of(request), wanted, now, after=after, before=before)


def _window(asked: _Asked, now: datetime) -> tuple[datetime | None, datetime | None]:
    if asked.window:
        return now, now + timedelta(days=int(asked.window))
    return _day(asked.since), _day(asked.until)


def _day(text: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        raise InvalidValue(f"{text!r} is not a day such as 2026-12-31", rule="date") from None


def _chips(request: HttpRequest, asked: _Asked) -> list[Chip]:
    named = (
        ("q", asked.query and f"{dict(_KINDS)[asked.kind]}: {asked.query}"),
        ("application", asked.application and f"Application: {asked.application}"),
        ("profile", asked.profile and f"Profile: {asked.profile}"),
        ("status", asked.status and f"Status: {asked.status}"),
        ("expires", asked.window and f"Expires within {asked.window} days"),
        ("from", asked.since and f"Expires from {asked.since}"),
        ("to", asked.until and f"Expires before {asked.until}"),
    )
    return [
        Chip(text=visible(text), remove_url=without(request, name, "after", "before", "format"))
        for name, text in named
        if text
    ]


def _row(row: CertificateRow, names: Names, now: datetime) -> Row:
    serial = serial_to_text(row.serial)
    profile = names.profile(row)
    name = common_name(row)
    code = format_html(
        '<span class="mono text-nowrap" title="{}">\u2026{}</span>', serial, serial[-_SHORT_SERIAL:]
    )
    application = names.application(row)
    return Row(
        cells=(
            Cell(text=visible(row.subject) or name, html=clipped(name), url=f"/certificates/{serial}/"),
            Cell(text=serial, html=code),
            Cell(text=application, html=clipped(application)),
            Cell(text=str(profile or ""), html=clipped(str(profile or ""))),
            Cell(text=f"{row.not_after:%Y-%m-%dT%H:%M:%SZ}", html=moment(row.not_after)),
            Cell(text=status_word(row, now), html=status_mark(row, now)),
        ),
        is_broken=row.revoked_at is not None,
    )


def _note(page: SearchPage) -> str:
    if not page.stopped:
        return ""
    return f"Looked at {LOOKED_AT:,} certificates for this page; Older goes on from there."


def _empty_title(problem: str, page: SearchPage) -> str:
    if problem:
        return "This search cannot be done"
    return f"Nothing among the {LOOKED_AT:,} that were looked at" if page.stopped else "No certificate"


def _empty_text(problem: str, page: SearchPage, *, is_filtered: bool) -> str:
    if problem:
        return f"{problem[0].upper()}{problem[1:]}."
    if page.stopped:
        return (
            "Older ones may fit. A subject or serial number finds a certificate at once, however old it is."
        )
    if is_filtered:
        return "None that you may see fits these filters."
    return "Certificates appear here as applications enrol over EST."


def _application_names(request: HttpRequest) -> list[str]:
    rows = Application.objects.filter(removed_at__isnull=True).order_by("name")
    scope = Scope.of(request)
    if scope.group_ids is not None:
        rows = rows.filter(group_id__in=scope.group_ids)
    return read(lambda: list(rows.values_list("name", flat=True)[:_SUGGESTED]))


def _profile_names(request: HttpRequest) -> list[str]:
    rows = Profile.objects.filter(removed_at__isnull=True).order_by("name")
    return read(lambda: list(rows.values_list("name", flat=True)[:_SUGGESTED]))


def _may_revoke(request: HttpRequest) -> bool:
    """Whose application it is was asked when it was found."""
    return Scope.of(request).role in (CA_ADMINISTRATOR, OFFICER)


def _pem(row: CertificateRow) -> str:
    try:
        return export_certificates((row.der,), "pem").decode("ascii")
    except MalformedCertificate:
        return ""


def _exported(
    request: HttpRequest, certificates_der: tuple[bytes, ...], form: str, name: str
) -> HttpResponse:
    try:
        return download(export_certificates(certificates_der, form), form, name)
    except MalformedCertificate:
        problem = InvalidMark(f"the record of certificate {name} was altered: its DER cannot be parsed")
        return problem_page(request, problem)
    except CertuaryError as problem:
        return problem_page(request, problem)
