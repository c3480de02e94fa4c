"""Accept what the database holds: after a backup was restored on purpose, or the manifest was lost.

A new manifest, with a number above every one that this node has seen, lists the records whose own seals hold. They
were all signed by somebody entitled; that they may be older than what was signed since is what the CA Administrator
answers for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from certuary.core import seal as seals
from certuary.core.manifest import Entry, Head, PartName, part_of, read_head
from certuary.errors import Conflict, InvalidSeal
from certuary.services.change_deps import ChangeDeps, sealing_of
from certuary.services.change_events import audit_row
from certuary.services.entitlement import Actor, check_is_ca_administrator
from certuary.services.high_water import HighWater, Seen
from certuary.services.ports import SEALED_KINDS, Record, RecordStore, RecordTransaction
from certuary.services.record_gate import RecordGate, Signed, key_of, name_of
from certuary.services.seal_changes import Sealing, compromised_keys_of, write_manifest
from certuary.services.trust import Trust
from certuary.services.verify_seals import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The new manifest's number, the one it follows, and what it leaves out."""

    sequence: int
    replaced: int
    left_out: tuple[Finding, ...]


class LoneGate:
    """Lets a record through by its own seal: for signing in while there is no manifest to be believed."""

    def __init__(self, records: RecordStore, trust: Trust, high_water: HighWater) -> None:
        self._gate = RecordGate(trust, high_water)
        self._records = records

    def check(self, record: Record) -> Signed:
        return self._gate.check_alone(record)

    def digest(self, record: Record) -> str:
        """What a manifest holds of it."""
        return seals.entry_digest(self._gate.statement(record), record.seal)

    def is_compromised(self, certificate: bytes) -> bool:
        return seals.fingerprint(certificate) in compromised_keys(self._records, self)


def compromised_keys(records: RecordStore, gate: LoneGate) -> dict[str, datetime]:
    """As the users' records say, of those whose own seals hold."""
    found: dict[str, datetime] = {}
    for user in records.all("user"):
        if _passes(user, gate) is None:
            found |= compromised_keys_of(user)
    return found


def accept_rollback(actor: Actor, deps: ChangeDeps) -> Accepted:
    """`Conflict` when there is nothing to accept."""
    sealing = sealing_of(deps)
    check_is_ca_administrator(actor, "accepting a rollback")
    newest = sealing.high_water.newest()
    replaced = 0 if newest is None else newest.sequence
    with deps.records.transaction() as transaction:
        _refuse_sound_manifest(transaction, sealing, newest)
        gate = LoneGate(deps.records, sealing.trust, sealing.high_water)
        entries, left_out = _entries(deps.records, gate)
        now = deps.clock.now()
        sequence = 1 + max(replaced, _stored_sequence(transaction, sealing))
        accepted = {
            "by": actor.name,
            "at": seals.moment_text(now),
            "instead_of": 0 if newest is None else newest.sequence,
        }
        head = Head(
            instance=sealing.trust.instance,
            sequence=sequence,
            at=now,
            parts={},
            compromised=compromised_keys(deps.records, gate),
            accepted=accepted,
        )
        seen = write_manifest(transaction, head, entries, sealing)
        detail = {
            **accepted,
            "sequence": sequence,
            "left_out": [f"{one.kind}:{one.name}" for one in left_out],
        }
        transaction.add_audit(audit_row("seal.rollback_accepted", actor, "manifest:head", detail, deps))
    sealing.high_water.rise(seen)
    return Accepted(sequence=sequence, replaced=replaced, left_out=left_out)


def _refuse_sound_manifest(transaction: RecordTransaction, sealing: Sealing, newest: Seen | None) -> None:
    gate = RecordGate(sealing.trust, sealing.high_water, transaction)
    try:
        gate.take_head(transaction.manifest(), newest)
    except InvalidSeal:
        return
    if not gate.broken_parts(SEALED_KINDS):
        raise Conflict("the manifest is the newest that this node has seen: there is no rollback to accept")


def _stored_sequence(transaction: RecordTransaction, sealing: Sealing) -> int:
    """Of the database's manifest if this installation signed it; another node may have seen more than this one."""
    row = transaction.manifest()
    if row is None:
        return 0
    try:
        return read_head(row.body, row.signature, sealing.trust.manifest_key, sealing.trust.instance).sequence
    except InvalidSeal:
        return 0


def _entries(
    records: RecordStore, gate: LoneGate
) -> tuple[dict[PartName, dict[int, Entry]], tuple[Finding, ...]]:
    entries: dict[PartName, dict[int, Entry]] = {}
    left_out: list[Finding] = []
    for record in (record for kind in SEALED_KINDS for record in records.all(kind)):
        reason = _passes(record, gate)
        if reason is not None:
            left_out.append(Finding(kind=record.kind, name=name_of(record), reason=reason))
            continue
        digest = gate.digest(record)
        key = key_of(record)
        entries.setdefault(part_of(*key), {})[key.id] = Entry(record.version, digest, name_of(record))
    return entries, tuple(left_out)


def _passes(record: Record, gate: LoneGate) -> str | None:
    """Why not; None when it does."""
    try:
        gate.check(record)
    except InvalidSeal as problem:
        return problem.detail
    return None
