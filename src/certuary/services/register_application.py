"""Register an external application, and change one.

What a missing option means: no network is any address, no subject rule is any name, no profile is the default one,
no label is the unlabelled endpoint. The first two are worth a warning, which the result carries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from certuary.core.subject_rule import SubjectRule
from certuary.core.values import parse_network
from certuary.errors import AlreadyExists, InvalidValue, NotFound
from certuary.services.change_deps import ChangeDeps
from certuary.services.change_record import change_records
from certuary.services.entitlement import Actor
from certuary.services.find_record import (
    find_group,
    find_group_of_property,
    find_named,
    find_profile,
)
from certuary.services.names_and_times import checked_name, checked_password, checked_username
from certuary.services.passwords import HashedPassword, Passwords, generate_password
from certuary.services.ports import Record, RecordStore
from certuary.services.snapshot import GROUP_PROPERTY

FIRST_GROUP = "GRP_001"
ROTATED_REASON, DISABLED_REASON, REMOVED_REASON = "superseded", "privilegeWithdrawn", "cessationOfOperation"
"""RFC 5280 section 5.3.1: why what speaks for the application is revoked with its password."""
_SETS: Final = frozenset({"networks", "profile_ids", "labels"})
ANY_ADDRESS = "its credential works from any address; name its networks with --ip"
ANY_NAME = "it may ask for any name that its profiles allow; limit the names with --subject-rule"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grants:
    """What an application may do, as people write it. None leaves a part as it is, or at its default."""

    networks: tuple[str, ...] | None = None
    profiles: tuple[str, ...] | None = None
    labels: tuple[str, ...] | None = None
    group: str | None = None
    subject_rule: str | None = None
    expires_at: datetime | None = None
    never_expires: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NewApplication:
    """`password` None asks for a generated one; of a `HashedPassword` nobody here knows more than the hash."""

    name: str
    username: str
    password: str | HashedPassword | None
    grants: Grants


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What people call an application, and what it authenticates with. None leaves it as it is."""

    name: str | None = None
    username: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """`generated_password` is shown once and kept nowhere."""

    record: Record
    generated_password: str | None
    warnings: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Registered({self.record.values['name']!r})"


_AS_IT_IS: Final = Identity()


def register_application(
    actor: Actor, request: NewApplication, passwords: Passwords, deps: ChangeDeps
) -> Registered:
    """`AlreadyExists` when the name or the username is taken."""
    password_hash, generated = _hash_of(request.password, passwords)
    values = {
        "name": checked_name(request.name, "an application"),
        "username": checked_username(request.username),
        "password_hash": password_hash,
        **granted_anew(request.grants, deps.records),
        "enabled": True,
    }
    with change_records(actor, deps) as changes:
        record = changes.create("application", values)
    return Registered(record=record, generated_password=generated, warnings=warnings_about(values))


def hash_typed_password(password: str, passwords: Passwords) -> HashedPassword:
    """What may wait for a signature in place of a password."""
    return HashedPassword(passwords.hash(checked_password(password)))


def change_application(
    actor: Actor, name: str, grants: Grants, deps: ChangeDeps, *, identity: Identity = _AS_IT_IS
) -> Registered:
    """Give it other networks, profiles, labels, names, another group or end; another name or username.

    A username that is taken is `AlreadyExists`, a name that another application has or had, too.
    """
    application = find_named(deps.records, "application", name)
    values = {
        **_identified(application, identity, deps.records),
        **regranted(application, grants, deps.records),
    }
    if not values:
        raise InvalidValue("name at least one thing to change", rule="nothing-to-change")
    with change_records(actor, deps) as changes:
        record = changes.update(application, values)
    return Registered(record=record, generated_password=None, warnings=warnings_about(record.values))


def set_application_enabled(actor: Actor, name: str, *, enabled: bool, deps: ChangeDeps) -> Registered:
    """Disabling revokes its application certificates: enabling it again gives back the password alone."""
    application = find_named(deps.records, "application", name)
    failed: tuple[str, ...] = ()
    with change_records(actor, deps) as changes:
        record = changes.update(application, {"enabled": enabled})
        if not enabled:
            failed = changes.end_application_certificates(record, DISABLED_REASON)
    return Registered(record=record, generated_password=None, warnings=failed)


