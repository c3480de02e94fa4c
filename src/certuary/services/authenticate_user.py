"""Authenticate a user by name and password, before a change, and unwrap the key that the change is signed with."""

from __future__ import annotations

from typing import NoReturn

from certuary.errors import InvalidSeal, NotAuthenticated
from certuary.services.change_deps import ChangeDeps
from certuary.services.change_record import add_audit_event
from certuary.services.entitlement import Actor, actor_of
from certuary.services.passwords import Passwords
from certuary.services.ports import Record
from certuary.services.record_gate import Gate
from certuary.services.signing_key import Signer, certificate_of, unwrap


def authenticate_user(name: str, password: str, passwords: Passwords, gate: Gate, deps: ChangeDeps) -> Signer:
    """The user, able to sign, or `NotAuthenticated`, which never says whether the user exists.

    A record that the gate does not let through opens nothing, whatever password it names. Every call costs one password
    computation, so that time says no more than the error does; the one that unwraps the key comes after success.
    """
    user = deps.records.find("user", name=name)
    if user is None:
        passwords.verify_nobody(password)
        _refuse(name, "unknown user", deps)
    if not passwords.verify(str(user.values["password_hash"]), password):
        _refuse(name, "wrong password", deps)
    try:
        gate.check(user)
    except InvalidSeal as problem:
        _refuse(name, f"the user's record cannot be believed: {problem.detail}", deps)
    if not user.values["enabled"]:
        _refuse(name, "disabled user", deps)
    return _signer(user, password, passwords, gate, deps)


def _signer(user: Record, password: str, passwords: Passwords, gate: Gate, deps: ChangeDeps) -> Signer:
    actor = actor_of(user)
    certificate = certificate_of(user)
    if gate.is_compromised(certificate):
        _refuse(actor.name, "the user's signing key counts as compromised", deps)
    try:
        key = unwrap(str(user.values["signing_key"]), actor.name, password, passwords)
    except InvalidSeal as problem:
        _refuse(actor.name, problem.detail, deps)
    return Signer(actor=actor, certificate=certificate, key=key)


def _refuse(name: str, reason: str, deps: ChangeDeps) -> NoReturn:
    nobody = Actor(name=name, role="")
    add_audit_event(nobody, "user.refused", f"user:{name}", {"reason": reason}, deps)
    raise NotAuthenticated(reason)
