"""Seals: what is signed, by whom, whether it holds; and what to do about one that does not."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from certuary.core import seal as seals
from certuary.core.manifest import Entry
from certuary.core.seal import SECRET_COLUMNS
from certuary.errors import CertuaryError, InvalidSeal
from certuary.portal.deps import deps_of
from certuary.portal.scope import Scope
from certuary.portal.signing import propose
from certuary.portal.tables import Cell, Column, Row, Table, table_response
from certuary.portal.templatetags.portal import state
from certuary.portal.told import told
from certuary.portal.visible import visible
from certuary.services.adopt_record import Shown, describe_seal, parse_kind
from certuary.services.entitlement import CA_ADMINISTRATOR
from certuary.services.ports import SEALED_KINDS, Record, RecordKind
from certuary.services.record_gate import Key, RecordGate, key_of, name_of, sealed_columns
from certuary.services.trusted_feed import MISSING

PAGES: Final = {
    "application": "/applications/{}/",
    "profile": "/profiles/{}/",
    "label": "/labels/",
    "group": "/groups/{}/",
    "user": "/users/{}/",
    "authority": "/authorities/{}/",
}
_SHARED: Final = ("profile", "label", "authority")
"""Kinds that belong to no group: of others, a row that is gone cannot say whose it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    kind: str
    name: str
    reason: str
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnShown:
    """`holds` is None where nothing can be said: no seal can be read."""

    name: str
    value: str
    is_secret: bool
    holds: bool | None


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


def find_broken(request: HttpRequest) -> list[Broken]:
    """Verified anew, record by record: what the database says of itself is not asked."""
    try:
        gate = deps_of(request).gate()
    except InvalidSeal as problem:
        return [Broken(kind="manifest", name="the manifest", reason=problem.detail)]
    found = [
        Broken(
            kind="manifest", name=f"{part.kind}/{part.number}", reason="it was altered, or its row is gone"
        )
        for part in gate.broken_parts(SEALED_KINDS)
    ]
    for kind in SEALED_KINDS:
        found += _broken_of(kind, request, gate)
    return found


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


def missing_entry(request: HttpRequest, kind: RecordKind, number: int) -> Entry | None:
    """What the manifest says of a record whose row is gone; None when it is there, or never was. `InvalidSeal`."""
    gate = deps_of(request).gate()
    if deps_of(request).records.find(kind, id=number) is not None:
        return None
    return gate.entry(Key(kind, number))


def columns_shown(shown: Shown) -> list[ColumnShown]:
    """The statement as a table. What is secret stands in it by its digest alone."""
    values = json.loads(shown.statement)["columns"]
    differing: tuple[str, ...] | None = None
    if shown.seal is not None:
        differing = seals.changed_columns(shown.seal, sealed_columns(shown.record))
    return [
        ColumnShown(
            name=name,
            value=told(value),
            is_secret=name in SECRET_COLUMNS,
            holds=None if differing is None else name not in differing,
        )
        for name, value in values.items()
    ]


def _broken_of(kind: RecordKind, request: HttpRequest, gate: RecordGate) -> list[Broken]:
    found, there = [], set()
    scope = Scope.of(request)
    for record in deps_of(request).records.all(kind):
        there.add(key_of(record).id)
        try:
            gate.check(record)
        except InvalidSeal as problem:
            if scope.has_record(record):
                found.append(
                    Broken(
                        kind=kind,
                        name=name_of(record),
                        reason=problem.detail,
                        url=f"/seals/{kind}/{record.id}/",
                    )
                )
    for number, entry in gate.entries(kind).items():
        if number not in there and (scope.group_ids is None or kind in _SHARED):
            found.append(Broken(kind=kind, name=entry.name, reason=MISSING, url=f"/seals/{kind}/{number}/"))
    return found


def _kind_or_404(text: str) -> RecordKind:
    try:
        return parse_kind(text)
    except CertuaryError:
        raise Http404 from None


def _record(request: HttpRequest, kind: RecordKind, number: int) -> Record | None:
    """None when its row is gone; somebody else's is not there."""
    records = deps_of(request).records
    record = records.find(kind, id=number)
    if record is None and _is_expected(request, kind, number):
        return None
    record = record or records.find_ever(kind, number)
    if record is None or not Scope.of(request).has_record(record):
        raise Http404
    return record


def _is_expected(request: HttpRequest, kind: RecordKind, number: int) -> bool:
    return deps_of(request).gate().entry(Key(kind, number)) is not None


def _gone(request: HttpRequest, kind: RecordKind, number: int, gate: RecordGate) -> HttpResponse:
    """Whose group it was its row would say: so only those who see everything are told."""
    entry = gate.entry(Key(kind, number))
    scope = Scope.of(request)
    if entry is None or scope.group_ids is not None:
        raise Http404
    context = {"kind": kind, "number": number, "entry": entry, "name": visible(entry.name)}
    return render(request, "portal/seal_gone.html", context)
