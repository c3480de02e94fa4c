"""Add users, disable them, give them new passwords."""

from __future__ import annotations

from dataclasses import dataclass

from certuary.errors import Conflict, InvalidValue
from certuary.services.change_record import ChangeDeps, change_records
from certuary.services.entitlement import CA_ADMINISTRATOR, Actor, parse_role
from certuary.services.find_record import find_group, find_named
from certuary.services.names_and_times import checked_name, checked_password
from certuary.services.passwords import Passwords, generate_password
from certuary.services.ports import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUser:
    """`password` None asks for a generated one. Groups are codes, names or numbers."""

    name: str
    role: str
    groups: tuple[str, ...]
    password: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSaved:
    """`generated_password` is shown once and kept nowhere."""

    record: Record
    generated_password: str | None

    def __repr__(self) -> str:
        return f"UserSaved({self.record.values['name']!r})"


def add_user(actor: Actor, request: NewUser, passwords: Passwords, deps: ChangeDeps) -> UserSaved:
    role = parse_role(request.role)
    group_ids = [find_group(deps.records, text).id for text in dict.fromkeys(request.groups)]
    if not group_ids and role != CA_ADMINISTRATOR:
        raise InvalidValue(f"a user of role {role} belongs to at least one group: --group", rule="user-group")
    password = generate_password() if request.password is None else checked_password(request.password)
    values = {
        "name": checked_name(request.name, "a user"),
        "role": role,
        "group_ids": group_ids,
        "password_hash": passwords.hash(password),
        "enabled": True,
    }
    with change_records(actor, deps) as changes:
        record = changes.create("user", values)
    return UserSaved(record=record, generated_password=password if request.password is None else None)


def set_user_enabled(actor: Actor, name: str, *, enabled: bool, deps: ChangeDeps) -> Record:
    """`Conflict` when nobody would be left who may do everything."""
    user = find_named(deps.records, "user", name)
    with change_records(actor, deps) as changes:
        if not enabled and _is_last_ca_administrator(user, deps):
            raise Conflict(f"{name} is the last enabled CA Administrator; add another first")
        return changes.update(user, {"enabled": enabled})


def set_user_password(
    actor: Actor, name: str, password: str | None, passwords: Passwords, deps: ChangeDeps
) -> UserSaved:
    user = find_named(deps.records, "user", name)
    new = generate_password() if password is None else checked_password(password)
    with change_records(actor, deps) as changes:
        record = changes.update(user, {"password_hash": passwords.hash(new)})
    return UserSaved(record=record, generated_password=new if password is None else None)


def _is_last_ca_administrator(user: Record, deps: ChangeDeps) -> bool:
    """Read while the transaction holds the revision: two who disable each other cannot both succeed."""
    enabled = [
        other.id
        for other in deps.records.all("user")
        if other.values["role"] == CA_ADMINISTRATOR and other.values["enabled"]
    ]
    return enabled == [user.id]
