"""The two-person rule: a sealed switch for each kind of change, and what a second signature has to be.

A switch that was never turned on is off. One whose row is gone, whose seal does not hold, or that nobody signed, counts
as on: who can write to the database must not be able to turn the rule off.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from certuary.core.seal import Seal
from certuary.errors import Conflict, InvalidSeal, NotFound, NotPermitted
from certuary.services.entitlement import (
    ADMINISTRATOR,
    CA_ADMINISTRATOR,
    Actor,
    Values,
    actor_of,
    check_may_change,
    is_own_access,
)
from certuary.services.ports import Record, RecordKind
from certuary.services.record_gate import RecordGate
from certuary.services.trusted_feed import MISSING

PREFIX: Final = "two-persons."
WAITING: Final = "waiting"
APPROVED: Final = "approved"
REJECTED: Final = "rejected"
WITHDRAWN: Final = "withdrawn"

RULES: Final[Mapping[str, str]] = {
    "application": "External applications",
    "profile": "Profiles and labels",
    "user": "Users and roles",
    "group": "Groups",
    "authority": "Authorities",
    "revocation": "Revocation of certificates",
}
"""Every kind of change that can take two persons. Properties cannot: plain SQL may edit them."""

_RULE_OF: Final[Mapping[RecordKind, str]] = {
    "application": "application",
    "profile": "profile",
    "label": "profile",
    "user": "user",
    "group": "group",
    "authority": "authority",
}


class Records(Protocol):
    def find(self, kind: RecordKind, **match: object) -> Record | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleState:
    """`problem` says why a switch that cannot be believed counts as on; "" when it can."""

    is_on: bool
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """What a second person signs: the approval as it was shown to them, and the digest of the change as they saw it."""

    record: Record
    digest: str


def rule_states(records: Records, gate: RecordGate) -> dict[str, RuleState]:
    """Of each kind of change, as the database has it now."""
    if gate.broken_parts(("switch",)):
        problem = "the part of the manifest that lists the switches was altered, or its row is gone"
        return dict.fromkeys(RULES, RuleState(is_on=True, problem=problem))
    numbers: dict[str, list[int]] = {}
    for number, entry in gate.entries("switch").items():
        numbers.setdefault(entry.name, []).append(number)
    return {
        rule: _state(records, gate, switch_name(rule), numbers.get(switch_name(rule), ())) for rule in RULES
    }


def switch_name(rule: str) -> str:
    return PREFIX + rule


def rule_for(actor: Actor, kind: RecordKind, before: Values | None, after: Values | None) -> str | None:
    """Which rule a change is under, if that is on. A switch is under its own rule: so one person turns it on, and two
    turn it off. What people change of their own access is under none, nor is what Certuary itself does."""
    if actor.kind == "system" or is_own_access(actor, kind, before, after):
        return None
    if kind == "switch":
        name = str((before or after or {}).get("name", ""))
        return name.removeprefix(PREFIX) if name.startswith(PREFIX) else None
    return _RULE_OF.get(kind)


def least_role(kind: RecordKind, before: Values | None, after: Values | None) -> str:
    """Which role may make a change, when everything that it is about is of its groups."""
    groups = frozenset(groups_of(kind, before, after))
    try:
        check_may_change(
            Actor(name="", role=ADMINISTRATOR, group_ids=groups), kind, before=before, after=after
        )
    except NotPermitted:
        return CA_ADMINISTRATOR
    return ADMINISTRATOR


def groups_of(kind: RecordKind, *states: Values | None) -> tuple[int, ...]:
    """The groups of what a change is about, by the states before and after it."""
    found: dict[int, None] = {}
    for state in states:
        for number in _numbers(kind, state or {}):
            found[number] = None
    return tuple(found)


def digest_of(approval: Record) -> str:
    """Of what the first person was shown when they signed."""
    return hashlib.sha256(str(approval.values["shown"]).encode(errors="surrogatepass")).hexdigest()


def as_requested(approval: Record) -> Record:
    """An approval that somebody decided, as it was while it waited: under the first person's seal."""
    if approval.removed_at is None:
        return approval
    undecided = {"state": WAITING, "decided_by": "", "decided_at": None, "reason": "", "request_seal": ""}
    return Record(
        kind=approval.kind,
        id=approval.id,
        revision=approval.revision,
        values={**approval.values, **undecided},
        version=approval.version - 1,
        seal=str(approval.values["request_seal"]),
    )


