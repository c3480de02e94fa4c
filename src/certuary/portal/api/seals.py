"""Seals over the API: those that do not hold, one in full, and what a CA Administrator does about it."""

from __future__ import annotations

import re

from django.http import HttpRequest
from ninja import Router

from certuary.core.seal import fingerprint
from certuary.errors import Conflict, NotFound
from certuary.portal.access import CA_ADMINISTRATORS, EVERYBODY, RULES
from certuary.portal.api import answers
from certuary.portal.api.callers import caller_of, needs, sign
from certuary.portal.api.idempotency import NOTHING, Answer, answer_of, change
from certuary.portal.api.pages import Paging, next_cursor, text_cursor, wrong_cursor
from certuary.portal.api.schemas import AdoptGiven
from certuary.portal.deps import deps_of
from certuary.portal.seal_problems import (
    BEGINNING,
    Broken,
    Place,
    broken_page,
    columns_shown,
    find_gone,
    find_sealed,
    missing_entry,
)
from certuary.services.adopt_record import Shown, adopt_record, describe_seal, forget_record, parse_kind
from certuary.services.ports import Record, RecordKind
from certuary.services.record_gate import RecordGate, name_of

router = Router(tags=["Seals"])

_WRITE = needs("seals:write", CA_ADMINISTRATORS)


@router.get(
    "",
    response=answers.SealProblemPage,
    summary="What is not as it was signed",
    **needs("seals:read", RULES["seals"]),
)
def list_seal_problems(request: HttpRequest, paging: Paging) -> answers.SealProblemPage:
    """Every record is verified anew."""
    page = broken_page(request, after=_place(paging.cursor), limit=paging.limit)
    return answers.SealProblemPage(
        items=[_problem(one) for one in page.broken],
        next_cursor=next_cursor(None if page.later is None else "/".join(map(str, page.later))),
        stopped=page.stopped,
    )


@router.get(
    "/{kind}/{int:number}",
    response=answers.Seal,
    summary="One record's seal, column by column",
    **needs("seals:read", EVERYBODY),
)
def get_seal(request: HttpRequest, kind: str, number: int) -> answers.Seal:
    """`kind` is application, profile, label, group, user, authority, switch or approval; `number` is its `id`."""
    sealed_kind = _kind(kind, number)
    gate = deps_of(request).gate()
    record = find_sealed(request, sealed_kind, number)
    if record is None:
        return _gone(request, sealed_kind, number, gate)
    return _seal(record, sealed_kind, number, gate)


@router.post(
    "/{kind}/{int:number}/adopt", response=answers.Seal, summary="Sign a record as it stands", **_WRITE
)
@change
def adopt_sealed_record(request: HttpRequest, kind: str, number: int, given: AdoptGiven) -> Answer:
    """You vouch for it, whoever made it so. Only what `digest` says is signed: 409 when it is another by now."""
    sealed_kind = _kind(kind, number)
    record = find_sealed(request, sealed_kind, number)
    if record is None or record.removed_at is not None:
        raise NotFound(f"there is no {kind} with number {number}")
    shown = describe_seal(record, deps_of(request).gate())
    if shown.problem is None:
        raise Conflict("its seal holds: there is nothing to sign")
    actor, deps = sign(request, caller_of(request))
    adopt_record(actor, shown, given.digest, deps)
    adopted = find_sealed(request, sealed_kind, number) or record
    return answer_of(_seal(adopted, sealed_kind, number, deps_of(request).gate()))


@router.post(
    "/{kind}/{int:number}/forget",
    response={204: None},
    summary="Accept that a record is gone",
    **_WRITE,
)
@change
def forget_sealed_record(request: HttpRequest, kind: str, number: int) -> Answer:
    """Its row was deleted past Certuary; to put it back from a backup needs no signature."""
    sealed_kind = _kind(kind, number)
    entry = missing_entry(request, sealed_kind, number)
    if entry is None:
        raise NotFound(f"no {kind} with number {number} is missing")
    actor, deps = sign(request, caller_of(request))
    forget_record(actor, sealed_kind, entry.name, deps)
    return NOTHING


def _place(cursor: str | None) -> Place:
    key = text_cursor(cursor)
    if not key:
        return BEGINNING
    found = re.fullmatch(r"([0-9]{1,2})/([0-9]{1,19})/([a-z]*)", key)
    if found is None:
        raise wrong_cursor()
    return Place(int(found[1]), int(found[2]), found[3])


def _kind(text: str, number: int) -> RecordKind:
    if number >= 2**63:  # more digits than a column holds would overflow in the database
        raise NotFound(f"there is no such {text}")
    return parse_kind(text)


def _problem(broken: Broken) -> answers.SealProblem:
    return answers.SealProblem(kind=broken.kind, id=broken.number, name=broken.name, reason=broken.reason)


def _seal(record: Record, kind: RecordKind, number: int, gate: RecordGate) -> answers.Seal:
    shown: Shown = describe_seal(record, gate)
    seal = shown.seal
    return answers.Seal(
        kind=kind,
        id=number,
        name=name_of(record),
        is_gone=False,
        problem=shown.problem,
        signer=None if seal is None else seal.signer,
        signed_at=None if seal is None else seal.at,
        fingerprint=None if seal is None else fingerprint(seal.certificate),
        version=record.version,
        digest=shown.digest,
        columns=[
            answers.SealColumn(
                name=column.name, value=column.value, is_secret=column.is_secret, holds=column.holds
            )
            for column in columns_shown(shown)
        ],
    )


def _gone(request: HttpRequest, kind: RecordKind, number: int, gate: RecordGate) -> answers.Seal:
    entry = find_gone(request, kind, number, gate)
    return answers.Seal(
        kind=kind,
        id=number,
        name=entry.name,
        is_gone=True,
        problem="its row is gone",
        signer=None,
        signed_at=None,
        fingerprint=None,
        version=entry.version,
        digest=None,
        columns=[],
    )
