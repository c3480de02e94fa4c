"""Authenticate a user by an identity that was proved elsewhere: to a provider, or by the key of a certificate.

It opens the portal and signs nothing: a change takes the password, as ever.
"""

from __future__ import annotations

from typing import NoReturn

from certuary.core.identity import Identity
from certuary.errors import InvalidSeal, NotAuthenticated
from certuary.services.change_deps import ChangeDeps
from certuary.services.change_record import add_audit_event
from certuary.services.entitlement import Actor
from certuary.services.manage_identity import identities_of
from certuary.services.ports import Record, RecordStore
from certuary.services.record_gate import Gate
from certuary.services.signing_key import certificate_of


def authenticate_identity(identity: Identity, gate: Gate, deps: ChangeDeps) -> Record:
    """The user whose sealed record names it, or `NotAuthenticated`, which never says why: the audit event does.

    Records that cannot be believed are passed over, so that a row altered to name somebody's identity neither opens
    anything nor keeps its owner out.
    """
    named = _users_naming(identity, deps.records)
    if not named:
        refuse_identity("", f"no user has this identity: {identity.in_words}", deps)
    believed: list[Record] = []
    problem = ""
    for user in named:
        try:
            gate.check(user)
        except InvalidSeal as seal_problem:
            problem = seal_problem.detail
        else:
            believed.append(user)
    if len(believed) != 1:
        reason = f"the user's record cannot be believed: {problem}" if not believed else "two users have it"
        refuse_identity(str(named[0].values["name"]), reason, deps)
    user = believed[0]
    name = str(user.values["name"])
    if not user.values["enabled"]:
        refuse_identity(name, "disabled user", deps)
    if gate.is_compromised(certificate_of(user)):
        refuse_identity(name, "the user's signing key counts as compromised", deps)
    return user


def has_identity(user: Record, identity: Identity) -> bool:
    return any(one.key == identity.key for one in identities_of(user))


def refuse_identity(name: str, reason: str, deps: ChangeDeps) -> NoReturn:
    """`name` is "" where nobody is known."""
    target = f"user:{name}" if name else ""
    add_audit_event(Actor(name=name, role=""), "user.refused", target, {"reason": reason}, deps)
    raise NotAuthenticated(reason)


def _users_naming(identity: Identity, records: RecordStore) -> tuple[Record, ...]:
    return tuple(user for user in records.all("user") if has_identity(user, identity))
