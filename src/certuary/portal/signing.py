"""Verify and Confirm, then Sign and Save: the one way by which the portal changes anything that is signed.

    form --propose--> PendingChange --review--> page with a digest --sign--> services.change_record

What was typed waits on the server for 15 minutes, for its maker alone; a typed password waits as its hash. The page
carries the digest of what it showed, the present record included: when either changed in between, nothing is signed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final, Protocol

from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac

from certuary.errors import Conflict, NotAuthenticated, NotFound, NotPermitted
from certuary.portal.deps import PortalDeps, change_deps_of, deps_of
from certuary.portal.guesses import check_guesses, count_guess, forget_guesses
from certuary.portal.models import PendingChange
from certuary.portal.people import viewer
from certuary.services.authenticate_user import authenticate_user
from certuary.services.believed_records import BelievedRecords
from certuary.services.change_deps import ChangeDeps
from certuary.services.entitlement import Actor
from certuary.services.ports import Record
from certuary.services.seal_changes import Sealing

PATIENCE: Final = timedelta(minutes=15)
Content = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A value as it will be stored. `before` is what an edit replaces; `meaning` says it in words."""

    label: str
    value: str
    meaning: str = ""
    warning: str = ""
    before: str | None = None
    is_code: bool = False
    """A text whose lines stay lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewGroup:
    """`is_context` is told beside what is signed, and is not part of it: it differs with who looks."""

    title: str
    lines: tuple[Line, ...]
    edit_url: str = ""
    is_context: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What is shown before it is signed. `covers` is what the signature is about beside the lines: the present record's
    version and seal, so that a record changed in between is refused."""

    title: str
    sentence: str
    groups: tuple[ReviewGroup, ...]
    button: str = "Sign and Save"
    is_destructive: bool = False
    back_url: str
    covers: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """What is signed, as `shown_groups` reads it again."""
        shown = [
            [group.title, [[line.label, line.value, line.before] for line in group.lines]]
            for group in self.groups
            if not group.is_context
        ]
        return json.dumps([self.title, shown, self.covers], sort_keys=True)

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def shown_groups(text: str) -> tuple[ReviewGroup, ...]:
    """The groups of `Review.text`, for whoever reads later what was signed. Of another text: none."""
    try:
        _, groups, _ = json.loads(text)
        return tuple(
            ReviewGroup(title=title, lines=tuple(_line_shown(*line) for line in lines))
            for title, lines in groups
        )
    except (ValueError, TypeError, RecursionError):
        return ()


