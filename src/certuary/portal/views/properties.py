"""Properties: the rows of `api_properties`, what the known ones mean, and who changed them, by plain SQL too."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from certuary.errors import InvalidSeal, NotFound
from certuary.portal.access import may_administer
from certuary.portal.deps import PortalDeps, deps_of
from certuary.portal.forms.properties import PropertyForm
from certuary.portal.problem import problem_page
from certuary.portal.property_history import MEANINGS, property_change, statement_of, target_of
from certuary.portal.signing import content_of, propose
from certuary.portal.tables import Cell, Column, Row, Table, table_response
from certuary.portal.templatetags.portal import moment, state
from certuary.services.est_state import why_est_is_disabled
from certuary.services.ports import Record, RecordStore, StoredEvent
from certuary.services.set_property import ACTIVE, KNOWN, find_property, warnings_about_property
from certuary.services.snapshot import is_active
from certuary.store.audit import events_about

_CHANGES_SHOWN: Final = 30
_NOT_SET: Final = "not set"


@require_safe
def properties(request: HttpRequest) -> HttpResponse:
    deps = deps_of(request)
    rows = {str(record.id): record for record in deps.records.all("property")}
    keys = (*KNOWN, *(key for key in rows if key not in KNOWN))
    events = events_about([target_of(key) for key in keys], limit=_CHANGES_SHOWN)
    newest: dict[str, StoredEvent] = {}
    for event in events:
        newest.setdefault(event.event.target, event)
    changing = may_administer(request)
    table = Table(
        caption="Properties",
        columns=(
            Column(name="property_key", title="Key"),
            Column(name="property_value", title="Value"),
            Column(name="status", title="Status"),
            Column(name="changed", title="Last changed"),
        ),
        rows=[_row(key, rows.get(key), newest.get(target_of(key)), deps.records, changing) for key in keys],
    )
    context = {
        "disabled": _why_disabled(deps),
        "actions": [("Set a property", "/properties/set/")] if changing else [],
        "events": [property_change(event) for event in events],
        "statements": [statement_of(record) for record in rows.values()],
    }
    return table_response(request, "portal/properties/list.html", table, context)


@require_http_methods(["GET", "POST"])
def set_property(request: HttpRequest) -> HttpResponse:
    records = deps_of(request).records
    typed = content_of(request, request.GET.get("token"), "property-set")
    form = PropertyForm(request.POST or None, initial=typed or _initial(request), records=records)
    if request.method == "POST" and form.is_valid():
        return redirect(propose(request, "property-set", form.cleaned_data))
    key = _asked_key(request)
    is_set = bool(key) and records.find("property", property_key=key) is not None
    context = {"form": form, "meanings": MEANINGS.items(), "unset": key if is_set else ""}
    return render(request, "portal/properties/form.html", context)


@require_POST
def unset_property(request: HttpRequest) -> HttpResponse:
    try:
        row = find_property(deps_of(request).records, request.POST.get("key", "")[:128].replace("\0", ""))
    except NotFound as problem:
        return problem_page(request, problem)
    return redirect(propose(request, "property-unset", {"key": row.id}))


def _asked_key(request: HttpRequest) -> str:
    key = request.GET.get("key", "")[:128]
    return key if key.isprintable() else ""


def _why_disabled(deps: PortalDeps) -> str | None:
    try:
        return why_est_is_disabled(deps.believed_records())
    except InvalidSeal as problem:
        return f"the configuration in the database cannot be believed: {problem.detail}"


def _initial(request: HttpRequest) -> dict[str, object]:
    key = _asked_key(request)
    row = deps_of(request).records.find("property", property_key=key) if key else None
    if row is None:
        return {"key": key, "status": ACTIVE}
    return {
        "key": key,
        "value": row.values["property_value"],
        "status": "Active" if is_active(row.values["status"]) else "Inactive",
    }


def _row(
    key: str, record: Record | None, newest: StoredEvent | None, records: RecordStore, changing: bool
) -> Row:
    meaning = MEANINGS.get(key, "Certuary reads no such property.")
    name = format_html('<span class="mono">{}</span><span class="meaning">{}</span>', key, meaning)
    changed = moment(None, "not known")
    if newest is not None:
        who = newest.event.actor
        changed = format_html('{} <span class="text-secondary">by {}</span>', moment(newest.event.at), who)
    value = _NOT_SET if record is None else str(record.values["property_value"])
    return Row(
        cells=(
            Cell(text=key, html=name, url=f"/properties/set/?{urlencode({'key': key})}" if changing else ""),
            Cell(text="" if record is None else value, html=_value(key, value, record, records)),
            Cell(text=_NOT_SET if record is None else str(record.values["status"]), html=_state(record)),
            Cell(text=newest.event.at.isoformat() if newest else "", html=changed),
        )
    )


def _value(key: str, value: str, record: Record | None, records: RecordStore) -> SafeString:
    if record is None:
        return format_html('<span class="text-secondary">{}</span>', value)
    warnings = (
        warnings_about_property(key, value, records)
        if key in KNOWN and is_active(record.values["status"])
        else ()
    )
    shown = format_html('<span class="mono">{}</span>', value)
    for warning in warnings:
        shown = format_html("{}<br>{}", shown, state("attention", warning))
    return shown


def _state(record: Record | None) -> SafeString:
    if record is None:
        return state("quiet", "Not set")
    status = record.values["status"]
    return state("good", "Active") if is_active(status) else state("attention", str(status))
