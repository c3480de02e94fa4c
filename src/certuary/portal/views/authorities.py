"""The CA hierarchy: from root to issuing, and one authority in full."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import SafeString

from certuary.errors import InvalidMark, NotFound
from certuary.portal.authority_files import authority_file, check_readable, is_readable
from certuary.portal.certificate_fields import decode
from certuary.portal.deps import deps_of
from certuary.portal.downloads import download
from certuary.portal.lifebar import Lifebar
from certuary.portal.rows import SealStates
from certuary.portal.tables import Cell
from certuary.portal.templatetags.portal import state
from certuary.services.authorities import certificate_der, chain_of, export_certificates
from certuary.services.ports import CrlRow, Record
from certuary.store.crls import DjangoCrlStore

_WHERE: Final = {
    "root": "opened only by a command with the key store's passphrase: to sign an issuing authority or its own CRL",
    "issuing": "opened by the EST workers, which issue, and by the status process, which signs CRLs",
}
_WARN_DAYS: Final = {"root": 365, "issuing": 180}


@dataclass(frozen=True, slots=True, kw_only=True)
class CrlShown:
    row: CrlRow
    url: str
    status: SafeString


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorityShown:
    record: Record
    depth: int
    status: SafeString
    problem: str | None
    seal: Cell
    key_place: str
    lifebar: Lifebar
    crl: CrlShown | None
    issuer: str


def authorities(request: HttpRequest) -> HttpResponse:
    states = SealStates(request)
    records = deps_of(request).records.all("authority")
    context = {
        "authorities": [
            _shown(request, record, depth, states) for record, depth in _tree(records) if is_readable(record)
        ],
        "unreadable": [
            (str(record.values["name"]), states.problem(record))
            for record in records
            if not is_readable(record)
        ],
        "missing": states.missing("authority", columns=2),
    }
    return render(request, "portal/authorities.html", context)


def authority(request: HttpRequest, number: int) -> HttpResponse:
    record = _find(request, number)
    records = deps_of(request).records
    der = certificate_der(record)
    context = {
        "shown": _shown(request, record, 0, SealStates(request)),
        "sections": decode(der),
        "chain": chain_of(records, str(record.values["name"])),
        "below": [each for each in records.all("authority") if each.values["issuer_id"] == record.id],
        "pem": export_certificates((der,), "pem").decode("ascii"),
    }
    return render(request, "portal/authority.html", context)


def authority_download(request: HttpRequest, number: int, form: str) -> HttpResponse:
    try:
        return download(*authority_file(number, form, deps_of(request)))
    except NotFound:
        raise Http404 from None


def _find(request: HttpRequest, number: int) -> Record:
    record = deps_of(request).records.find("authority", id=number)
    if record is None:
        raise Http404
    return check_readable(record)


def _tree(records: Iterable[Record]) -> list[tuple[Record, int]]:
    """Each below its issuer. One whose issuer is not there, or above itself, stands at the top: nothing is hidden."""
    known = list(records)
    below: dict[object, list[Record]] = {}
    for record in known:
        below.setdefault(record.values["issuer_id"], []).append(record)
    found: dict[object, tuple[Record, int]] = {}

    def add(record: Record, depth: int) -> None:
        if record.id in found:
            return
        found[record.id] = record, depth
        for child in below.get(record.id, ()):
            add(child, depth + 1)

    for record in below.get(None, ()):
        add(record, 0)
    for record in known:
        add(record, 0)
    return list(found.values())


def _shown(request: HttpRequest, record: Record, depth: int, states: SealStates) -> AuthorityShown:
    now = deps_of(request).clock.now()
    values = record.values
    not_before, not_after = values["not_before"], values["not_after"]
    assert isinstance(not_before, datetime)
    assert isinstance(not_after, datetime)
    kind = str(values["kind"])
    issuer = (
        deps_of(request).records.find("authority", id=values["issuer_id"]) if values["issuer_id"] else None
    )
    return AuthorityShown(
        record=record,
        depth=min(depth, 3),
        status=_status(kind, not_before, not_after, now, states.problem(record)),
        problem=states.problem(record),
        seal=states.cell(record),
        key_place=f"key store (file), key {values['key_name']}, role {kind}; {_WHERE.get(kind, '')}",
        lifebar=Lifebar.of(not_before, not_after, now),
        crl=_crl(request, record, now),
        issuer="itself" if issuer is None else str(issuer.values["name"]),
    )


def _status(
    kind: str, not_before: datetime, not_after: datetime, now: datetime, problem: str | None
) -> SafeString:
    if problem is not None:
        return state("broken", "Signs nothing: its seal is broken")
    if now >= not_after:
        return state("broken", "Expired")
    if now < not_before:
        return state("attention", "Not valid yet")
    if (not_after - now).days < _WARN_DAYS.get(kind, 180):
        return state("attention", "Active, expires soon")
    return state("good", "Active")


def _crl(request: HttpRequest, record: Record, now: datetime) -> CrlShown | None:
    assert isinstance(record.id, int)
    row = DjangoCrlStore().latest(record.id)
    if row is None:
        return None
    return CrlShown(
        row=row,
        url=f"{deps_of(request).status_url}/crl/{record.values['name']}.crl",
        status=_crl_status(request, row, now),
    )


def _crl_status(request: HttpRequest, row: CrlRow, now: datetime) -> SafeString:
    try:
        deps_of(request).marker.check_crl(row)
    except InvalidMark:
        return state("broken", "Altered: its mark does not hold")
    if now >= row.next_update:
        return state("broken", "Overdue")
    if row.next_update - now < (row.next_update - row.this_update) / 4:
        return state("attention", "Due soon")
    return state("good", "Current")
