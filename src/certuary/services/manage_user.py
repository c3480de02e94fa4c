"""Add users, disable them, give them new passwords; each has a signing key that goes with the password."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from certuary.core import seal as seals
from certuary.errors import Conflict, InvalidSeal, InvalidValue
from certuary.services.change_deps import ChangeDeps, sealing_of
from certuary.services.change_record import RecordChanges, change_records
from certuary.services.entitlement import (
    CA_ADMINISTRATOR,
    Actor,
    actor_of,
    parse_role,
    sees_everything,
)
from certuary.services.find_record import find_group, find_named
from certuary.services.high_water import HighWater
from certuary.services.names_and_times import checked_name, checked_password
from certuary.services.passwords import Passwords, generate_password
from certuary.services.ports import SEALED_KINDS, Record, RecordStore
from certuary.services.record_gate import RecordGate, name_of
from certuary.services.seal_changes import Sealing
from certuary.services.signing_key import (
    NewSigningKey,
    OperatorKeys,
    Signer,
    certificate_of,
    make_signing_key,
    wrap,
)
from certuary.services.switch_rule import enabled_ca_administrators

_TWO: Final = 2
RECOVERER: Final = "key store"
"""Who the audit event of a recovery names: whoever has the passphrase."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRecord:
    """A record that a compromised key signed. `is_void`: at or after the moment of the compromise."""

    kind: str
    name: str
    at: datetime
    is_void: bool


def add_user(actor: Actor, request: NewUser, passwords: Passwords, deps: ChangeDeps) -> UserSaved:
    role = parse_role(request.role)
    group_ids = _numbers_of(request.groups, deps)
    if not group_ids and not sees_everything(role, group_ids):
        raise InvalidValue(f"a user of role {role} belongs to at least one group: --group", rule="user-group")
    password = generate_password() if request.password is None else checked_password(request.password)
    name = checked_name(request.name, "a user")
    # Before the transaction, in which nobody else may write: it takes tens of milliseconds.
    key = make_signing_key(name, password, passwords, sealing_of(deps).operator, deps.clock.now())
    values = new_user_values(
        name,
        role,
        group_ids,
        passwords.hash(password),
        key,
        must_change_password=request.password is None,
    )
    with change_records(actor, deps) as changes:
        record = changes.create("user", values)
    return UserSaved(record=record, generated_password=password if request.password is None else None)


def new_user_values(
    name: str,
    role: str,
    group_ids: Sequence[object],
    password_hash: str,
    key: NewSigningKey,
    *,
    must_change_password: bool = False,
) -> dict[str, object]:
    """The columns of a user who can sign in, and sign."""
    return {
        "name": name,
        "role": role,
        "group_ids": list(group_ids),
        "password_hash": password_hash,
        "enabled": True,
        "compromised_keys": None,
        "authenticators": [],
        "must_change_password": must_change_password,
        "identities": [],
        **key.columns,
    }


def set_user_enabled(actor: Actor, name: str, *, enabled: bool, deps: ChangeDeps) -> Record:
    """`Conflict` when nobody would be left who may do everything. What the user signed stays signed."""
    user = find_named(deps.records, "user", name)
    with change_records(actor, deps) as changes:
        if not enabled:
            _check_enough_are_left(user, changes, deps)
        return changes.update(user, {"enabled": enabled})


def set_user_password(
    actor: Actor, name: str, password: str | None, passwords: Passwords, deps: ChangeDeps
) -> UserSaved:
    """One's own key is wrapped anew; of another, whose old password nobody here knows, the key is replaced."""
    user = find_named(deps.records, "user", name)
    new = generate_password() if password is None else checked_password(password)
    is_own = name == actor.name
    # Before the transaction, as in `add_user`.
    values: dict[str, object] = {
        "password_hash": passwords.hash(new),
        "must_change_password": password is None and not is_own,
        **_signing_columns(name, new, passwords, deps, is_own=is_own),
    }
    with change_records(actor, deps) as changes:
        if not is_own:
            changes.require_ca_administrator("giving somebody else a new password")
        record = changes.update(user, values)
    return UserSaved(record=record, generated_password=new if password is None else None)


def _signing_columns(
    name: str, password: str, passwords: Passwords, deps: ChangeDeps, *, is_own: bool
) -> Mapping[str, object]:
    sealing = sealing_of(deps)
    if is_own:
        return {"signing_key": wrap(sealing.signer.key, name, password, passwords)}
    return make_signing_key(name, password, passwords, sealing.operator, deps.clock.now()).columns


def change_user(actor: Actor, name: str, *, role: str, groups: Sequence[str], deps: ChangeDeps) -> Record:
    """Give a user another role or other groups. `Conflict` for oneself, and when no CA Administrator would be left."""
    user = find_named(deps.records, "user", name)
    if name == actor.name:
        raise Conflict("another user changes your role and groups, not you", rule="own-role")
    new_role = parse_role(role)
    group_ids = _numbers_of(groups, deps)
    if not group_ids and not sees_everything(new_role, group_ids):
        raise InvalidValue(f"a user of role {new_role} belongs to at least one group", rule="user-group")
    with change_records(actor, deps) as changes:
        if new_role != CA_ADMINISTRATOR:
            _check_enough_are_left(user, changes, deps)
        return changes.update(user, {"role": new_role, "group_ids": group_ids})


