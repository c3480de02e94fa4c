"""Bind identities to users, and take them away: what opens the portal for them beside the password.

A CA Administrator does it, as with passwords and second factors of others: who binds an identity decides who comes in
as that user. It raises nobody's role, and signs nothing: that takes the user's own password.
"""

from __future__ import annotations

from certuary.core.identity import MOST, Identity, identities_from_json
from certuary.errors import AlreadyExists, Conflict, NotFound
from certuary.services.change_deps import ChangeDeps
from certuary.services.change_record import RecordChanges, change_records
from certuary.services.entitlement import Actor
from certuary.services.find_record import find_named
from certuary.services.ports import Record


def identities_of(user: Record) -> tuple[Identity, ...]:
    return identities_from_json(user.values.get("identities"))


def bind_identity(actor: Actor, name: str, identity: Identity, deps: ChangeDeps) -> Record:
    """`AlreadyExists` when it is this user's, or another's: an identity is one person."""
    user = find_named(deps.records, "user", name)
    with change_records(actor, deps) as changes:
        changes.require_ca_administrator("binding an identity to a user")
        _refuse_own_where_two(actor, name, changes, deps)
        _refuse_taken(identity, deps)
        known = identities_of(_as_it_is(user, changes))
        if len(known) >= MOST:
            raise Conflict(f"{name} has {MOST} identities already; take one away first", rule="identities")
        return changes.update(user, {"identities": [one.to_json() for one in (*known, identity)]})


def unbind_identity(actor: Actor, name: str, identity: Identity, deps: ChangeDeps) -> Record:
    """Sessions that it opened end with their next request."""
    user = find_named(deps.records, "user", name)
    with change_records(actor, deps) as changes:
        changes.require_ca_administrator("taking an identity away from a user")
        _refuse_own_where_two(actor, name, changes, deps)
        known = identities_of(_as_it_is(user, changes))
        left = [one.to_json() for one in known if one.key != identity.key]
        if len(left) == len(known):
            raise NotFound(f"{name} has no such identity: {identity.in_words}")
        return changes.update(user, {"identities": left})


def _refuse_own_where_two(actor: Actor, name: str, changes: RecordChanges, deps: ChangeDeps) -> None:
    """Whose record changes cannot be the first person: their seal has to hold when the second signs."""
    if actor.name == name and deps.approval is None and changes.rules()["user"].is_on:
        raise Conflict(
            "where changes of users take two persons, another CA Administrator asks for an identity of yours, and "
            "you may approve it",
            rule="own-role",
        )


def _refuse_taken(identity: Identity, deps: ChangeDeps) -> None:
    """Read while the transaction holds the revision: two who bind it at once cannot both succeed."""
    for other in deps.records.all("user"):
        if any(one.key == identity.key for one in identities_of(other)):
            raise AlreadyExists(
                f"this identity is {other.values['name']}'s already, and an identity is one user's: "
                f"{identity.in_words}",
                rule="identity-taken",
            )


def _as_it_is(user: Record, changes: RecordChanges) -> Record:
    current = changes.find("user", id=user.id)
    if current is None:
        raise NotFound(f"the user {user.values['name']} was removed in the meantime")
    return current
