"""Why was I refused?: the newest refusals, one of them explained, and a dry run that issues nothing."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice
from typing import Any, Final

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from certuary.core.csr import parse_csr
from certuary.core.est import Operation
from certuary.core.refusals import EXPLANATIONS, explain
from certuary.errors import CertuaryError, InvalidValue
from certuary.est.error_map import http_status
from certuary.portal.certificate_fields import Section, decode_csr, decode_sample
from certuary.portal.deps import address_of, deps_of
from certuary.portal.forms.refusals import TryForm
from certuary.portal.problem import problem_page
from certuary.portal.refused import (
    STEP_WORDS,
    Refusal,
    find_refusal,
    page_key_text,
    parse_page_key,
    sample_of,
)
from certuary.portal.scope import Scope, visible_applications
from certuary.portal.tables import Cell, Chip, Choice, Column, Row, Table, number_of, table_response, without
from certuary.portal.templatetags.portal import moment
from certuary.services.rehearse_enrolment import Outcome, Rehearsal, Rehearsed, StepResult, rehearse_enrolment
from certuary.store.enrolments import (
    FoundEnrolment,
    PageKey,
    RefusalFilter,
    list_refusals,
)

_PAGE: Final = 50
_LONGEST_CHOICE: Final = 200
"""Of applications in a select; those beyond are reached by their own page's link."""
_TIMES: Final = {"1h": ("the last hour", 1), "1d": ("the last day", 24), "7d": ("the last 7 days", 168)}


def refusals(request: HttpRequest) -> HttpResponse:
    asked = request.GET.get("request", "").replace("/", "").strip().lower()[:64]
    if asked:
        return redirect("refusal", request_id=asked)
    names = {record.id: str(record.values["name"]) for record in visible_applications(request)}
    wanted, chips = _filter(request, names)
    after = _page_key(request.GET.get("after", ""))
    found = list_refusals(wanted, older_than=after, limit=_PAGE)
    page = found[:_PAGE]
    last = page[-1] if len(found) > _PAGE else None
    table = Table(
        caption="Refused requests, newest first",
        columns=_COLUMNS,
        rows=[_row(each, names) for each in page],
        older_url=without(request, "after", after=page_key_text(last)) if last else "",
        newer_url=without(request, "after") if after else "",
        chips=chips,
        choices=_choices(request, names),
        empty_title="Nothing was refused" if not chips else "No refusal fits these filters",
        empty_text="Requests of applications that a rule refused are listed here, each with its reason.",
    )
    return table_response(request, "portal/refusals.html", table)


_COLUMNS: Final = (
    Column(name="at", title="When"),
    Column(name="rule", title="Rule"),
    Column(name="means", title="What it means"),
    Column(name="application", title="Application"),
    Column(name="address", title="Address"),
    Column(name="label", title="Label"),
    Column(name="request", title="Request"),
)


def _row(found: FoundEnrolment, names: dict[int | str, str]) -> Row:
    return Row(
        cells=(
            Cell(text=found.at.isoformat(), html=moment(found.at)),
            Cell(text=found.reason, url=f"/refusals/{found.request_id}/"),
            Cell(text=explain(found.reason).means),
            Cell(text=names.get(found.application_id or 0, "removed")),
            Cell(text=found.address),
            Cell(text=found.label),
            Cell(text=found.request_id),
        )
    )


def _filter(request: HttpRequest, names: dict[int | str, str]) -> tuple[RefusalFilter, list[Chip]]:
    rule, time = request.GET.get("rule", ""), request.GET.get("time", "")
    chips = []
    application_ids: tuple[int, ...] | None = None
    if not Scope.of(request).sees_everything:
        application_ids = tuple(int(number) for number in names)
    if rule:
        chips.append(Chip(text=f"rule {rule}", remove_url=without(request, "rule", "after")))
    number = number_of(request, "application")
    if number is not None:
        application_ids = (number,) if number in names else ()
        text = f"application {names.get(number, str(number))}"
        chips.append(Chip(text=text, remove_url=without(request, "application", "after")))
    since = None
    if time in _TIMES:
        words, hours = _TIMES[time]
        since = deps_of(request).clock.now() - timedelta(hours=hours)
        chips.append(Chip(text=words, remove_url=without(request, "time", "after")))
    return RefusalFilter(application_ids=application_ids, reason=rule[:64], since=since), chips