def check_second_person(
    approved: Approved, actor: Actor, certificate: bytes, records: Records, gate: RecordGate, now: datetime
) -> Record:
    """The approval as it is now, when `actor`, who signs with `certificate`, may complete it. Otherwise `Conflict`,
    `NotFound`, `InvalidSeal` or `NotPermitted`."""
    approval = records.find("approval", id=approved.record.id)
    if approval is None:
        raise NotFound("this request was decided or withdrawn in the meantime")
    gate.check(approval)
    if (approval.seal, approval.values) != (approved.record.seal, approved.record.values):
        raise Conflict("the request was changed after it was shown to you; look at it again")
    if approved.digest != digest_of(approval):
        raise Conflict(
            "what is there is not what was signed first: reject this request, and have it made anew",
            rule="digest-differs",
        )
    if is_expired(approval, now):
        raise Conflict(f"the request expired on {approval.values['expires_at']:%Y-%m-%dT%H:%M:%SZ}; ask anew")
    requester = _check_requester(approval, Seal.from_text(approval.seal), records, gate)
    signer = records.find("user", name=actor.name)
    same_key = Seal.from_text(approval.seal).certificate == certificate
    if signer is None or signer.id == requester.id or same_key:
        raise NotPermitted(
            "who asked for a change does not approve it: another user does", rule="two-persons"
        )
    return approval


def is_expired(approval: Record, now: datetime) -> bool:
    expires_at = approval.values["expires_at"]
    return not isinstance(expires_at, datetime) or expires_at <= now


def _check_requester(approval: Record, seal: Seal, records: Records, gate: RecordGate) -> Record:
    """Who asked must be entitled still: what they may do now has to reach as far as what they signed with."""
    name = str(approval.values["requester"])
    user = records.find("user", id=approval.values["requester_id"])
    if user is None or seal.signer != name or user.values["name"] != name:
        raise InvalidSeal(f"the request was not signed by its requester, {name!r}")
    gate.check(user)
    if not user.values["enabled"]:
        raise NotPermitted(
            f"{name}, who asked for this, is disabled; have it asked for anew", rule="two-persons"
        )
    present = actor_of(user)
    reaches = present.role == CA_ADMINISTRATOR or (
        present.role == seal.role and present.group_ids.issuperset(seal.group_ids)
    )
    if not reaches:
        raise NotPermitted(
            f"{name} may do less now than when they asked for this; have it asked for anew",
            rule="two-persons",
        )
    return user


def _state(records: Records, gate: RecordGate, name: str, signed: Iterable[int]) -> RuleState:
    """`signed` are the numbers of the switches of this name that the manifest lists: of several, one that is on."""
    states = [_state_of(records, gate, id=number) for number in signed]
    if states:
        return max(states, key=lambda state: (state.is_on, state.problem))
    return _state_of(records, gate, name=name, is_expected=False)


def _state_of(records: Records, gate: RecordGate, *, is_expected: bool = True, **match: object) -> RuleState:
    try:
        switch = records.find("switch", **match)
        if switch is None:
            return RuleState(is_on=is_expected, problem=MISSING if is_expected else "")
        gate.check(switch)
    except InvalidSeal as problem:
        return RuleState(is_on=True, problem=problem.detail)
    return RuleState(is_on=switch.values["enabled"] is not False)


def _numbers(kind: RecordKind, state: Values) -> tuple[int, ...]:
    if kind == "application":
        found: object = (state.get("group_id"),)
    elif kind == "group":
        found = (state.get("id"),)
    else:
        found = state.get("group_ids") if kind == "user" else ()
    return (
        tuple(number for number in found if isinstance(number, int))
        if isinstance(found, list | tuple)
        else ()
    )
