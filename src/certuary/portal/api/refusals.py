"""Why was I refused, over the API: the newest refusals, one request explained, and a dry run that issues nothing."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated

from django.http import HttpRequest
from ninja import Query, Router
from pydantic import Field

from certuary.core.csr import parse_csr
from certuary.core.est import Operation
from certuary.core.refusals import explain
from certuary.errors import CertuaryError, InvalidValue, NotFound
from certuary.est.error_map import http_status
from certuary.portal.access import EVERYBODY
from certuary.portal.api import answers
from certuary.portal.api.callers import needs
from certuary.portal.api.describe import csr_pem, describe_sections
from certuary.portal.api.pages import PageQuery, next_cursor, text_cursor
from certuary.portal.api.schemas import DryRunGiven, MomentGiven
from certuary.portal.certificate_fields import decode_csr, decode_sample
from certuary.portal.deps import deps_of
from certuary.portal.names import application_names
from certuary.portal.refused import (
    STEP_WORDS,
    Refusal,
    find_refusal,
    page_key_text,
    parse_page_key,
    sample_of,
)
from certuary.portal.scope import Scope, find_application_named
from certuary.services.rehearse_enrolment import Rehearsal, Rehearsed, StepResult, rehearse_enrolment
from certuary.store.enrolments import RefusalFilter, list_refusals

router = Router(tags=["Refusals"])
dry_runs = Router(tags=["Refusals"])

_READ = needs("refusals:read", EVERYBODY)


class RefusalQuery(PageQuery):
    rule: str = Field("", max_length=64, description="as docs/errors.md lists it")
    application: str = Field("", max_length=64, description="an application's name")
    since: MomentGiven | None = None


@router.get("", response=answers.RefusalPage, summary="List refused requests, newest first", **_READ)
def list_refused(request: HttpRequest, query: Annotated[RefusalQuery, Query()]) -> answers.RefusalPage:
    """Of applications; what strangers asked for is in the audit log."""
    wanted = RefusalFilter(
        application_ids=_application_ids(request, query.application), reason=query.rule, since=query.since
    )
    older_than = parse_page_key(text_cursor(query.cursor))
    found = list_refusals(wanted, older_than=older_than, limit=query.limit)
    shown = found[: query.limit]
    names = application_names(one.application_id for one in shown)
    return answers.RefusalPage(
        items=[
            answers.Refusal(
                request_id=one.request_id,
                at=one.at,
                rule=one.reason,
                operation=one.operation,
                application=names.get(one.application_id or 0),
                address=one.address,
                label=one.label,
            )
            for one in shown
        ],
        next_cursor=next_cursor(page_key_text(shown[-1]) if len(found) > query.limit else None),
    )


@router.get("/{request_id}", response=answers.Explained, summary="Why a request was answered so", **_READ)
def explain_request(request: HttpRequest, request_id: str) -> answers.Explained:
    """By the `X-Request-Id` that its answer carried; also of one that was granted."""
    found = find_refusal(request, request_id)
    if found is None:
        raise NotFound("no request of this id is known, or it is none that you may see")
    return _explained(found)


@dry_runs.post("", response=answers.DryRun, summary="Try a request, issuing nothing", **_READ)
def try_request(request: HttpRequest, given: DryRunGiven) -> answers.DryRun:
    application = find_application_named(request, given.application)
    assert isinstance(application.id, int)
    asked = Rehearsal(
        operation=Operation(given.operation),
        label=given.label or None,
        body=given.csr.encode(),
        application_id=application.id,
        address=_address(given.address),
    )
    return _tried(rehearse_enrolment(asked, deps_of(request).rehearsal))


def _application_ids(request: HttpRequest, name: str) -> tuple[int, ...] | None:
    if not name:
        return Scope.of(request).application_ids()
    number = find_application_named(request, name).id
    assert isinstance(number, int)
    return (number,)


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise InvalidValue(
            "address is an IP address such as 10.0.0.7 or 2001:db8::7", rule="network"
        ) from None


def _explained(found: Refusal) -> answers.Explained:
    explanation, made = explain(found.rule), found.enrolment
    is_issued = made is not None and made.outcome == "issued"
    csr_der = None if made is None else made.csr_der
    return answers.Explained(
        request_id=found.request_id,
        at=found.at,
        outcome="issued" if is_issued else "refused",
        rule=found.rule,
        sentence=found.sentence,
        means="" if is_issued else explanation.means,
        next_step="" if is_issued else explanation.next_step,
        application=None if found.application is None else str(found.application.values["name"]),
        operation=None if made is None else made.operation,
        label=None if made is None else made.label,
        address=found.address,
        profile=None if made is None else made.profile_name or None,
        profile_version=None if made is None else made.profile_version,
        serial=None if made is None else made.serial,
        csr=csr_pem(csr_der),
        decoded=_decoded(csr_der),
    )


def _decoded(csr_der: bytes | None) -> list[answers.Section]:
    try:
        return [] if csr_der is None else describe_sections(decode_csr(parse_csr(csr_der)))
    except CertuaryError:
        return []


def _tried(done: Rehearsed) -> answers.DryRun:
    refusal = done.refusal
    explanation = None if refusal is None else explain(refusal.rule)
    issued = [] if done.plan is None else describe_sections(decode_sample(sample_of(done.plan)))
    return answers.DryRun(
        granted=refusal is None,
        status=200 if refusal is None else http_status(refusal),
        steps=[_step(result) for result in done.steps],
        rule=None if refusal is None else refusal.rule,
        sentence=None if refusal is None else refusal.detail,
        reason=done.reason or None,
        means=None if explanation is None else explanation.means,
        next_step=None if explanation is None else explanation.next_step,
        profile=None if done.profile is None else done.profile.profile.name,
        replaces=done.replaces,
        request=[] if done.csr is None else describe_sections(decode_csr(done.csr)),
        certificate=issued,
    )


def _step(result: StepResult) -> answers.Step:
    title, meaning = STEP_WORDS[result.step]
    return answers.Step(title=title, meaning=meaning, outcome=result.outcome.value)
