"""Authenticate a user by name and password, before a change."""

from __future__ import annotations

from typing import NoReturn

from certuary.errors import NotAuthenticated
from certuary.services.change_record import ChangeDeps, add_audit_event
from certuary.services.entitlement import Actor
from certuary.services.passwords import Passwords
from certuary.services.ports import Record


def authenticate_user(name: str, password: str, passwords: Passwords, deps: ChangeDeps) -> Actor:
    """The actor that the user is, or `NotAuthenticated`, which never says whether the user exists.

    Every call costs one password computation, so that time says no more than the error does.
    """
    user = deps.records.find("user", name=name)
    if user is None:
        passwords.verify_nobody(password)
        _refuse(name, "unknown user", deps)
    if not passwords.verify(str(user.values["password_hash"]), password):
        _refuse(name, "wrong password", deps)
    if not user.values["enabled"]:
        _refuse(name, "disabled user", deps)
    return actor_of(user)


def actor_of(user: Record) -> Actor:
    group_ids = user.values["group_ids"]
    assert isinstance(group_ids, list | tuple)
    return Actor(name=str(user.values["name"]), role=str(user.values["role"]), group_ids=frozenset(group_ids))


def _refuse(name: str, reason: str, deps: ChangeDeps) -> NoReturn:
    nobody = Actor(name=name, role="")
    add_audit_event(nobody, "user.refused", f"user:{name}", {"reason": reason}, deps)
    raise NotAuthenticated(reason)
