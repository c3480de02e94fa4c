"""What waits for a second person: approve it, reject it, withdraw it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from django.http import HttpRequest

from certuary.errors import Conflict
from certuary.portal.approving import (
    URL,
    content_of_approval,
    find_waiting,
    page_url,
    review_again,
)
from certuary.portal.signing import Content, Done, Line, Review, ReviewGroup, SignedChange, covering
from certuary.portal.visible import visible
from certuary.services.approvals import reject_approval, withdraw_approval
from certuary.services.change_deps import ChangeDeps
from certuary.services.entitlement import Actor
from certuary.services.ports import Record
from certuary.services.two_persons import RULES, Approved, digest_of

DIFFERS = (
    "what is there changed since this was asked for, so that you would not sign what was signed first; reject it, and "
    "have it asked for anew"
)


class ApproveChange:
    """The same page as the first person saw, and the same digest: then the change is made."""

    def __init__(self, changes: Mapping[str, SignedChange]) -> None:
        self._changes = changes

    def review(self, content: Content, request: HttpRequest) -> Review:
        approval = find_waiting(request, int(content["id"]))
        inner = review_again(self._changes.get(str(approval.values["change"])), approval, request)
        if inner.digest != digest_of(approval):
            raise Conflict(DIFFERS, rule="digest-differs")
        return Review(
            title=f"Approve: {inner.title}",
            sentence="You are the second person: when you sign, this is done, in both names.",
            groups=(*inner.groups, _request_group(approval, inner.digest)),
            button="Sign and Approve",
            is_destructive=inner.is_destructive,
            back_url=page_url(approval),
            covers=(*covering(approval), *inner.covers),
        )

    def apply(self, content: Content, actor: Actor, deps: ChangeDeps, request: HttpRequest) -> Done:
        approval = find_waiting(request, int(content["id"]))
        change = self._changes[str(approval.values["change"])]
        digest = review_again(change, approval, request).digest
        approved = replace(deps, approval=Approved(record=approval, digest=digest))
        return change.apply(content_of_approval(approval), actor, approved, request)


class RejectApproval:
    def review(self, content: Content, request: HttpRequest) -> Review:
        approval = find_waiting(request, int(content["id"]))
        line = Line(label="Reason", value=str(content["reason"]), meaning="whoever asked for it reads this")
        edit_url = f"{page_url(approval)}reject/?token={content['token']}"
        return Review(
            title=f"Reject: {approval.values['title']}",
            sentence="You refuse this change. It is not made; the request stays on record with your reason.",
            groups=(
                _request_group(approval, digest_of(approval)),
                ReviewGroup(title="Rejection", lines=(line,), edit_url=edit_url),
            ),
            button="Sign and Reject",
            is_destructive=True,
            back_url=page_url(approval),
            covers=covering(approval),
        )

    def apply(self, content: Content, actor: Actor, deps: ChangeDeps, request: HttpRequest) -> Done:
        approval = find_waiting(request, int(content["id"]))
        reject_approval(actor, approval, str(content["reason"]), deps)
        return Done(message=f"{approval.values['name']} is rejected", url=URL)


class WithdrawApproval:
    def review(self, content: Content, request: HttpRequest) -> Review:
        approval = find_waiting(request, int(content["id"]))
        return Review(
            title=f"Withdraw: {approval.values['title']}",
            sentence="You take back what you asked for. It is not made; the request stays on record.",
            groups=(_request_group(approval, digest_of(approval)),),
            button="Sign and Withdraw",
            is_destructive=True,
            back_url=page_url(approval),
            covers=covering(approval),
        )

    def apply(self, content: Content, actor: Actor, deps: ChangeDeps, request: HttpRequest) -> Done:
        approval = find_waiting(request, int(content["id"]))
        withdraw_approval(actor, approval, deps)
        return Done(message=f"{approval.values['name']} is withdrawn", url=URL)


def _request_group(approval: Record, digest: str) -> ReviewGroup:
    values = approval.values
    return ReviewGroup(
        title="Asked for",
        lines=(
            Line(label="Request", value=str(values["name"])),
            Line(label="By", value=visible(str(values["requester"]))),
            Line(label="When", value=f"{values['created_at']:%Y-%m-%d %H:%M:%S} UTC"),
            Line(label="Kind of change", value=RULES.get(str(values["kind"]), str(values["kind"]))),
            Line(
                label="What was signed first, SHA-256",
                value=digest,
                meaning="Of just what is shown here. A password that is to be made up is made at the second signature, "
                "and shown once to who gives it.",
            ),
        ),
    )
