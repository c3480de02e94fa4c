"""External applications: the list, and the page of one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.html import format_html
from django.views.decorators.http import require_POST, require_safe

from certuary.core.seal import Seal
from certuary.core.values import serial_to_text
from certuary.errors import InvalidSeal, NotFound
from certuary.portal.access import may_administer
from certuary.portal.certificate_fields import names_in_words
from certuary.portal.certificate_status import status_mark, status_word
from certuary.portal.changes.applications import Names, grant_groups
from certuary.portal.columns import texts
from certuary.portal.deps import deps_of
from certuary.portal.endpoints import Endpoints
from certuary.portal.problem import problem_page
from certuary.portal.rows import SealStates, missing_rows, moment_cell
from certuary.portal.scope import Scope, find_application
from certuary.portal.signing import propose
from certuary.portal.tables import (
    Cell,
    Chip,
    Choice,
    Column,
    Row,
    Table,
    clipped,
    number_of,
    table_response,
    without,
)
from certuary.portal.templatetags.portal import state
from certuary.portal.told import told
from certuary.services.ports import AuditRow, CertificateRow, Record, StoredEvent
from certuary.services.trusted_feed import MISSING
from certuary.store.applications import (
    DISABLED,
    ENABLED,
    EXPIRED,
    ApplicationFilter,
    last_used,
    list_applications,
)
from certuary.store.audit import events_about
from certuary.store.certificates import CertificateFilter, list_certificates

_BROKEN: Final = "broken"
_STATUSES: Final = ((ENABLED, "Enabled"), (DISABLED, "Disabled"), (EXPIRED, "Expired"))
_COLUMNS: Final = (
    Column(name="name", title="Name"),
    Column(name="username", title="Username"),
    Column(name="status", title="Status"),
    Column(name="group", title="Group"),
    Column(name="networks", title="From"),
    Column(name="profiles", title="Profiles", is_extra=True),
    Column(name="labels", title="Labels", is_extra=True),
    Column(name="last_used", title="Last used"),
    Column(name="expires", title="Expires"),
    Column(name="seal", title="Seal"),
)
_CERTIFICATES_A_PAGE: Final = 10
_EVENTS_A_PAGE: Final = 20
_A_MOMENT: Final = timedelta(seconds=5)
"""Between a row and the event that tells of it."""
_ACTIONS: Final = {
    "disable": "application-disable",
    "enable": "application-enable",
    "delete": "application-delete",
}
_HIDDEN: Final = "(secret)"
_HISTORY_COLUMNS: Final = {
    "name": "name",
    "username": "username",
    "password_hash": "password",
    "enabled": "enabled",
    "networks": "networks",
    "group_id": "group",
    "profile_ids": "profiles",
    "labels": "labels",
    "subject_rule": "subject rule",
    "expires_at": "expires",
}


@require_safe
def applications(request: HttpRequest) -> HttpResponse:
    deps = deps_of(request)
    now, names = deps.clock.now(), Names.read(deps.records)
    wanted = _filter(request)
    page = list_applications(wanted, now, after=_typed(request, "after"), before=_typed(request, "before"))
    states = SealStates(request)
    used = last_used([int(record.id) for record in page.records])
    rows = [_row(record, names, states, used, now) for record in page.records]
    table = Table(
        caption="External applications",
        columns=_COLUMNS,
        rows=(*rows, *_missing(request, wanted)),
        newer_text="Previous",
        older_text="Next",
        newer_url=_page_url(request, before=page.records[0]) if page.has_earlier and page.records else "",
        older_url=_page_url(request, after=page.records[-1]) if page.has_later and page.records else "",
        search_label="Name or username",
        query=wanted.text,
        choices=_choices(request, names),
        chips=_chips(request, names),
        **_empty(request),
    )
    context = {
        "title": "External Applications",
        "lead": "Who may enrol, from where, for what.",
        "actions": [("New", "/applications/new/")] if may_administer(request) else [],
    }
    return table_response(request, "portal/list.html", table, context)


@require_safe
def application(request: HttpRequest, number: int) -> HttpResponse:
    try:
        record = find_application(request, number)
    except NotFound as problem:
        return problem_page(request, problem)
    certificates = _certificates(request, record)
    if request.GET.get("format") in ("csv", "json"):
        return table_response(request, "", certificates)
    deps = deps_of(request)
    now, names, states = deps.clock.now(), Names.read(deps.records), SealStates(request)
    since = record.values["created_at"]
    events = events_about(
        (f"application:{record.values['name']}",),
        before=number_of(request, "history"),
        since=since - _A_MOMENT if isinstance(since, datetime) else None,
    )
    endpoints = Endpoints.read(deps.records)
    context = {
        "record": record,
        "values": record.values,
        "group": names.of_group(record.values),
        "status": _status(record.values, now),
        "used": last_used([number]).get(number),
        "sections": grant_groups(record.values, names, endpoints, now),
        "est_urls": [f"{deps.est_url}/{one.label}".rstrip("/") for one in endpoints.of(record.values)],
        "seal_problem": states.problem(record),
        "seal": _seal(record),
        "table": certificates,
        "events": [_event(event, names) for event in events],
        "older_events": events[-1].number if len(events) == _EVENTS_A_PAGE else None,
        "may_administer": may_administer(request),
    }
    return render(request, "portal/applications/page.html", context)


@require_POST
def act(request: HttpRequest, number: int, action: str) -> HttpResponse:
    """Disable, enable, delete: nothing to fill in, so that Verify and Confirm is next."""
    try:
        record = find_application(request, number)
        if action not in _ACTIONS:
            raise NotFound("there is no such action")
    except NotFound as problem:
        return problem_page(request, problem)
    return redirect(propose(request, _ACTIONS[action], {"id": record.id}))


def _filter(request: HttpRequest) -> ApplicationFilter:
    scope, chosen = Scope.of(request), number_of(request, "group")
    groups = scope.group_ids
    if chosen is not None:
        groups = frozenset({chosen}) if scope.has_group(chosen) else frozenset()
    return ApplicationFilter(
        text=_typed(request, "q"),
        group_ids=groups,
        status=request.GET.get("status", ""),
        names=_broken_names(request) if request.GET.get("seal") == _BROKEN else None,
    )


def _broken_names(request: HttpRequest) -> tuple[str, ...]:
    """As the look at all seals found them, which runs all the time: few, however many applications there are."""
    told = deps_of(request).records.problems_told()
    return tuple(subject.name for subject in told if subject.kind == "application")


def _missing(request: HttpRequest, wanted: ApplicationFilter) -> tuple[Row, ...]:
    """Those whose rows are gone; of which group they were, nothing says, so that who sees all groups sees them."""
    if not Scope.of(request).sees_everything or wanted.text or wanted.status or request.GET.get("group"):
        return ()
    if request.GET.get("after") or request.GET.get("before"):
        return ()
    records = deps_of(request).records
    told = records.problems_told()
    gone = sorted(
        (subject.name, "/seals/")
        for subject, reason in told.items()
        if subject.kind == "application"
        and reason == MISSING
        and records.find("application", name=subject.name) is None
    )
    return missing_rows(gone, columns=len(_COLUMNS))


def _row(
    record: Record, names: Names, states: SealStates, used: Mapping[int, datetime], now: datetime
) -> Row:
    values = record.values
    tone, word = _status(values, now)
    networks, labels = texts(values["networks"]), texts(values["labels"])
    last, expires_at = used.get(int(record.id)), values["expires_at"]
    assert expires_at is None or isinstance(expires_at, datetime)
    return Row(
        cells=(
            _clipped_cell(str(values["name"]), url=f"/applications/{record.id}/"),
            _clipped_cell(str(values["username"])),
            Cell(text=word.lower(), html=state(tone, word)),
            _clipped_cell(names.of_group(values)),
            _networks_cell(networks),
            _clipped_cell(names.of_profiles(values) or "default"),
            _clipped_cell(", ".join(labels) or "none"),
            moment_cell(last),
            moment_cell(expires_at),
            _seal_cell(record, states),
        ),
        is_broken=states.is_broken(record),
    )


def _clipped_cell(text: str, url: str = "") -> Cell:
    return Cell(text=text, html=clipped(text), url=url)


def _seal_cell(record: Record, states: SealStates) -> Cell:
    """Short, for a line of a list; the page of the record says what differs."""
    problem = states.problem(record)
    if problem is None:
        return states.cell(record)
    html = format_html('<span title="{}">{}</span>', problem, state("broken", "Broken"))
    return Cell(text=f"broken: {problem}", html=html, url=f"/applications/{record.id}/")


def _networks_cell(networks: list[str]) -> Cell:
    if not networks:
        return Cell(text="any address", html=state("attention", "Any address"))
    first, more = networks[0], len(networks) - 1
    html = format_html('<span class="mono text-nowrap">{}</span>', first)
    if more:
        html = format_html(
            '{} <span class="text-nowrap" title="{}">+ {}</span>', html, ", ".join(networks), more
        )
    return Cell(text=", ".join(networks), html=html)


def _status(values: Mapping[str, object], now: datetime) -> tuple[str, str]:
    """(tone, word)"""
    if not values["enabled"]:
        return "quiet", "Disabled"
    expires_at = values["expires_at"]
    if isinstance(expires_at, datetime) and expires_at <= now:
        return "attention", "Expired"
    return "good", "Enabled"


def _choices(request: HttpRequest, names: Names) -> tuple[Choice, ...]:
    scope = Scope.of(request)
    groups = [(str(key), text) for key, text in names.groups.items() if scope.has_group(key)]
    return (
        Choice(
            name="group", title="Group", options=[("", "Any"), *groups], value=request.GET.get("group", "")
        ),
        Choice(
            name="status",
            title="Status",
            options=[("", "Any"), *_STATUSES],
            value=request.GET.get("status", ""),
        ),
        Choice(
            name="seal",
            title="Seal",
            options=[("", "Any"), (_BROKEN, "Broken")],
            value=request.GET.get("seal", ""),
        ),
    )


def _chips(request: HttpRequest, names: Names) -> tuple[Chip, ...]:
    groups = {str(number): text for number, text in names.groups.items()}
    shown: tuple[tuple[str, str, Mapping[str, str]], ...] = (
        ("q", "Name or username", {}),
        ("group", "Group", groups),
        ("status", "Status", dict(_STATUSES)),
        ("seal", "Seal", {}),
    )
    return tuple(
        Chip(text=f"{title}: {words.get(value, value)}", remove_url=without(request, name, "after", "before"))
        for name, title, words in shown
        if (value := request.GET.get(name, "").strip())
    )


def _empty(request: HttpRequest) -> dict[str, Any]:
    if any(request.GET.get(name) for name in ("q", "group", "status", "seal", "after", "before")):
        return {"empty_title": "Nothing fits these filters", "empty_text": "Take one away, or look for less."}
    return {
        "empty_title": "No external applications yet",
        "empty_text": "An application is whoever enrols: a device, a server, a router, a management system. "
        "It has a username and a password, the networks it may come from, and the names it may ask for.",
        "empty_action": ("New application", "/applications/new/") if may_administer(request) else None,
    }


def _page_url(request: HttpRequest, **key: Record) -> str:
    ((name, record),) = key.items()
    return without(request, "after", "before", **{name: str(record.values["name"])})


def _certificates(request: HttpRequest, record: Record) -> Table:
    wanted = CertificateFilter(application_ids=(int(record.id),))
    page = list_certificates(wanted, after=number_of(request, "after"), limit=_CERTIFICATES_A_PAGE)
    now = deps_of(request).clock.now()
    return Table(
        caption="Newest certificates",
        columns=(
            Column(name="serial", title="Serial"),
            Column(name="subject", title="Subject"),
            Column(name="names", title="Names"),
            Column(name="status", title="Status"),
            Column(name="issued", title="Issued"),
            Column(name="expires", title="Expires"),
        ),
        rows=[_certificate_row(row, now) for row in page.certificates],
        older_url=without(request, after=str(page.after)) if page.after else "",
        newer_url=without(request, "after") if request.GET.get("after") else "",
        newer_text="Newest",
        empty_title="No certificates yet",
        empty_text="Its first enrolment shows here.",
    )


def _certificate_row(row: CertificateRow, now: datetime) -> Row:
    serial = serial_to_text(row.serial)
    return Row(
        cells=(
            Cell(
                text=serial,
                html=format_html('<span class="mono text-nowrap">{}</span>', serial),
                url=f"/certificates/{serial}/",
            ),
            Cell(text=row.subject),
            Cell(text=names_in_words(row.alternative_names)),
            Cell(text=status_word(row, now), html=status_mark(row, now)),
            moment_cell(row.issued_at),
            moment_cell(row.not_after),
        )
    )


def _event(event: StoredEvent, names: Names) -> dict[str, object]:
    row = event.event
    return {
        "at": row.at,
        "who": row.actor,
        "what": row.kind.partition(".")[2] or row.kind,
        "address": row.address,
        "changes": _changes(row.detail, names),
        "former": _former_name(row),
    }


def _former_name(row: AuditRow) -> str:
    """Under which the log has what came before."""
    if row.kind != "application.renamed":
        return ""
    try:
        return str(json.loads(row.detail)["before"]["name"])
    except (ValueError, KeyError, TypeError):
        return ""


def _changes(detail: str, names: Names) -> list[tuple[str, str, str]]:
    """(column, before, after), as the event tells it."""
    try:
        given = json.loads(detail)
        before, after = given.get("before") or {}, given.get("after") or {}
        changes = [(key, _said(key, before, names), _said(key, after, names)) for key in _HISTORY_COLUMNS]
        return [
            (_HISTORY_COLUMNS[key], old, new) for key, old, new in changes if old != new or old == _HIDDEN
        ]
    except (ValueError, AttributeError, TypeError):
        return [("detail", "", detail[:200])]


def _said(key: str, values: Mapping[str, object], names: Names) -> str:
    value = values.get(key)
    if key == "group_id" and value is not None:
        return names.of_group(values)
    if key == "profile_ids" and value:
        return names.of_profiles(values)
    return told(value)


def _seal(record: Record) -> Seal | None:
    try:
        return Seal.from_text(record.seal)
    except InvalidSeal:
        return None


def _typed(request: HttpRequest, name: str) -> str:
    """A parameter as text that every database takes."""
    text = request.GET.get(name, "")[:128]
    return "".join(character for character in text if character.isprintable()).strip()