def _line_shown(label: str, value: str, before: str | None) -> Line:
    return Line(label=label, value=value, before=before, is_code="\n" in str(value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """Shown once, on the page that answers the signature, and kept nowhere. Without a `value` it is a file alone."""

    label: str
    value: str = field(repr=False)
    filename: str = ""
    content: bytes = field(default=b"", repr=False)

    @property
    def content_base64(self) -> str:
        return base64.b64encode(self.content).decode("ascii")

    @property
    def data_url(self) -> str:
        """To save it from the page: it is on no server that could be asked again."""
        return f"data:application/octet-stream;base64,{self.content_base64}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """`url` is where to go on; with `secrets` or `lines` (to paste into a shell) a page shows them first."""

    message: str
    url: str
    secrets: tuple[Secret, ...] = ()
    shell: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class SignedChange(Protocol):
    def review(self, content: Content, request: HttpRequest) -> Review:
        """What `content` would do to what is there now. Any `CertuaryError` is shown."""
        ...

    def apply(self, content: Content, actor: Actor, deps: ChangeDeps, request: HttpRequest) -> Done:
        """By a service of `certuary.services`, which checks the actor's right and seals."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    token: str
    kind: str
    content: Content

    @property
    def url(self) -> str:
        return f"/confirm/{self.token}/"


def propose(request: HttpRequest, kind: str, content: Mapping[str, Any]) -> str:
    """Keep a change until it is signed; gives the URL of its Verify and Confirm page."""
    return keep(request, kind, dict(content)).url


def keep(request: HttpRequest, kind: str, content: Content) -> Pending:
    """Under a token of its own."""
    token = secrets.token_urlsafe(32)
    text = json.dumps(content)
    PendingChange.objects.filter(created_at__lt=timezone.now() - PATIENCE).delete()
    PendingChange.objects.create(
        token_hash=_token_hash(token),
        user_id=viewer(request).pk,
        kind=kind,
        content=text,
        digest=_content_digest(token, kind, text),
        created_at=timezone.now(),
    )
    return Pending(token=token, kind=kind, content=content)


def find_pending(request: HttpRequest, token: str) -> Pending:
    """`NotFound` when it was signed, is older than 15 minutes, or is somebody else's: alike from outside."""
    row = PendingChange.objects.filter(
        token_hash=_token_hash(token),
        user_id=viewer(request).pk,
        created_at__gte=timezone.now() - PATIENCE,
    ).first()
    # Who can write to the table must not choose what is shown, nor a hash that a page does not show.
    if row is None or row.digest != _content_digest(token, row.kind, row.content):
        raise NotFound("this change was signed already, or waited longer than 15 minutes")
    return Pending(token=token, kind=row.kind, content=json.loads(row.content))


def content_of(request: HttpRequest, token: str | None, kind: str) -> Content | None:
    """What was typed, for the form that Edit leads back to; None without a token, or when it is gone."""
    if not token:
        return None
    try:
        pending = find_pending(request, token)
    except NotFound:
        return None
    return pending.content if pending.kind == kind else None


def use_up(request: HttpRequest, token: str) -> None:
    """Called before anything is signed: of two presses, one finds it gone. `NotFound` for the other."""
    used, _ = PendingChange.objects.filter(token_hash=_token_hash(token), user_id=viewer(request).pk).delete()
    if not used:
        raise NotFound("this change was signed already")


def sign_in_to_sign(
    request: HttpRequest, username: str, password: str, *, replaces_password: bool = False
) -> tuple[Actor, ChangeDeps]:
    """Prove once more who it is; gives what a service needs to sign. `NotAuthenticated`, `InvalidSeal`, `RateLimited`.

    A password that was made up for the user, so that somebody else has seen it, signs nothing but its own
    replacement: `NotPermitted`.
    """
    if username != viewer(request).name:
        raise Conflict(f"sign as {viewer(request).name}, who is signed in, or sign in as somebody else first")
    check_guesses(viewer(request).pk)
    try:
        signed_in = sign_as(username, password, deps_of(request), change_deps_of(request))
    except NotAuthenticated:
        count_guess(viewer(request).pk)
        raise
    forget_guesses(viewer(request).pk)
    if not replaces_password and must_change_password(request):
        raise NotPermitted(
            "your password was made up for you, and somebody else has seen it; replace it under My account, then sign",
            rule="first-password",
        )
    return signed_in


def sign_as(username: str, password: str, deps: PortalDeps, before: ChangeDeps) -> tuple[Actor, ChangeDeps]:
    """The actor, and what its changes are signed with. `NotAuthenticated`, `InvalidSeal`."""
    gate = deps.gate()
    signer = authenticate_user(username, password, deps.passwords, gate, before)
    sealing = Sealing(operator=deps.operator, high_water=deps.high_water, signer=signer)
    records = BelievedRecords(deps.records, gate)
    return signer.actor, replace(before, sealing=sealing, records=records)


def must_change_password(request: HttpRequest) -> bool:
    return viewer(request).must_change_password


def covering(*records: Record | None) -> tuple[str, ...]:
    """For `Review.covers`: these records as they are now."""
    return tuple(
        f"{record.kind}:{record.id}:{record.version}:{hashlib.sha256(record.seal.encode()).hexdigest()}"
        for record in records
        if record is not None
    )


def _token_hash(token: str) -> str:
    return salted_hmac("certuary.portal.pending", token, algorithm="sha256").hexdigest()


def _content_digest(token: str, kind: str, content: str) -> str:
    """Under the portal's key, for this token alone."""
    value = json.dumps([token, kind, content])
    return salted_hmac("certuary.portal.pending-content", value, algorithm="sha256").hexdigest()
