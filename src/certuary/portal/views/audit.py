"""The audit log: what happened, and who did it. Filtered, one event in full, and all that is found as a file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import chain
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils.html import format_html

from certuary.core.checkpoint import open_checkpoint
from certuary.errors import AuditBroken, CertuaryError, InvalidValue
from certuary.portal.deps import deps_of
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
from certuary.store.audit_pages import AuditPage, AuditSearch, all_found, find_event, search_events
from certuary.store.checkpoints import DjangoCheckpointStore

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
_FIRST_YEAR, _LAST_YEAR = 1970, 9998  # a search looks some minutes further
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
        note="Looked at 10,000 events for this page; Older goes on from there." if page.stopped else "",
        empty_title="This search cannot be done" if problem else "No event",
        empty_text=problem or "Nothing that you may see fits; what happened leaves its trace here.",
    )
    context = {
        "title": "Audit log",
        "lead": "What happened, and who did it. Events are only ever added.",
        "checkpoint": _checkpoint(request),
        "export_query": request.GET.urlencode(),
        "is_scoped": Scope.of(request).audit_reach() is not None,
    }
    return table_response(request, "portal/audit.html", table, context)


def audit_event(request: HttpRequest, number: int) -> HttpResponse:
    stored = find_event(number, Scope.of(request).audit_reach())
    if stored is None:
        raise Http404
    detail = _detail(stored)
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
        parts = all_found(_asked(request))
        first = next(parts)  # what cannot be searched is said now: later the answer has begun
    except CertuaryError as problem:
        return problem_page(request, problem)
    is_csv = request.GET.get("format") == "csv"
    form, name = (_csv_part, "audit.csv") if is_csv else (_json_part, "audit.jsonl")
    heading = [_csv_line(_FIELDS)] if is_csv else []
    is_asynchronous = isinstance(request, ASGIRequest)
    content: Any = (_in_thread if is_asynchronous else _parts)(heading, chain((first,), parts), form)
    response = StreamingHttpResponse(
        content, content_type="text/csv; charset=utf-8" if is_csv else "application/jsonl"
    )
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


_Part = Callable[[Iterable[StoredEvent]], str]


def _parts(heading: list[str], parts: Iterator[tuple[StoredEvent, ...]], form: _Part) -> Iterator[str]:
    yield from heading
    for part in parts:
        yield form(part)


async def _in_thread(
    heading: list[str], parts: Iterator[tuple[StoredEvent, ...]], form: _Part
) -> AsyncIterator[str]:
    """Django would gather what is not asynchronous whole before it sends the first octet."""
    for line in heading:
        yield line
    while part := await sync_to_async(lambda: next(parts, None))():
        yield form(part)


def _json_part(part: Iterable[StoredEvent]) -> str:
    return "".join(json.dumps(_described(stored)) + "\n" for stored in part)


def _csv_part(part: Iterable[StoredEvent]) -> str:
    return "".join(_csv_line([_cell(_described(stored)[field]) for field in _FIELDS]) for stored in part)


def _csv_line(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow([spreadsheet_safe(cell) for cell in cells])
    return line.getvalue()


def _cell(value: object) -> str:
    return (
        json.dumps(value, sort_keys=True) if isinstance(value, dict) else str("" if value is None else value)
    )


def _described(stored: StoredEvent) -> dict[str, object]:
    event = stored.event
    return {
        "number": stored.number,
        "at": event.at.isoformat(),
        "kind": event.kind,
        "actor_kind": event.actor_kind,
        "actor": event.actor,
        "target": event.target,
        "address": event.address,
        "request_id": event.request_id,
        "detail": _detail(stored),
        "stream": stored.stream,
        "seq": stored.seq,
        "hash": stored.hash.hex(),
    }


def _detail(stored: StoredEvent) -> Mapping[str, object]:
    """What somebody wrote there by SQL may be anything."""
    try:
        detail = json.loads(stored.event.detail or "{}")
    except (ValueError, RecursionError):
        return {"text": stored.event.detail}
    return detail if isinstance(detail, dict) else {"text": stored.event.detail}


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
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise InvalidValue(f"the years go from {_FIRST_YEAR} to {_LAST_YEAR}", rule="time")
    return moment


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


def _checkpoint(request: HttpRequest) -> Mapping[str, object] | None:
    """The newest one, and whether this installation signed it. The whole chain takes the audit key: not ours."""
    newest = DjangoCheckpointStore().latest()
    if newest is None:
        return None
    try:
        opened = open_checkpoint(newest, deps_of(request).trust.checkpoint_key)
    except AuditBroken as problem:
        return {"number": newest.number, "at": newest.at, "problem": problem.detail}
    return {"number": newest.number, "at": newest.at, "problem": "", "streams": len(opened.streams)}


def _certificate_of(stored: StoredEvent) -> str:
    serial = stored.event.target.removeprefix("certificate:")
    is_serial = stored.event.target.startswith("certificate:") or stored.event.kind == "certificate.revoked"
    return serial if is_serial and serial.isalnum() else ""


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _text(values: Mapping[str, object], key: str) -> str:
    return told(values[key]) if key in values else "nothing"