def _choices(request: HttpRequest, names: dict[int | str, str]) -> list[Choice]:
    rules = [("", "any rule"), *((rule, rule) for rule in sorted(EXPLANATIONS))]
    applications = [
        ("", "any application"),
        *((str(number), name) for number, name in islice(names.items(), _LONGEST_CHOICE)),
    ]
    times = [("", "any time"), *((value, words) for value, (words, _) in _TIMES.items())]
    return [
        Choice(name="rule", title="Rule", options=rules, value=request.GET.get("rule", "")),
        Choice(
            name="application",
            title="Application",
            options=applications,
            value=request.GET.get("application", ""),
        ),
        Choice(name="time", title="Time", options=times, value=request.GET.get("time", "")),
    ]


def _page_key(text: str) -> PageKey | None:
    try:
        return parse_page_key(text)
    except InvalidValue:
        raise Http404("there is no such page") from None


def refusal(request: HttpRequest, request_id: str) -> HttpResponse:
    """By a request's id. What somebody may not see is not there."""
    found = find_refusal(request, request_id)
    if found is None:
        return render(request, "portal/refusal_unknown.html", {"request_id": request_id[:64]}, status=404)
    return render(request, "portal/refusal.html", _explained(found))


def _explained(found: Refusal) -> dict[str, Any]:
    context: dict[str, Any] = {
        "request_id": found.request_id,
        "at": found.at,
        "rule": found.rule,
        "sentence": found.sentence,
        "explanation": explain(found.rule),
        "address": found.address,
        "has_csr": False,
    }
    enrolment = found.enrolment
    if enrolment is None:
        return context
    return {
        **context,
        "found": enrolment,
        "is_issued": enrolment.outcome == "issued",
        "application": found.application,
        "decoded": _decoded(enrolment.csr_der),
        "has_csr": enrolment.csr_der is not None,
    }


def _decoded(csr_der: bytes | None) -> tuple[Section, ...]:
    try:
        return () if csr_der is None else decode_csr(parse_csr(csr_der))
    except CertuaryError:
        return ()


@require_http_methods(["GET", "POST"])
def try_request(request: HttpRequest) -> HttpResponse:
    """The dry run."""
    labels = [str(record.values["name"]) for record in deps_of(request).records.all("label")]
    wanted = request.GET.get("application", "")
    applications = visible_applications(request)
    initial = {name: request.GET.get(name, "") for name in ("address", "label", "operation")}
    initial["application"] = next(
        (str(each.values["name"]) for each in applications if str(each.id) == wanted), ""
    )
    initial["address"] = initial["address"] or address_of(request)
    form = TryForm(
        request.POST or None,
        request.FILES or None,
        initial=initial,
        applications=applications,
        labels=labels,
    )
    names = [each.values["name"] for each in applications[:_LONGEST_CHOICE]]
    context: dict[str, Any] = {"form": form, "application_names": names}
    if request.method == "POST" and form.is_valid():
        try:
            context |= _shown(rehearse_enrolment(_rehearsal(form), deps_of(request).rehearsal))
        except CertuaryError as problem:
            return problem_page(request, problem)
    return render(request, "portal/refusal_try.html", context)


def _rehearsal(form: TryForm) -> Rehearsal:
    return Rehearsal(
        operation=Operation(form.cleaned_data["operation"]),
        label=form.cleaned_data["label"] or None,
        body=form.body(),
        application_id=form.cleaned_data["application"],
        address=form.cleaned_data["address"],
    )


def _shown(done: Rehearsed) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "done": done,
        "steps": [_step(result) for result in done.steps],
        "decoded": () if done.csr is None else decode_csr(done.csr),
    }
    if done.refusal is not None:
        shown["explanation"] = explain(done.refusal.rule)
        shown["status"] = http_status(done.refusal)
    if done.plan is not None:
        shown["certificate"] = decode_sample(sample_of(done.plan))
    return shown


def _step(result: StepResult) -> dict[str, str]:
    title, meaning = STEP_WORDS[result.step]
    tones = {Outcome.PASSED: "good", Outcome.STOPPED: "broken", Outcome.NOT_REACHED: "quiet"}
    return {
        "title": title,
        "meaning": meaning,
        "outcome": str(result.outcome.value),
        "tone": tones[result.outcome],
    }
