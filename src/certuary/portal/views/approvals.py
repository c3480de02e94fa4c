"""Approvals: what waits for a second person, and what was decided."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from certuary.core.seal import Seal
from certuary.errors import CertuaryError, InvalidSeal
from certuary.portal.approving import (
    find_approval,
    find_waiting,
    may_decide_here,
    page_url,
    review_again,
    rules_now,
)
from certuary.portal.changes import CHANGES
from certuary.portal.changes.approvals import DIFFERS
from certuary.portal.deps import deps_of
from certuary.portal.forms.approvals import RejectForm
from certuary.portal.history import history
from certuary.portal.problem import problem_page
from certuary.portal.role_words import role_in_words
from certuary.portal.rows import SealStates, moment_cell
from certuary.portal.scope import Scope
from certuary.portal.signing import content_of, propose, shown_groups
from certuary.portal.tables import (
    PAGE_SIZE,
    Cell,
    Choice,
    Column,
    Row,
    Table,
    number_of,
    table_response,
)
from certuary.portal.tables import (
    page_url as url_of_page,
)
from certuary.portal.templatetags.portal import state
from certuary.portal.visible import visible
from certuary.services.ports import Record
from certuary.services.two_persons import RULES, WAITING, as_requested, digest_of, is_expired
from certuary.store.approvals import list_approvals

_DECIDED: Final = "decided"
_LOOKS: Final = 20
"""How many times a page's worth is read for what the viewer may see."""
_TONES: Final = {"approved": "good", "rejected": "broken", "withdrawn": "quiet"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """`problem` says why it does not hold, "" when it does."""

    signer: str = ""
    role: str = ""
    at: datetime | None = None
    problem: str


@require_safe
def approvals(request: HttpRequest) -> HttpResponse:
    decided = request.GET.get("state") == _DECIDED
    found, more = _page(request, waiting=not decided)
    states = SealStates(request)
    table = Table(
        caption="Approvals",
        columns=(
            Column(name="request", title="Request"),
            Column(name="what", title="What"),
            Column(name="kind", title="Kind of change"),
            Column(name="requester", title="Asked by"),
            Column(name="asked", title="When"),
            Column(name="state", title="Decided" if decided else "Waits for"),
            Column(name="seal", title="Seal"),
        ),
        rows=[_row(request, approval, states) for approval in found],
        older_url=url_of_page(request, "before", more),
        choices=(
            Choice(
                name="state",
                title="Show",
                options=(("", "Waiting"), (_DECIDED, "Decided")),
                value=_DECIDED if decided else "",
            ),
        ),
        empty_title="Nothing was decided yet" if decided else "Nothing waits for a second person",
        empty_text="" if found else _explanation(request),
    )
    context = {"title": "Approvals", "lead": "Changes that one person signed, and that take a second."}
    return table_response(request, "portal/list.html", table, context)


@require_safe
def approval(request: HttpRequest, number: int) -> HttpResponse:
    try:
        record = find_approval(request, number)
    except CertuaryError as missing:
        return problem_page(request, missing)
    states = SealStates(request)
    waits = record.removed_at is None
    problem = states.problem(record) if waits else None
    is_over = waits and not problem and is_expired(record, deps_of(request).clock.now())
    may_decide = waits and not problem and may_decide_here(request, record)
    context: dict[str, Any] = {
        "approval": record.values,
        "number": record.id,
        "waits": waits,
        "problem": problem,
        "is_over": is_over,
        "groups": shown_groups(str(record.values["shown"])),
        "digest": digest_of(record),
        "title": _what(record),
        "rule": RULES.get(str(record.values["kind"]), record.values["kind"]),
        "tone": _TONES.get(str(record.values["state"]), "quiet"),
        "is_own": record.values["requester"] == Scope.of(request).user,
        "may_decide": may_decide,
        "differs": _differs(request, record) if may_decide and not is_over else "",
        "signatures": _signatures(request, record),
        "history": history([f"approval:{record.values['name']}"]),
    }
    return render(request, "portal/approval.html", context)


@require_POST
def approve(request: HttpRequest, number: int) -> HttpResponse:
    return _propose(request, number, "approval-approve")


@require_POST
def withdraw(request: HttpRequest, number: int) -> HttpResponse:
    return _propose(request, number, "approval-withdraw")


@require_http_methods(["GET", "POST"])
def reject(request: HttpRequest, number: int) -> HttpResponse:
    try:
        record = find_waiting(request, number)
    except CertuaryError as problem:
        return problem_page(request, problem)
    typed = content_of(request, request.GET.get("token"), "approval-reject")
    form = RejectForm(request.POST or None, initial=typed)
    if request.method == "POST" and form.is_valid():
        return redirect(propose(request, "approval-reject", {"id": number, **form.cleaned_data}))
    context = {
        "form": form,
        "title": f"Reject {record.values['name']}",
        "lead": visible(str(record.values["title"])),
        "back_url": page_url(record),
    }
    return render(request, "portal/form.html", context)


def _propose(request: HttpRequest, number: int, kind: str) -> HttpResponse:
    try:
        find_waiting(request, number)
    except CertuaryError as problem:
        return problem_page(request, problem)
    return redirect(propose(request, kind, {"id": number}))


def _page(request: HttpRequest, *, waiting: bool) -> tuple[list[Record], int | None]:
    """One page of what the viewer may see, and the number to go on below."""
    scope, before = Scope.of(request), number_of(request, "before")
    found: list[Record] = []
    for _ in range(_LOOKS):
        batch = list_approvals(waiting=waiting, before=before, limit=PAGE_SIZE + 1)
        for record in batch[:PAGE_SIZE]:
            if len(found) == PAGE_SIZE:
                return found, before
            before = int(record.id)
            if scope.has_record(record):
                found.append(record)
        if len(batch) <= PAGE_SIZE:
            return found, None
    return found, before


def _row(request: HttpRequest, approval: Record, states: SealStates) -> Row:
    values, asked_at = approval.values, approval.values["created_at"]
    is_broken = approval.removed_at is None and states.is_broken(approval)
    seal = states.cell(approval) if approval.removed_at is None else _kept_seal(approval)
    return Row(
        cells=(
            Cell(text=visible(str(values["name"])), url=page_url(approval)),
            Cell(text=_what(approval)),
            Cell(text=RULES.get(str(values["kind"]), visible(str(values["kind"])))),
            Cell(text=visible(str(values["requester"]))),
            moment_cell(asked_at if isinstance(asked_at, datetime) else None),
            _state_cell(request, approval),
            seal,
        ),
        is_broken=is_broken,
    )


def _what(approval: Record) -> str:
    """The title, and what comes first on the page when the title does not name it."""
    title, groups = str(approval.values["title"]), shown_groups(str(approval.values["shown"]))
    first = str(groups[0].lines[0].value) if groups and groups[0].lines else ""
    return visible(title if not first or first in title else f"{title}: {first}")


def _state_cell(request: HttpRequest, approval: Record) -> Cell:
    values = approval.values
    if values["state"] != WAITING or approval.removed_at is not None:
        text = visible(f"{values['state']} by {values['decided_by']}")
        return Cell(text=text, html=state(_TONES.get(str(values["state"]), "quiet"), text.capitalize()))
    if is_expired(approval, deps_of(request).clock.now()):
        return Cell(text="expired", html=state("attention", "Expired"))
    if values["requester"] == Scope.of(request).user:
        return Cell(text="a second person", html=state("quiet", "A second person"))
    if may_decide_here(request, approval):
        return Cell(text="you", html=state("attention", "You, or another who may"))
    return Cell(text="somebody who may", html=state("quiet", "Somebody who may"))


def _kept_seal(approval: Record) -> Cell:
    return Cell(text="kept", url=f"/seals/approval/{approval.id}/")


def _differs(request: HttpRequest, approval: Record) -> str:
    """Why it cannot be approved as things are."""
    try:
        review = review_again(CHANGES.get(str(approval.values["change"])), approval, request)
    except CertuaryError as problem:
        return problem.detail
    return "" if review.digest == digest_of(approval) else DIFFERS


def _signatures(request: HttpRequest, approval: Record) -> list[Signature]:
    """The first person's and, once it is decided, the second's, each verified by itself."""
    decided = [] if approval.removed_at is None else [approval]
    return [_signature(request, record) for record in (as_requested(approval), *decided)]


def _signature(request: HttpRequest, record: Record) -> Signature:
    try:
        seal = Seal.from_text(record.seal)
    except InvalidSeal as problem:
        return Signature(problem=problem.detail)
    problem_found = ""
    try:
        deps_of(request).gate().check_alone(record)
    except InvalidSeal as problem:
        problem_found = problem.detail
    return Signature(signer=seal.signer, role=role_in_words(seal.role), at=seal.at, problem=problem_found)


def _explanation(request: HttpRequest) -> str:
    try:
        on = [RULES[rule] for rule, found in rules_now(request).items() if found.is_on]
    except InvalidSeal:
        on = []
    if not on:
        return "No kind of change takes two persons here. A CA Administrator decides that under Security switches."
    return (
        f"These take two persons: {', '.join(on)}. What the first signs is listed here until the second does."
    )
