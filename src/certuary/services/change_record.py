"""Change records: the one way by which a person's change reaches the database.

Each change is checked against the actor's role and groups, written, and described by one audit event, all in one
transaction with one new revision. A refused change leaves nothing but the event that says so.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from certuary.core.mark import Marker
from certuary.errors import NotFound, Refused
from certuary.services.entitlement import (
    Actor,
    Values,
    check_is_ca_administrator,
    check_may_change,
    check_may_revoke,
)
from certuary.services.ports import (
    AuditRow,
    CertificateRow,
    Clock,
    ProfileVersionRow,
    Record,
    RecordKind,
    RecordStore,
    RecordTransaction,
)
from certuary.services.revoke import Revocation, revoke_within

_NAME_COLUMN: Final[Mapping[RecordKind, str]] = {"group": "code", "property": "property_key"}
_SECRET_COLUMNS: Final = frozenset({"password_hash"})
_TARGET_LENGTH: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeDeps:
    """`request_id` ties together the events of one command; `address` is where it came from, "" for this machine.

    `marker` is a function: while a home is initialised, its key is made after this.
    """

    records: RecordStore
    clock: Clock
    marker: Callable[[], Marker]
    request_id: str
    address: str = ""


@contextmanager
def change_records(actor: Actor, deps: ChangeDeps) -> Iterator[RecordChanges]:
    """Open one transaction of changes. Leaving with an exception undoes all of them.

    A refusal is audited on its own, after the changes are undone.
    """
    try:
        with deps.records.transaction() as transaction:
            yield RecordChanges(actor, transaction, deps)
    except Refused as refusal:
        row = audit_row("change.refused", actor, "", {"rule": refusal.rule, "detail": refusal.detail}, deps)
        with deps.records.transaction() as transaction:
            transaction.add_audit(row)
        raise


def add_audit_event(actor: Actor, kind: str, target: str, detail: Values, deps: ChangeDeps) -> None:
    """Commit an event that has no record of its own, such as a new passphrase."""
    with deps.records.transaction() as transaction:
        transaction.add_audit(audit_row(kind, actor, target, detail, deps))


def require_ca_administrator(actor: Actor, what: str, deps: ChangeDeps) -> None:
    """For what changes no record; a refusal is audited here, too."""
    with change_records(actor, deps):
        check_is_ca_administrator(actor, what)


class RecordChanges:
    """The changes of one transaction."""

    def __init__(self, actor: Actor, transaction: RecordTransaction, deps: ChangeDeps) -> None:
        self._actor = actor
        self._transaction = transaction
        self._deps = deps
        self.now = deps.clock.now()

    def find(self, kind: RecordKind, **match: object) -> Record | None:
        return self._transaction.find(kind, **match)

    def create(self, kind: RecordKind, values: Values) -> Record:
        """A profile's values are its name and its TOML, which becomes version 1."""
        check_may_change(self._actor, kind, before=None, after=values)
        record = self._transaction.create(kind, _columns(kind, values))
        if kind == "profile":
            record = self._add_profile_version(record, 1, values)
        self._audit(f"{kind}.added", record, {}, values)
        return record

    def update(self, record: Record, values: Values) -> Record:
        """Change some columns. A profile's TOML becomes its next version; older ones stay."""
        before = self._current(record)
        state = {"id": before.id, **before.values}
        check_may_change(self._actor, record.kind, before=state, after={**state, **values})
        updated = self._transaction.update(record.kind, record.id, _columns(record.kind, values))
        if record.kind == "profile" and "toml" in values:
            updated = self._add_profile_version(before, _next_version(before), values)
        self._audit(f"{record.kind}.changed", before, before.values, updated.values)
        return updated

    def retire(self, record: Record) -> None:
        before = self._current(record)
        check_may_change(self._actor, record.kind, before={"id": before.id, **before.values}, after=None)
        self._transaction.retire(record.kind, record.id)
        self._audit(f"{record.kind}.removed", before, before.values, {})

    def revoke(self, certificate: CertificateRow, reason: str) -> CertificateRow:
        """`AlreadyRevoked` when it is; the next CRL carries it within seconds."""
        check_may_revoke(self._actor, self._group_of(certificate))
        revocation = Revocation(
            authority_id=certificate.authority_id,
            serial=certificate.serial,
            reason=reason,
            actor_kind=self._actor.kind,
            actor=self._actor.name,
            request_id=self._deps.request_id,
            address=self._deps.address,
        )
        return revoke_within(self._transaction, revocation, self._deps.clock, self._deps.marker())

    def _group_of(self, certificate: CertificateRow) -> int | None:
        """A certificate belongs to its application's group, also after the application was removed."""
        if certificate.application_id is None:
            return None
        application = self._deps.records.find_ever("application", certificate.application_id)
        group_id = None if application is None else application.values["group_id"]
        return group_id if isinstance(group_id, int) else None

    def _current(self, record: Record) -> Record:
        current = self._transaction.find(record.kind, id=record.id)
        if current is None:
            raise NotFound(f"{record_name(record)!r} was removed in the meantime")
        return current

    def _add_profile_version(self, profile: Record, number: int, values: Values) -> Record:
        """The version becomes the profile's current one."""
        assert isinstance(profile.id, int)
        toml = str(values["toml"])
        self._transaction.add_profile_version(
            ProfileVersionRow(
                profile_id=profile.id,
                number=number,
                toml=toml,
                created_at=self.now,
                created_by=self._actor.name,
                marker=self._deps.marker(),
            )
        )
        return self._current(profile)

    def _audit(self, kind: str, record: Record, before: Values, after: Values) -> None:
        changed = [
            key
            for key in {**before, **after}
            if key not in before or key not in after or before[key] != after[key]
        ]
        detail: dict[str, object] = {}
        if before:
            detail["before"] = _described(before, changed)
        if after:
            detail["after"] = _described(after, changed)
        target = f"{record.kind}:{record_name(record)}"
        self._transaction.add_audit(audit_row(kind, self._actor, target, detail, self._deps))


def record_name(record: Record) -> str:
    """What people call a record: its name, a group's code, a property's key."""
    return str(record.values.get(_NAME_COLUMN.get(record.kind, "name"), record.id))


def _columns(kind: RecordKind, values: Values) -> dict[str, object]:
    return {key: value for key, value in values.items() if kind != "profile" or key != "toml"}


def _next_version(profile: Record) -> int:
    current = profile.values["current_version"]
    assert isinstance(current, int)
    return current + 1


def _described(values: Values, keys: list[str]) -> dict[str, object]:
    return {key: _plain(key, values[key]) for key in keys if key in values}


def _plain(key: str, value: object) -> object:
    """A value as JSON: never a secret, and a digest where the value itself is long."""
    if key in _SECRET_COLUMNS:
        return "(secret)"
    if key == "toml" and isinstance(value, str):
        return f"sha256:{hashlib.sha256(value.encode()).hexdigest()}"
    if isinstance(value, bytes):
        return f"sha256:{hashlib.sha256(value).hexdigest()}"
    if isinstance(value, datetime):
        return value.isoformat()
    return value


def audit_row(kind: str, actor: Actor, target: str, detail: Values, deps: ChangeDeps) -> AuditRow:
    """An event as a row; long names are cut to what the table holds."""
    return AuditRow(
        at=deps.clock.now(),
        kind=kind,
        actor_kind=actor.kind,
        actor=actor.name[:_TARGET_LENGTH],
        target=target[:_TARGET_LENGTH],
        request_id=deps.request_id,
        address=deps.address,
        detail=json.dumps(detail, sort_keys=True, separators=(",", ":")),
    )