def remove_application(actor: Actor, name: str, deps: ChangeDeps) -> tuple[str, ...]:
    """Its credentials stop, and its application certificates are revoked; its devices' certificates stay valid until
    they are revoked or expire. Gives warnings."""
    application = find_named(deps.records, "application", name)
    with change_records(actor, deps) as changes:
        changes.retire(application)
        return changes.end_application_certificates(application, REMOVED_REASON)


def rotate_password(
    actor: Actor, name: str, password: str | HashedPassword | None, passwords: Passwords, deps: ChangeDeps
) -> Registered:
    """Whoever had the old password may have had a certificate, too: its application certificates are revoked."""
    application = find_named(deps.records, "application", name)
    password_hash, generated = _hash_of(password, passwords)
    with change_records(actor, deps) as changes:
        record = changes.update(application, {"password_hash": password_hash})
        failed = changes.end_application_certificates(record, ROTATED_REASON)
    return Registered(record=record, generated_password=generated, warnings=failed)


def granted(grants: Grants, records: RecordStore) -> dict[str, object]:
    """The columns that grants set, every name resolved and every text in its canonical form."""
    values: dict[str, object] = {}
    if grants.networks is not None:
        values["networks"] = list(dict.fromkeys(str(parse_network(text)) for text in grants.networks))
    if grants.profiles is not None:
        values["profile_ids"] = [find_profile(records, text).id for text in dict.fromkeys(grants.profiles)]
    if grants.labels is not None:
        values["labels"] = [
            str(find_named(records, "label", text).values["name"]) for text in dict.fromkeys(grants.labels)
        ]
    if grants.group is not None:
        values["group_id"] = find_group(records, grants.group).id
    if grants.subject_rule is not None:
        values["subject_rule"] = canonical_subject_rule(grants.subject_rule)
    if grants.expires_at is not None or grants.never_expires:
        values["expires_at"] = None if grants.never_expires else grants.expires_at
    return values


def regranted(application: Record, grants: Grants, records: RecordStore) -> dict[str, object]:
    """The same for an application that is there: what it has already, in another order, is no change to sign."""
    values = granted(grants, records)
    for column in _SETS & values.keys():
        before, after = application.values[column], values[column]
        if isinstance(before, list | tuple) and isinstance(after, list) and _as_set(before) == _as_set(after):
            values[column] = before
    return values


def _as_set(values: Sequence[object]) -> frozenset[str]:
    """What plain SQL put among them may be anything."""
    return frozenset(map(repr, values))


def _identified(application: Record, identity: Identity, records: RecordStore) -> dict[str, object]:
    """The columns that differ."""
    given: dict[str, object] = {}
    if identity.name is not None:
        given["name"] = checked_name(identity.name, "an application")
    if identity.username is not None:
        given["username"] = checked_username(identity.username)
    changed = {key: value for key, value in given.items() if value != application.values[key]}
    if "name" in changed and records.is_told_of("application", str(changed["name"])):
        raise AlreadyExists(
            f"the audit log tells of an application {changed['name']!r} already, and events go by name; "
            "choose a name that none had"
        )
    return changed


def granted_anew(grants: Grants, records: RecordStore) -> dict[str, object]:
    """Every column of a new application's grants."""
    return {**_defaults(records), **granted(grants, records)}


def _hash_of(password: str | HashedPassword | None, passwords: Passwords) -> tuple[str, str | None]:
    """The hash to keep, and the password when it was made here."""
    if isinstance(password, HashedPassword):
        return password.hash, None
    if password is not None:
        return hash_typed_password(password, passwords).hash, None
    generated = generate_password()
    return passwords.hash(generated), generated


def canonical_subject_rule(text: str) -> str:
    return str(SubjectRule.parse(text)) if text.strip() else ""


def warnings_about(values: Mapping[str, object]) -> tuple[str, ...]:
    missing = (("networks", ANY_ADDRESS), ("subject_rule", ANY_NAME))
    return tuple(warning for column, warning in missing if not values.get(column))


def _defaults(records: RecordStore) -> dict[str, object]:
    return {
        "networks": [],
        "profile_ids": [],
        "labels": [],
        "group_id": _default_group(records).id,
        "subject_rule": "",
        "expires_at": None,
    }


def _default_group(records: RecordStore) -> Record:
    """The group whose applications may use the unlabelled endpoint, so that a new application just works."""
    chosen = records.find("property", property_key=GROUP_PROPERTY)
    try:
        return find_group_of_property(
            records, str(chosen.values["property_value"]) if chosen else FIRST_GROUP
        )
    except NotFound:
        return find_group(records, FIRST_GROUP)
