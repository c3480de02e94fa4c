"""API tokens: made once, shown once, believed only with their mark.

A token never opens more than its user's role and groups do, and less when its scopes say so. It is void when its user
is disabled, gets another password or another role. It signs nothing: a sealed change takes the password, too.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from django.utils.crypto import salted_hmac

from certuary.core.mark import Marker
from certuary.errors import CertuaryError, InvalidValue, NotAuthenticated, NotFound
from certuary.portal.deps import PortalDeps
from certuary.portal.models import ApiToken, PortalUser
from certuary.services.change_deps import ChangeDeps
from certuary.services.change_record import add_audit_event
from certuary.services.entitlement import Actor, actor_of
from certuary.services.ports import Record

TokenState = Literal["in force", "revoked", "expired", "void"]
PREFIX: Final = "cty_"
LONGEST_DAYS: Final = 366
_OCTETS: Final = 32
_USED_EVERY: Final = timedelta(minutes=1)

SCOPES: Final = {
    "applications:read": "See external applications",
    "applications:write": "Register, change, disable, rotate and remove external applications (with the password)",
    "certificates:read": "Search and download certificates, and see where each comes from",
    "certificates:revoke": "Revoke certificates (with the password)",
    "profiles:read": "See profiles, their versions and labels, and check a profile before it is saved",
    "profiles:write": "Make profile versions and labels (with the password)",
    "approvals:read": "See what waits for a second person",
    "approvals:write": "Approve, reject and withdraw what waits for a second person (with the password)",
    "groups:read": "See groups",
    "groups:write": "Add and rename groups (with the password)",
    "properties:read": "See properties and who changed them",
    "properties:write": "Set and remove properties (with the password)",
    "authorities:read": "See authorities, download their certificates and CRLs",
    "users:read": "See users",
    "users:write": "Add users, change their roles and groups, lock them out, reset their passwords (with the password)",
    "refusals:read": "See why requests were refused, and try one without issuing",
    "audit:read": "Read and export the audit log",
    "seals:read": "See which seals do not hold, and why",
    "seals:write": "Sign records as they stand, accept that one is gone (with the password)",
    "statistics:read": "See the numbers of the dashboard",
    "nodes:read": "See the nodes and their health",
    "search:read": "Search everything that the token's other scopes open",
    "tokens:read": "See your own API tokens",
    "tokens:revoke": "Revoke your own API tokens (with the password)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiCaller:
    """Who calls: what the token's user may do, cut down to the token's scopes."""

    actor: Actor
    user: PortalUser
    user_id: int
    token_id: int
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFacts:
    """A row as its mark wants it: PostgreSQL's driver gives a view of its buffer."""

    token_hash: str
    user_id: int
    name: str
    scopes: Sequence[str]
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    mark: bytes | None


def make_token(
    actor: Actor, user: Record, name: str, scopes: Sequence[str], days: int, deps: ChangeDeps
) -> tuple[ApiToken, str]:
    """The row, and the token to be shown this once."""
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        raise InvalidValue(f"choose scopes among {', '.join(SCOPES)}", rule="api-scope")
    if not 1 <= days <= LONGEST_DAYS:
        raise InvalidValue(f"a token lives 1 to {LONGEST_DAYS} days", rule="api-token-lifetime")
    token = PREFIX + secrets.token_urlsafe(_OCTETS)
    now = deps.clock.now()
    row = ApiToken(
        token_hash=_hash(token),
        user_id=int(user.id),
        name=name,
        scopes=sorted(scopes),
        created_at=now,
        expires_at=now + timedelta(days=days),
    )
    row.mark = deps.marker().api_token(_facts(row), credential_of(user))
    row.save()
    detail = {"name": name, "scopes": row.scopes, "expires_at": row.expires_at.isoformat()}
    add_audit_event(actor, "api-token.made", f"api-token:{row.pk}", detail, deps)
    return row, token


