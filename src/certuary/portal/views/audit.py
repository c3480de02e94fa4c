"""The audit log: what happened, and who did it. Filtered, one event in full, and all that is found as a file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils.html import format_html

from certuary.errors import CertuaryError, InvalidValue
from certuary.portal.audit_events import (
    JSON_LINES,
    checked_time,
    described,
    detail_of,
    event_file,
    json_part,
    newest_checkpoint,
)
from certuary.portal.problem import problem_page
from certuary.portal.scope import Scope
from certuary.portal.tables import (
    Cell,
    Chip,
    Column,
    Row,
    Table,
    TextFilter,
    clipped,
    number_of,
    page_url,
    spreadsheet_safe,
    table_response,
    without,
)
from certuary.portal.templatetags.portal import moment
from certuary.portal.told import told
from certuary.portal.visible import visible
from certuary.services.ports import StoredEvent
from certuary.store.audit_pages import LOOKED_AT, AuditPage, AuditSearch, find_event, search_events

KINDS: Final = (
    "application",
    "application.added",
    "application.changed",
    "application.removed",
    "audit",
    "authentication",
    "authentication.refused",
    "authentication.rate-limited",
    "authority",
    "blocklist.imported",
    "certificate.issued",
    "certificate.not-revoked",
    "certificate.order-refused",
    "certificate.order-withdrawn",
    "certificate.ordered",
    "certificate.revoked",
    "change.refused",
    "crl.published",
    "enrolment",
    "enrolment.issued",
    "enrolment.refused",
    "est.started",
    "est.stopped",
    "group",
    "keystore.passphrase",
    "label",
    "listener.renewed",
    "profile",
    "property",
    "seal.broken",
    "seal.mended",
    "user",
    "user.refused",
    "user.recovered",
)
_FIELDS: Final = (
    "number",
    "at",
    "kind",
    "actor_kind",
    "actor",
    "target",
    "address",
    "request_id",
    "detail",
    "stream",
    "seq",
    "hash",
)
_FILTERS: Final = ("kind", "actor", "target", "request_id", "since", "until")


def audit(request: HttpRequest) -> HttpResponse:
    problem, page = "", AuditPage(events=())
    try:
        page = search_events(
            _asked(request), before=number_of(request, "before"), after=number_of(request, "after")
        )
    except CertuaryError as refusal:
        problem = refusal.detail
    given = {name: request.GET.get(name, "").strip()[:200] for name in _FILTERS}
    table = Table(
        caption="Audit events",
        columns=(
            Column(name="kind", title="Event"),
            Column(name="at", title="When"),
            Column(name="actor", title="By"),
            Column(name="target", title="Target"),
            Column(name="address", title="From"),
            Column(name="request_id", title="Request"),
        ),
        rows=[_row(stored) for stored in page.events],
        older_url=page_url(request, "before", page.older),
        newer_url=page_url(request, "after", page.newer),
        chips=_chips(request, given),
        texts=(
            TextFilter(name="kind", title="Event", value=given["kind"], suggestions=KINDS),
            TextFilter(name="actor", title="By", value=given["actor"]),
            TextFilter(name="target", title="Target", value=given["target"]),
            TextFilter(name="request_id", title="Request", value=given["request_id"]),
            TextFilter(name="since", title="Since (UTC)", value=given["since"], kind="datetime-local"),
            TextFilter(name="until", title="Until (UTC)", value=given["until"], kind="datetime-local"),
        ),
        note=f"Looked at {LOOKED_AT:,} events for this page; Older goes on from there."
        if page.stopped
        else "",
        empty_title="This search cannot be done" if problem else "No event",
        empty_text=problem or "Nothing that you may see fits; what happened leaves its trace here.",
    )
    context = {
        "title": "Audit log",
        "lead": "What happened, and who did it. Events are only ever added.",
        "checkpoint": newest_checkpoint(request),
        "export_query": request.GET.urlencode(),
        "is_scoped": Scope.of(request).audit_reach() is not None,
    }
    return table_response(request, "portal/audit.html", table, context)


def audit_event(request: HttpRequest, number: int) -> HttpResponse:
    stored = find_event(number, Scope.of(request).audit_reach())
    if stored is None:
        raise Http404
    detail = detail_of(stored)
    before, after = _mapping(detail.get("before")), _mapping(detail.get("after"))
    context = {
        "stored": stored,
        "hash": stored.hash.hex(),
        "changes": [(key, _text(before, key), _text(after, key)) for key in dict.fromkeys([*before, *after])],
        "has_before": bool(before),
        "facts": [(key, told(value)) for key, value in detail.items() if key not in ("before", "after")],
        "certificate": _certificate_of(stored),
    }
    return render(request, "portal/audit_event.html", context)


def audit_export(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """All that is found, newest first, written while it is read."""
    try:
        wanted = _asked(request)
        if request.GET.get("format") == "csv":
            return _csv_file(request, wanted)
        return event_file(request, wanted, json_part, [], name="audit.jsonl", media_type=JSON_LINES)
    except CertuaryError as problem:
        return problem_page(request, problem)


def _csv_file(request: HttpRequest, wanted: AuditSearch) -> StreamingHttpResponse:
    heading = [_csv_line(_FIELDS)]
    return event_file(
        request, wanted, _csv_part, heading, name="audit.csv", media_type="text/csv; charset=utf-8"
    )


def _csv_part(part: Iterable[StoredEvent]) -> str:
    return "".join(_csv_line([_cell(described(stored)[field]) for field in _FIELDS]) for stored in part)


def _csv_line(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow([spreadsheet_safe(cell) for cell in cells])
    return line.getvalue()


def _cell(value: object) -> str:
    return (
        json.dumps(value, sort_keys=True) if isinstance(value, dict) else str("" if value is None else value)
    )


def _asked(request: HttpRequest) -> AuditSearch:
    given = {name: request.GET.get(name, "").strip()[:200] for name in _FILTERS}
    return AuditSearch(
        kind=given["kind"],
        actor=given["actor"],
        target=given["target"],
        request_id=given["request_id"],
        since=_moment(given["since"]),
        until=_moment(given["until"]),
        reach=Scope.of(request).audit_reach(),
    )


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
        moment = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidValue(f"{text!r} is not a time such as 2026-12-31T08:00", rule="time") from None
    return checked_time(moment)


def _chips(request: HttpRequest, given: Mapping[str, str]) -> list[Chip]:
    titles = {"kind": "Event", "actor": "By", "target": "Target", "request_id": "Request"}
    return [
        Chip(
            text=visible(f"{titles.get(name, name.capitalize())}: {value}"),
            remove_url=without(request, name, "after", "before", "format"),
        )
        for name, value in given.items()
        if value
    ]


def _row(stored: StoredEvent) -> Row:
    event = stored.event
    kind = format_html('<span class="text-secondary">{}</span>', event.actor_kind)
    actor = format_html("{} {}", clipped(event.actor), kind) if event.actor else kind
    target = format_html('<span class="clip mono">{}</span>', visible(event.target))
    request_id = format_html('<span class="mono text-nowrap">{}</span>', event.request_id[-8:])
    return Row(
        cells=(
            Cell(text=event.kind, url=f"/audit/{stored.number}/"),
            Cell(text=event.at.isoformat(), html=moment(event.at)),
            Cell(text=event.actor, html=actor),
            Cell(text=event.target, html=target),
            Cell(
                text=event.address,
                html=format_html('<span class="mono text-nowrap">{}</span>', event.address),
            ),
            Cell(
                text=event.request_id,
                html=request_id,
                url=f"/audit/?request_id={event.request_id}" if event.request_id.isalnum() else "",
            ),
        )
    )


def _certificate_of(stored: StoredEvent) -> str:
    serial = stored.event.target.removeprefix("certificate:")
    is_serial = stored.event.target.startswith("certificate:") or stored.event.kind == "certificate.revoked"
    return serial if is_serial and serial.isalnum() else ""


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _text(values: Mapping[str, object], key: str) -> str:
    return told(values[key]) if key in values else "nothing"