def change_authenticators(actor: Actor, write: Callable[[], Sequence[str]], deps: ChangeDeps) -> Record:
    """Change one's own second factors: `write` changes their rows, within the transaction, and gives the digests of all
    that are there then."""
    user = find_named(deps.records, "user", actor.name)
    with change_records(actor, deps) as changes:
        return changes.update(user, {"authenticators": sorted(write())})


def remove_authenticators(actor: Actor, name: str, deps: ChangeDeps) -> Record:
    """Let somebody who lost their second factors, or whose rows were altered, in by password alone."""
    user = find_named(deps.records, "user", name)
    if name == actor.name:
        raise Conflict(
            "another CA Administrator removes your second factors here; see My account for your own"
        )
    with change_records(actor, deps) as changes:
        changes.require_ca_administrator("removing somebody's second factors")
        changes.drop_authenticators(user)
        return changes.update(user, {"authenticators": []})


def recover_user(
    name: str,
    password: str | None,
    passwords: Passwords,
    operator: OperatorKeys,
    high_water: HighWater,
    deps: ChangeDeps,
) -> UserSaved:
    """Let a user in again when nobody is left who can: on the word of whoever opened the key store.

    The record, which may be the one that was altered, is signed by the user's own new key as it stands. Second factors
    go: who lost them cannot get in otherwise. Identities go, too: whoever altered the record may have added theirs.
    """
    user = find_named(deps.records, "user", name)
    new = generate_password() if password is None else checked_password(password)
    made = make_signing_key(name, new, passwords, operator, deps.clock.now())
    signer = Signer(actor=actor_of(user), certificate=made.certificate, key=made.key)
    sealing = Sealing(operator=operator, high_water=high_water, signer=signer)
    actor = Actor(name=RECOVERER, role=CA_ADMINISTRATOR, kind="system")
    values = {
        "password_hash": passwords.hash(new),
        "enabled": True,
        "authenticators": [],
        "must_change_password": password is None,
        "identities": [],
        **made.columns,
    }
    with change_records(actor, replace(deps, sealing=sealing)) as changes:
        changes.drop_authenticators(user)
        record = changes.recover(user, values)
    return UserSaved(record=record, generated_password=new if password is None else None)


def declare_key_compromised(
    actor: Actor, name: str, since: datetime, deps: ChangeDeps
) -> tuple[SignedRecord, ...]:
    """Void what a user's present key signs, or signed since a moment. What it signed is listed, void or not."""
    user = find_named(deps.records, "user", name)
    if name == actor.name:
        raise Conflict("another CA Administrator declares your key compromised, not you")
    if since > deps.clock.now():
        raise InvalidValue("a key is not compromised in the future", rule="moment")
    certificate = certificate_of(user)
    sealing = sealing_of(deps)
    gate = RecordGate.open(deps.records, sealing.trust, sealing.high_water)
    signed = signed_with(certificate, since, deps.records, gate)
    with change_records(actor, deps) as changes:
        changes.require_ca_administrator("declaring a signing key compromised")
        known = user.values["compromised_keys"]
        keys = dict(known) if isinstance(known, dict) else {}
        keys[seals.fingerprint(certificate)] = seals.moment_text(since)
        changes.update(user, {"compromised_keys": keys})
    return signed


def signed_with(
    certificate: bytes, since: datetime, records: RecordStore, gate: RecordGate
) -> tuple[SignedRecord, ...]:
    """The records whose present version this key signed."""
    fingerprint = seals.fingerprint(certificate)
    found: list[SignedRecord] = []
    for record in _sealed_records(records):
        try:
            signed = gate.check(record)
        except InvalidSeal:
            continue  # `certuary seal verify` tells of it
        if signed.fingerprint == fingerprint:
            found.append(
                SignedRecord(
                    kind=record.kind,
                    name=name_of(record),
                    at=signed.at,
                    is_void=signed.at >= since,
                )
            )
    return tuple(found)


def _numbers_of(groups: Sequence[str], deps: ChangeDeps) -> list[object]:
    """Each once, by whichever of its names it was given."""
    return list(dict.fromkeys(find_group(deps.records, text).id for text in groups))


def _sealed_records(records: RecordStore) -> tuple[Record, ...]:
    return tuple(record for kind in SEALED_KINDS for record in records.all(kind))


def _check_enough_are_left(user: Record, changes: RecordChanges, deps: ChangeDeps) -> None:
    """Read while the transaction holds the revision: two who disable each other cannot both succeed."""
    enabled = enabled_ca_administrators(deps)
    left = len(enabled) - 1
    if user.id not in enabled or left >= _TWO:
        return
    name = user.values["name"]
    if left == 0:
        raise Conflict(f"{name} is the last enabled CA Administrator; add another first")
    if any(rule.is_on for rule in changes.rules().values()):
        raise Conflict(
            f"{name} is one of the last two enabled CA Administrators, whom the two-person rule needs; add another"
        )
