"""Changes that take two persons, in the portal: asked for by the first signature, made by the second.

Which change takes two, and whether an approval holds, `services.change_record` decides; here is what people see of it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Final

from django.http import HttpRequest

from certuary.errors import CertuaryError, InvalidSeal, NotFound, SecondPersonNeeded
from certuary.portal.access import rule_of
from certuary.portal.deps import deps_of
from certuary.portal.scope import Scope
from certuary.portal.seal_problems import missing_entry
from certuary.portal.signing import Content, Done, Review, SignedChange
from certuary.services.approvals import Wanted, ask_for_approval, may_decide
from certuary.services.change_deps import ChangeDeps
from certuary.services.entitlement import Actor
from certuary.services.ports import Record
from certuary.services.record_gate import RecordGate, name_of
from certuary.services.two_persons import PREFIX, RuleState, rule_states
from certuary.store.approvals import waiting_now

URL: Final = "/approvals/"
_COUNTED: Final = 100


def apply_or_ask(
    change: SignedChange,
    kind: str,
    content: Content,
    review: Review,
    actor: Actor,
    deps: ChangeDeps,
    request: HttpRequest,
) -> Done:
    """Make the change; when it takes two persons, keep it for the second."""
    try:
        return change.apply(content, actor, replace(deps, may_ask=True), request)
    except SecondPersonNeeded as needed:
        approval = keep_for_second_person(kind, content, review, needed, actor, deps)
    return Done(
        message=f"Signed, and waiting: {approval.values['name']} takes effect when a second person approves it",
        url=page_url(approval),
    )


def keep_for_second_person(
    kind: str, content: Content, review: Review, needed: SecondPersonNeeded, actor: Actor, deps: ChangeDeps
) -> Record:
    wanted = Wanted(change=kind, title=review.title, content=json.dumps(content), shown=review.text)
    return ask_for_approval(actor, wanted, needed, deps)


def page_url(approval: Record) -> str:
    return f"{URL}{approval.id}/"


def find_approval(request: HttpRequest, number: int) -> Record:
    """Also one that was decided. `NotFound`, alike for what belongs to another group."""
    records = deps_of(request).records
    record = records.find("approval", id=number) or records.find_ever("approval", number)
    if record is None or not Scope.of(request).has_record(record):
        raise NotFound(f"there is no request for approval with number {number}")
    return record


def find_waiting(request: HttpRequest, number: int) -> Record:
    """To be decided: `NotFound` once it is, `InvalidSeal` when it is not what somebody signed."""
    record = find_approval(request, number)
    if record.removed_at is not None:
        raise NotFound(f"{record.values['name']} was decided already")
    try:
        deps_of(request).gate().check(record)
    except InvalidSeal as problem:
        raise InvalidSeal(f"the request cannot be believed: {problem.detail}") from None
    return record


def is_waiting(request: HttpRequest, number: int) -> bool:
    """Whether it can be decided yet."""
    try:
        find_waiting(request, number)
    except CertuaryError:
        return False
    return True


def review_again(change: SignedChange | None, approval: Record, request: HttpRequest) -> Review:
    """What the change would do now, as the second person sees it."""
    if change is None:
        raise NotFound(f"this release knows no change {approval.values['change']!r}")
    review = change.review({**content_of_approval(approval), "token": ""}, request)
    return replace(review, groups=tuple(replace(group, edit_url="") for group in review.groups))


def content_of_approval(approval: Record) -> Content:
    content: Content = json.loads(str(approval.values["content"]))
    return content


def actor_here(request: HttpRequest) -> Actor:
    """Who is signed in, by the pages' own account of them: for what is shown, not for what is done."""
    scope = Scope.of(request)
    return Actor(name=scope.user, role=scope.role, group_ids=frozenset(scope.group_ids or ()))


def may_decide_here(request: HttpRequest, approval: Record) -> bool:
    return not approval.unreadable and may_decide(actor_here(request), approval.values)


def count_to_decide(request: HttpRequest) -> int:
    """For the navigation. Of very many the first hundred."""
    decides = rule_of("approval-approve")
    if decides is None or not decides(getattr(request.user, "role", "")):
        return 0
    actor = actor_here(request)
    return sum(may_decide(actor, values) for values in waiting_now(deps_of(request).clock.now(), _COUNTED))


def rules_now(request: HttpRequest) -> dict[str, RuleState]:
    """`InvalidSeal` when the manifest is not to be believed."""
    deps = deps_of(request)
    return rule_states(deps.records, RecordGate.open(deps.records, deps.trust, deps.high_water))


def takes_two(request: HttpRequest, kind: str, content: Content) -> bool:
    """Whether a signature would only ask. Not where nothing can be said: then signing says it."""
    try:
        rule, states = _rule_of(request, kind, content), rules_now(request)
    except CertuaryError:
        return False
    return rule in states and states[rule].is_on


def _rule_of(request: HttpRequest, kind: str, content: Content) -> str:
    """As `services.two_persons.rule_for`, by what a change is called here."""
    subject = kind.split("-")[0]
    if subject == "seal" and content["kind"] == "switch":
        return _name_of_switch(request, int(content["id"])).removeprefix(PREFIX)
    named = str(content.get({"seal": "kind", "switch": "rule"}.get(subject, ""), subject))
    return _RULE_OF.get(named, named)


def _name_of_switch(request: HttpRequest, number: int) -> str:
    """By the manifest where its row is gone."""
    switch = deps_of(request).records.find("switch", id=number)
    if switch is not None:
        return name_of(switch)
    entry = missing_entry(request, "switch", number)
    return "" if entry is None else entry.name


_RULE_OF: Final = {"label": "profile", "certificate": "revocation", "identity": "user"}
"""The kinds of change whose rule is called otherwise."""
