"""Seals: what is signed, by whom, whether it holds; and what to do about one that does not."""

from __future__ import annotations

from typing import Final

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from certuary.core import seal as seals
from certuary.errors import CertuaryError, InvalidSeal, NotFound
from certuary.portal.deps import deps_of
from certuary.portal.scope import Scope
from certuary.portal.seal_problems import columns_shown, find_broken, find_gone, find_sealed, missing_entry
from certuary.portal.signing import propose
from certuary.portal.tables import Cell, Column, Row, Table, table_response
from certuary.portal.templatetags.portal import state
from certuary.portal.visible import visible
from certuary.services.adopt_record import describe_seal, parse_kind
from certuary.services.entitlement import CA_ADMINISTRATOR
from certuary.services.ports import Record, RecordKind
from certuary.services.record_gate import Key, RecordGate, name_of

PAGES: Final = {
    "application": "/applications/{}/",
    "profile": "/profiles/{}/",
    "label": "/labels/",
    "group": "/groups/{}/",
    "user": "/users/{}/",
    "authority": "/authorities/{}/",
    "switch": "/switches/",
    "approval": "/approvals/{}/",
}


def broken_seals(request: HttpRequest) -> HttpResponse:
    found = find_broken(request)
    table = Table(
        caption="Records whose seal does not hold",
        columns=(
            Column(name="name", title="Record"),
            Column(name="kind", title="Kind"),
            Column(name="reason", title="Why"),
        ),
        rows=[
            Row(
                cells=(
                    Cell(text=visible(each.name), url=each.url),
                    Cell(text=each.kind),
                    Cell(text=each.reason, html=state("broken", visible(each.reason))),
                ),
                is_broken=True,
            )
            for each in found
        ],
        empty_title="Every seal holds",
        empty_text="All records are as somebody entitled signed them, and none is missing.",
    )
    context = {
        "title": "Broken seals",
        "lead": "Records that somebody changed past Certuary. None of them is used until that is settled.",
    }
    return table_response(request, "portal/list.html", table, context)


def seal(request: HttpRequest, kind: str, number: int) -> HttpResponse:
    sealed_kind = _kind_or_404(kind)
    try:
        gate = deps_of(request).gate()
    except InvalidSeal as problem:
        return render(request, "portal/seal_manifest.html", {"problem": problem.detail}, status=409)
    record = _record(request, sealed_kind, number)
    if record is None:
        return _gone(request, sealed_kind, number, gate)
    shown = describe_seal(record, gate)
    context = {
        "record": record,
        "title": f"Seal of {kind} {visible(name_of(record))}",
        "page_url": PAGES[kind].format(number),
        "shown": shown,
        "columns": columns_shown(shown),
        "version": gate.entry(Key(sealed_kind, number)),
        "fingerprint": seals.fingerprint(shown.seal.certificate) if shown.seal else "",
        "may_adopt": Scope.of(request).role == CA_ADMINISTRATOR,
    }
    return render(request, "portal/seal.html", context)


@require_POST
def sign_as_it_stands(request: HttpRequest, kind: str, number: int) -> HttpResponse:
    record = _record(request, _kind_or_404(kind), number)
    if record is None:
        raise Http404
    return redirect(propose(request, "seal-adopt", {"kind": kind, "id": number}))


@require_POST
def accept_gone(request: HttpRequest, kind: str, number: int) -> HttpResponse:
    sealed_kind = _kind_or_404(kind)
    if missing_entry(request, sealed_kind, number) is None:
        raise Http404
    return redirect(propose(request, "seal-forget", {"kind": kind, "id": number}))


def _kind_or_404(text: str) -> RecordKind:
    try:
        return parse_kind(text)
    except CertuaryError:
        raise Http404 from None


def _record(request: HttpRequest, kind: RecordKind, number: int) -> Record | None:
    try:
        return find_sealed(request, kind, number)
    except NotFound:
        raise Http404 from None


def _gone(request: HttpRequest, kind: RecordKind, number: int, gate: RecordGate) -> HttpResponse:
    try:
        entry = find_gone(request, kind, number, gate)
    except NotFound:
        raise Http404 from None
    context = {"kind": kind, "number": number, "entry": entry, "name": visible(entry.name)}
    return render(request, "portal/seal_gone.html", context)
