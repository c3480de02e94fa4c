"""Ask for a second person, reject what somebody asked for, withdraw what one asked for oneself.

Approving is making the change, with `ChangeDeps.approval`: `services.change_record` uses the approval up.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from certuary.errors import InvalidValue, NotFound, NotPermitted, SecondPersonNeeded
from certuary.services.change_deps import ChangeDeps
from certuary.services.change_record import change_records
from certuary.services.entitlement import Actor, Values, check_may_change
from certuary.services.ports import Record
from certuary.services.two_persons import REJECTED, WAITING, WITHDRAWN

LIFETIME: Final = timedelta(days=7)
LONGEST_REASON: Final = 500
_NAME_OCTETS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A change as its first person signed it. `change` is what the front end calls it, `content` what that front end
    makes it from, `shown` the text whose SHA-256 both persons sign."""

    change: str
    title: str
    content: str
    shown: str


def ask_for_approval(actor: Actor, wanted: Wanted, needed: SecondPersonNeeded, deps: ChangeDeps) -> Record:
    """Keep the change that was just tried, sealed, for seven days."""
    with change_records(actor, deps) as changes:
        user = changes.find("user", name=actor.name)
        if user is None:
            raise NotFound(f"{actor.name} was removed in the meantime")
        return changes.ask(
            {
                "name": f"APR-{secrets.token_hex(_NAME_OCTETS)}",
                "kind": needed.kind,
                "change": wanted.change,
                "title": wanted.title,
                "content": wanted.content,
                "shown": wanted.shown,
                "requester": actor.name,
                "requester_id": user.id,
                "group_ids": list(needed.group_ids),
                "least_role": needed.least_role,
                "expires_at": changes.now + LIFETIME,
                "state": WAITING,
                "decided_by": "",
                "decided_at": None,
                "reason": "",
                "request_seal": "",
            }
        )


def reject_approval(actor: Actor, approval: Record, reason: str, deps: ChangeDeps) -> None:
    """By whoever could approve it."""
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise InvalidValue(f"say why, in at most {LONGEST_REASON} characters", rule="reason")
    with change_records(actor, deps) as changes:
        if approval.values["requester"] == actor.name:
            raise NotPermitted("you asked for this yourself: withdraw it", rule="two-persons")
        changes.decide(approval, REJECTED, reason.strip())


def withdraw_approval(actor: Actor, approval: Record, deps: ChangeDeps) -> None:
    """By who asked."""
    with change_records(actor, deps) as changes:
        if approval.values["requester"] != actor.name:
            raise NotPermitted(
                f"{approval.values['requester']} asked for this; reject it", rule="two-persons"
            )
        changes.decide(approval, WITHDRAWN, "")


def may_decide(actor: Actor, approval: Values) -> bool:
    """Whether somebody is entitled to the change, and did not ask for it: for approving and for rejecting alike."""
    if approval["requester"] == actor.name:
        return False
    try:
        check_may_change(actor, "approval", before=approval, after=approval)
    except NotPermitted:
        return False
    return True
