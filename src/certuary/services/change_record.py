"""Change records: the one way by which a person's change reaches the database.

Each change is checked against the actor's role and groups, written, sealed by the actor's signature, and described by
one audit event, all in one transaction with one new revision and one new manifest. A record that somebody altered past
us is not changed: that would sign the alteration. A refused change leaves nothing but the event that says so.

A kind of change that takes two persons (`services.two_persons`) is made only with an approval, which is used up in the
same transaction. Without one it is made as far as it goes, so that what is wrong with it shows, and undone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from certuary.errors import Conflict, InvalidSeal, NotFound, Refused, SecondPersonNeeded
from certuary.services.change_deps import ChangeDeps, sealing_of
from certuary.services.change_events import audit_row, change_detail
from certuary.services.end_certificates import end_application_certificates, revocation_by
from certuary.services.entitlement import (
    CA_ADMINISTRATOR,
    OFFICER,
    Actor,
    Values,
    check_is_ca_administrator,
    check_may_change,
    check_may_revoke,
)
from certuary.services.high_water import Seen
from certuary.services.ports import (
    SEALED_KINDS,
    CertificateRow,
    ProfileVersionRow,
    Record,
    RecordKind,
    RecordTransaction,
    SignedOrder,
)
from certuary.services.record_gate import Key, RecordGate, key_of, name_of
from certuary.services.revoke import revoke_within
from certuary.services.seal_changes import Sealing, open_gate, seal_changes
from certuary.services.two_persons import (
    APPROVED,
    RULES,
    RuleState,
    check_second_person,
    digest_of,
    groups_of,
    least_role,
    rule_for,
    rule_states,
)


@contextmanager
def change_records(actor: Actor, deps: ChangeDeps) -> Iterator[RecordChanges]:
    """Open one transaction of changes. Leaving with an exception undoes all of them.

    A refusal is audited on its own, after the changes are undone.
    """
    try:
        with deps.records.transaction() as transaction:
            changes = RecordChanges(actor, transaction, deps)
            yield changes
            changes.settle()
            manifest = changes.seal()
        if manifest is not None and deps.sealing is not None:
            deps.sealing.high_water.rise(manifest)
    except Refused as refusal:
        if isinstance(refusal, SecondPersonNeeded) and deps.may_ask:
            raise
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
    with change_records(actor, deps) as changes:
        changes.require_ca_administrator(what)


class RecordChanges:
    """The changes of one transaction."""

    def __init__(self, actor: Actor, transaction: RecordTransaction, deps: ChangeDeps) -> None:
        self._actor = actor
        self._transaction = transaction
        self._deps = deps
        self._gate: RecordGate | None = None
        self._touched: dict[Key, None] = {}
        self._forgotten: list[Key] = []
        self._rules: dict[str, RuleState] = {}
        self._needed: dict[str, dict[int, None]] = {}
        self._roles: set[str] = set()
        self.now = deps.clock.now()

    @property
    def sealing(self) -> Sealing:
        """`NotPermitted` where nobody has signed in."""
        return sealing_of(self._deps)

    def find(self, kind: RecordKind, **match: object) -> Record | None:
        return self._transaction.find(kind, **match)

    def require_ca_administrator(self, what: str) -> None:
        """For changes that take more than their record would. Where they take two persons, they take two of them."""
        check_is_ca_administrator(self._actor, what)
        self._roles.add(CA_ADMINISTRATOR)

    def create(self, kind: RecordKind, values: Values) -> Record:
        """A profile's values are its name and its TOML, which becomes version 1."""
        check_may_change(self._actor, kind, before=None, after=values)
        self._note_rule(kind, None, values)
        record = self._transaction.create(kind, _columns(kind, values))
        self._touch(record)
        if kind == "profile":
            record = self._add_profile_version(record, 1, values)
        self._audit(f"{kind}.added", record, {}, values)
        return record

    def update(self, record: Record, values: Values) -> Record:
        """Change some columns. A profile's TOML becomes its next version; older ones stay."""
        before = self._current(record)
        state = {"id": before.id, **before.values}
        check_may_change(self._actor, record.kind, before=state, after={**state, **values})
        self._note_rule(record.kind, state, {**state, **values})
        updated = self._transaction.update(record.kind, record.id, _columns(record.kind, values))
        self._touch(updated)
        if record.kind == "profile" and "toml" in values:
            updated = self._add_profile_version(before, _next_version(before), values)
        self._audit(f"{record.kind}.changed", before, before.values, updated.values)
        if name_of(updated) != name_of(before):
            # What was done until now stands under the old name: who asks for the new one is led there.
            self._audit(
                f"{record.kind}.renamed",
                updated,
                {"name": name_of(before)},
                {"name": name_of(updated)},
            )
        return updated

    def adopt(self, record: Record) -> None:
        """Sign a record as it is, whoever made it so: the answer to a seal that does not hold.

        `Conflict` when the row is not what was read: nobody signs what they were not shown.
        """
        self.require_ca_administrator("signing a record as it stands")
        current = self._transaction.find(record.kind, id=record.id)
        if current is None or current.values != record.values:
            raise Conflict(f"{name_of(record)!r} was changed in the meantime; look at it again")
        self._note_rule(record.kind, None, {"id": record.id, **record.values})
        self._touch(record)
        self._audit(f"{record.kind}.adopted", record, {}, {})

    def forget(self, kind: RecordKind, name: str) -> None:
        """Expect a record no more whose row is gone. `NotFound` when none of that name is missing."""
        self.require_ca_administrator("accepting that a record is gone")
        for number, entry in self._open_gate().entries(kind).items():
            if entry.name == name and self._transaction.find(kind, id=number) is None:
                self._note_rule(kind, None, {"name": name})
                self._forgotten.append(Key(kind, number))
                detail = {"id": number, "version": entry.version}
                target = f"{kind}:{name}"
                self._transaction.add_audit(
                    audit_row(f"{kind}.forgotten", self._actor, target, detail, self._deps)
                )
                return
        raise NotFound(f"no {kind} {name!r} is missing: either its row is there, or nobody signed one")

    def drop_authenticators(self, user: Record) -> None:
        """The rows of a user's second factors. What the sealed record says of them is changed beside it."""
        assert isinstance(user.id, int)
        self._transaction.drop_authenticators(user.id)

    def recover(self, user: Record, values: Values) -> Record:
        """Give a user another password and signing key, on the word of whoever opened the key store."""
        updated = self._transaction.update("user", user.id, values)
        self._touch(updated)
        self._audit("user.recovered", user, {}, values)
        return updated

    def retire(self, record: Record) -> None:
        before = self._current(record)
        state = {"id": before.id, **before.values}
        check_may_change(self._actor, record.kind, before=state, after=None)
        self._note_rule(record.kind, state, None)
        self._transaction.retire(record.kind, record.id)
        self._touch(before)
        self._audit(f"{record.kind}.removed", before, before.values, {})

    def revoke(self, certificate: CertificateRow, reason: str) -> CertificateRow:
        """`AlreadyRevoked` when it is; the next CRL carries it within seconds."""
        group_id = self._group_of(certificate)
        check_may_revoke(self._actor, group_id)
        if self._actor.kind == "user":
            self._need("revocation", () if group_id is None else (group_id,))
            self._roles.add(OFFICER)
        revocation = revocation_by(
            self._actor, self._deps, certificate.authority_id, certificate.serial, reason
        )
        return revoke_within(self._transaction, revocation, self._deps.clock, self._deps.marker())

    def ask(self, values: Values) -> Record:
        """Keep a change until a second person decides."""
        check_may_change(self._actor, "approval", before=None, after=values)
        record = self._transaction.create("approval", values)
        self._touch(record)
        self._audit_approval("requested", record)
        return record

    def decide(self, approval: Record, state: str, reason: str) -> None:
        """Retire it under this person's seal; the seal under which it waited is kept beside."""
        before = self._current(approval)
        decision = {
            "state": state,
            "decided_by": self._actor.name,
            "decided_at": self.now,
            "reason": reason,
            "request_seal": before.seal,
        }
        after = {**before.values, **decision}
        check_may_change(self._actor, "approval", before=before.values, after=after)
        self._transaction.update("approval", before.id, decision)
        self._transaction.retire("approval", before.id)
        self._touch(before)
        self._audit_approval(state, before, reason)

    def rules(self) -> dict[str, RuleState]:
        """Which kinds of change took two persons before this transaction changed anything."""
        if not self._rules:
            self._rules = rule_states(self._transaction, self._open_gate())
        return self._rules

    def settle(self) -> None:
        """Use up the approval. `SecondPersonNeeded` when there is none and something was changed that takes one."""
        approved = self._deps.approval
        if approved is not None:
            approval = check_second_person(
                approved,
                self._actor,
                self.sealing.signer.certificate,
                self._transaction,
                self._open_gate(),
                self.now,
            )
            if self._needed and approval.values["kind"] not in self._needed:
                raise Conflict(f"the change takes an approval about: {_titles(self._needed)}")
            self.decide(approval, APPROVED, "")
        elif self._needed:
            group_ids = {number: None for groups in self._needed.values() for number in groups}
            raise SecondPersonNeeded(
                f"changes of this kind take two persons here: {_titles(self._needed)}",
                kind=next(iter(self._needed)),
                group_ids=tuple(group_ids),
                # Of changes that take different roles, only a CA Administrator may make all.
                least_role=next(iter(self._roles)) if len(self._roles) == 1 else CA_ADMINISTRATOR,
            )

    def order_certificate(self, application: Record, order: SignedOrder, detail: Values) -> None:
        """Let the workers see an order that the actor has signed; who may change the application may order for it."""
        current = self._current(application)
        state = {"id": current.id, **current.values}
        check_may_change(self._actor, "application", before=state, after=state)
        self._note_rule("application", state, state)
        self._transaction.add_order(order)
        event = {"order": order.order.id, **detail}
        target = f"application:{name_of(current)}"
        self._transaction.add_audit(audit_row("certificate.ordered", self._actor, target, event, self._deps))

    def end_application_certificates(self, application: Record, reason: str) -> tuple[str, ...]:
        """As `services.end_certificates`; whoever may change the application may do so."""
        return end_application_certificates(self._transaction, application, reason, self._actor, self._deps)

    def seal(self) -> Seen | None:
        """Sign what was changed. The manifest that says so, None when nothing sealed was."""
        if not self._touched and not self._forgotten:
            return None
        sealing, gate = self.sealing, self._open_gate()
        return seal_changes(self._transaction, self._touched, gate, sealing, self.now, gone=self._forgotten)

    def _note_rule(self, kind: RecordKind, before: Values | None, after: Values | None) -> None:
        """Before the change is written: it may be one of the switches."""
        rule = rule_for(self._actor, kind, before, after)
        if rule is None:
            return
        self._need(rule, groups_of(kind, before, after))
        # A record that is adopted or forgotten may hold anything, or nothing but its name.
        if CA_ADMINISTRATOR not in self._roles:
            self._roles.add(least_role(kind, before, after))

    def _need(self, rule: str, group_ids: tuple[int, ...]) -> None:
        state = self.rules().get(rule)
        if state is not None and state.is_on:
            self._needed.setdefault(rule, {}).update(dict.fromkeys(group_ids))

    def _touch(self, record: Record) -> None:
        if record.kind in SEALED_KINDS:
            sealing_of(self._deps)
            self._touched[key_of(record)] = None

    def _open_gate(self) -> RecordGate:
        if self._gate is None:
            self._gate = open_gate(self._transaction, self.sealing)
        return self._gate

    def _group_of(self, certificate: CertificateRow) -> int | None:
        """A certificate belongs to its application's group, also after the application was removed. None where that
        cannot be told: an altered application keeps no certificate from being revoked by a CA Administrator."""
        if certificate.application_id is None:
            return None
        try:
            application = self._deps.records.find_ever("application", certificate.application_id)
        except InvalidSeal:
            return None
        group_id = None if application is None else application.values["group_id"]
        return group_id if isinstance(group_id, int) else None

    def _current(self, record: Record) -> Record:
        current = self._transaction.find(record.kind, id=record.id)
        if current is None:
            raise NotFound(f"{name_of(record)!r} was removed in the meantime")
        if current.kind in SEALED_KINDS and key_of(current) not in self._touched:
            self._check_seal(current)
        return current

    def _check_seal(self, record: Record) -> None:
        try:
            self._open_gate().check(record)
        except InvalidSeal as problem:
            raise InvalidSeal(
                f"{record.kind} {name_of(record)!r} is not changed while its seal does not hold: {problem.detail}"
            ) from None

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
        detail = change_detail(before, after, self._deps.approval)
        target = f"{record.kind}:{name_of(record)}"
        self._transaction.add_audit(audit_row(kind, self._actor, target, detail, self._deps))

    def _audit_approval(self, state: str, approval: Record, reason: str = "") -> None:
        """What it is about; its content is in the record, where it is sealed."""
        values = approval.values
        detail = {key: values[key] for key in ("kind", "change", "title", "requester")}
        detail |= {"digest": digest_of(approval)} | ({"reason": reason} if reason else {})
        target = f"approval:{name_of(approval)}"
        self._transaction.add_audit(audit_row(f"approval.{state}", self._actor, target, detail, self._deps))


def _titles(rules: Iterable[str]) -> str:
    return ", ".join(RULES[rule] for rule in rules)


def _columns(kind: RecordKind, values: Values) -> dict[str, object]:
    return {key: value for key, value in values.items() if kind != "profile" or key != "toml"}


def _next_version(profile: Record) -> int:
    current = profile.values["current_version"]
    assert isinstance(current, int)
    return current + 1
