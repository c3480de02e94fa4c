"""Who may change what: four roles, one table.

A CA Administrator may change everything. An Administrator changes profiles, labels and properties, and within its
own groups the groups themselves, applications, officers and auditors. An Officer revokes certificates of its
groups' applications. An Auditor changes nothing, and reads what its groups have, or everything when it has none:
only a CA Administrator makes such a one. Everybody may change their own password and second factors.

Who may make a change may ask for it, and approve or reject what somebody else asked for, where it takes two persons.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

from certuary.errors import InvalidValue, NotPermitted
from certuary.services.ports import Record, RecordKind

CA_ADMINISTRATOR: Final = "ca-administrator"
ADMINISTRATOR: Final = "administrator"
OFFICER: Final = "officer"
AUDITOR: Final = "auditor"
ROLES: Final = (CA_ADMINISTRATOR, ADMINISTRATOR, OFFICER, AUDITOR)

Values = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who asks for a change: a user who proved a password, or Certuary itself (`kind` "system")."""

    name: str
    role: str
    group_ids: frozenset[int] = frozenset()
    kind: str = "user"


_OWN_ACCESS: Final = frozenset({"password_hash", "signing_key", "authenticators", "must_change_password"})
"""How people get in, which they change themselves; what they may do once in is decided by others."""

INSTALLER: Final = Actor(name="init", role=CA_ADMINISTRATOR, kind="system")


def actor_of(user: Record) -> Actor:
    """Of a record that was believed."""
    group_ids = user.values["group_ids"]
    assert isinstance(group_ids, list | tuple)
    return Actor(name=str(user.values["name"]), role=str(user.values["role"]), group_ids=frozenset(group_ids))


def parse_role(text: str) -> str:
    """Read a role as people write it: "CA Administrator" is "ca-administrator"."""
    role = "-".join(text.lower().replace("_", " ").split())
    if role not in ROLES:
        raise InvalidValue(f"{text!r} is not a role; choose from {', '.join(ROLES)}", rule="role")
    return role


def check_may_change(actor: Actor, kind: RecordKind, *, before: Values | None, after: Values | None) -> None:
    """Both the state before and the state after must be within the actor's reach.

    So nobody moves an application out of a group, or into one, that is not theirs.
    """
    if actor.role == CA_ADMINISTRATOR or is_own_access(actor, kind, before, after):
        return
    states = [state for state in (before, after) if state is not None]
    if actor.role == ADMINISTRATOR and all(_ADMINISTRATOR_MAY[kind](actor, state) for state in states):
        return
    if (
        actor.role == OFFICER
        and kind == "approval"
        and all(_revocation_of_own_groups(actor, s) for s in states)
    ):
        return
    raise NotPermitted(f"the role {actor.role} of {actor.name} does not allow this change of {_a(kind)}")


def sees_everything(role: str, group_ids: Collection[object]) -> bool:
    """Whoever does not sees what belongs to the user's groups."""
    return role == CA_ADMINISTRATOR or (role == AUDITOR and not group_ids)


def check_may_revoke(actor: Actor, group_id: int | None) -> None:
    """`group_id` is the group of the application a certificate was issued to, None when there is no application."""
    if actor.role == CA_ADMINISTRATOR:
        return
    if actor.role != OFFICER:
        raise NotPermitted(
            f"the role {actor.role} of {actor.name} does not revoke certificates; an officer does"
        )
    if group_id not in actor.group_ids:
        raise NotPermitted(f"the certificate does not belong to a group of {actor.name}")


def check_is_ca_administrator(actor: Actor, what: str) -> None:
    if actor.role != CA_ADMINISTRATOR:
        raise NotPermitted(f"{what} takes a CA Administrator; {actor.name} is {_a(actor.role)}")


def is_own_access(actor: Actor, kind: RecordKind, before: Values | None, after: Values | None) -> bool:
    if kind != "user" or before is None or after is None or before["name"] != actor.name:
        return False
    return {key for key in after if after[key] != before.get(key)} <= _OWN_ACCESS


def _change_of_own_groups(actor: Actor, state: Values) -> bool:
    """Of an approval: what an Administrator may change. Only profiles and labels belong to no group. Where the request
    does not say that an Administrator is enough, it takes a CA Administrator."""
    if state["least_role"] != ADMINISTRATOR:
        return False
    if state["kind"] == "profile":
        return True
    return state["kind"] in ("application", "group", "user") and _is_within_own_groups(actor, state)


def _revocation_of_own_groups(actor: Actor, state: Values) -> bool:
    is_officers = state["kind"] == "revocation" and state["least_role"] == OFFICER
    return is_officers and _is_within_own_groups(actor, state)


def _is_within_own_groups(actor: Actor, state: Values) -> bool:
    groups = state["group_ids"]
    if not isinstance(groups, list | tuple) or not groups:
        return False
    # Plain SQL may have put anything into the list.
    return all(isinstance(number, int) and number in actor.group_ids for number in groups)


def _anywhere(actor: Actor, state: Values) -> bool:
    return True


def _nowhere(actor: Actor, state: Values) -> bool:
    return False


def _own_group(actor: Actor, state: Values) -> bool:
    return state.get("id") in actor.group_ids


def _application_of_own_group(actor: Actor, state: Values) -> bool:
    return state["group_id"] in actor.group_ids


def _subordinate_of_own_groups(actor: Actor, state: Values) -> bool:
    return state["role"] in (OFFICER, AUDITOR) and _is_within_own_groups(actor, state)


_ADMINISTRATOR_MAY: Final[Mapping[RecordKind, Callable[[Actor, Values], bool]]] = {
    "profile": _anywhere,
    "label": _anywhere,
    "property": _anywhere,
    "group": _own_group,
    "application": _application_of_own_group,
    "user": _subordinate_of_own_groups,
    "authority": _nowhere,
    "switch": _nowhere,
    "approval": _change_of_own_groups,
}


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeio' else 'a'} {noun}"