def revoke_token(actor: Actor, user: Record, token_id: int, deps: ChangeDeps) -> None:
    """`NotFound` for another's. A row whose mark does not hold is taken away: a fresh mark would vouch for it."""
    row = ApiToken.objects.filter(pk=token_id, user_id=int(user.id), revoked_at__isnull=True).first()
    if row is None:
        raise NotFound("there is no such token, or it was revoked already")
    if problem_of(row, user, deps.marker()) is None:
        row.revoked_at = deps.clock.now()
        row.mark = deps.marker().api_token(_facts(row), credential_of(user))
        row.save()
    else:
        row.delete()
    add_audit_event(actor, "api-token.revoked", f"api-token:{token_id}", {"name": row.name}, deps)


def find_caller(token: str, deps: PortalDeps, now: datetime) -> ApiCaller:
    """`NotAuthenticated` with the reason for the log; from outside all refusals are alike."""
    row = ApiToken.objects.filter(token_hash=_hash(token)).first() if token.startswith(PREFIX) else None
    if row is None:
        raise NotAuthenticated("unknown token")
    user = deps.records.find("user", id=row.user_id) if isinstance(row.user_id, int) else None
    if user is None or not user.values["enabled"]:
        raise NotAuthenticated("the token's user is gone or disabled")
    try:
        deps.gate().check(user)
    except CertuaryError as problem:
        raise NotAuthenticated(f"the user's record cannot be believed: {problem.detail}") from None
    problem_found = problem_of(row, user, deps.marker)
    if problem_found is not None:
        raise NotAuthenticated(problem_found)
    if row.revoked_at is not None or row.expires_at <= now:
        raise NotAuthenticated("the token was revoked or has expired")
    if row.last_used_at is None or now - row.last_used_at >= _USED_EVERY:
        ApiToken.objects.filter(pk=row.pk).update(last_used_at=now)
    return ApiCaller(
        actor=actor_of(user),
        user=_person(user),
        user_id=row.user_id,
        token_id=row.pk,
        scopes=frozenset(row.scopes),
    )


def state_of(row: ApiToken, user: Record, marker: Marker, now: datetime) -> tuple[TokenState, str | None]:
    """ "in force", "revoked", "expired" or "void", and of the last why."""
    if row.revoked_at is not None:
        return "revoked", None
    if isinstance(row.expires_at, datetime) and row.expires_at <= now:
        return "expired", None
    problem = problem_of(row, user, marker)
    return ("in force" if problem is None else "void"), problem


def tokens_of(user: Record, *, before: int | None = None, limit: int = 200) -> list[ApiToken]:
    """Newest first."""
    rows = ApiToken.objects.filter(user_id=int(user.id))
    if before is not None:
        rows = rows.filter(pk__lt=before)
    return list(rows.order_by("-pk")[:limit])


def problem_of(row: ApiToken, user: Record, marker: Marker) -> str | None:
    """Why the row is not believed; None when it is."""
    try:
        marker.check_api_token(_facts(row), credential_of(user))
    except CertuaryError as problem:
        return problem.detail
    return None


def _person(user: Record) -> PortalUser:
    """Of the record that was believed: a row read once more might be another by now."""
    columns = ("name", "role", "group_ids", "enabled", "must_change_password")
    return PortalUser(id=user.id, **{name: user.values[name] for name in columns})


def _facts(row: ApiToken) -> TokenFacts:
    return TokenFacts(
        token_hash=row.token_hash,
        user_id=row.user_id,
        name=row.name,
        scopes=row.scopes,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        mark=bytes(row.mark) if isinstance(row.mark, bytes | memoryview) else None,
    )


def credential_of(user: Record) -> str:
    parts = (user.values["password_hash"], user.values["signing_certificate"], user.values["role"])
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()


def _hash(token: str) -> str:
    return salted_hmac("certuary.portal.api-token", token, algorithm="sha256").hexdigest()
