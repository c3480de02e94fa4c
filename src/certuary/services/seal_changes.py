"""Sign and Save, the last part: seal what a transaction changed, and renew the manifest in the same transaction.

Each changed record is read back as the database holds it, signed by the user, counter-signed, and entered in the
manifest under its next version.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from certuary.core import manifest as manifests
from certuary.core import seal as seals
from certuary.core.manifest import Entry, Head, PartName, part_of
from certuary.core.seal import Seal
from certuary.errors import InvalidSeal, NotFound
from certuary.services.high_water import HighWater, Seen
from certuary.services.ports import ManifestPartRow, ManifestRow, Record, RecordTransaction
from certuary.services.record_gate import Key, RecordGate, key_of, name_of, sealed_columns
from certuary.services.signing_key import OperatorKeys, Signer
from certuary.services.trust import Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealing:
    """What signing takes. Every change of a sealed record needs one."""

    operator: OperatorKeys
    high_water: HighWater
    signer: Signer

    @property
    def trust(self) -> Trust:
        return self.operator.trust

    def sign(self, statement: bytes, columns: Mapping[str, object], at: datetime) -> Seal:
        """Whoever has signed in signs, and the server counter-signs. `columns` are those of the statement."""
        signer = self.signer
        return seals.sign_statement(
            statement,
            columns=columns,
            signer=signer.actor.name,
            role=signer.actor.role,
            group_ids=tuple(signer.actor.group_ids),
            certificate=signer.certificate,
            key=signer.key,
            countersigning_key=self.operator.manifest,
            at=at,
        )


def open_gate(transaction: RecordTransaction, sealing: Sealing) -> RecordGate:
    """Over what the transaction sees. An installation's first change finds no manifest, and begins one."""
    gate = RecordGate(sealing.trust, sealing.high_water, transaction)
    newest, row = gate.newest_seen(), transaction.manifest()
    if row is None and newest is None:
        row = _first_manifest(sealing)
    gate.take_head(row, newest)
    return gate


def seal_changes(
    transaction: RecordTransaction,
    changed: Iterable[Key],
    gate: RecordGate,
    sealing: Sealing,
    now: datetime,
    *,
    gone: Iterable[Key] = (),
) -> Seen:
    """`gone` are entries to take out.

    Gives the manifest that is now in the transaction; the caller raises the high-water mark once it is committed.
    """
    entries: dict[PartName, dict[int, Entry]] = {}
    compromised = dict(gate.head.compromised)
    for key in changed:
        record = _find(transaction, key)
        version = 1 + max(record.version, entry.version if (entry := gate.entry(key)) else 0)
        digest = _seal(transaction, record, version, gate, sealing, now)
        part = entries.setdefault(part_of(*key), dict(_part(gate, part_of(*key))))
        if record.removed_at is None:
            part[key.id] = Entry(version, digest, name_of(record))
        else:
            part.pop(key.id, None)
        compromised.update(compromised_keys_of(record))
    for key in gone:
        entries.setdefault(part_of(*key), dict(_part(gate, part_of(*key)))).pop(key.id, None)
    head = replace(gate.head, sequence=gate.head.sequence + 1, at=now, compromised=compromised)
    return write_manifest(transaction, head, entries, sealing)


def write_manifest(
    transaction: RecordTransaction,
    head: Head,
    entries: Mapping[PartName, Mapping[int, Entry]],
    sealing: Sealing,
) -> Seen:
    """A manifest with that head, which names the parts given, and of the others those that it named."""
    digests = dict(head.parts)
    for name, part in entries.items():
        body = manifests.part_body(name, part)
        transaction.put_manifest_part(ManifestPartRow(kind=name.kind, number=name.number, body=body))
        digests[name] = manifests.body_digest(body)
    body = replace(head, parts=digests).to_body()
    transaction.put_manifest(
        ManifestRow(body=body, signature=manifests.sign_head(body, sealing.operator.manifest))
    )
    return Seen(instance=head.instance, sequence=head.sequence, digest=manifests.body_digest(body))


def _first_manifest(sealing: Sealing) -> ManifestRow:
    head = Head(instance=sealing.trust.instance, sequence=0, at=datetime.fromtimestamp(0, tz=UTC), parts={})
    body = head.to_body()
    return ManifestRow(body=body, signature=manifests.sign_head(body, sealing.operator.manifest))


def _find(transaction: RecordTransaction, key: Key) -> Record:
    record = transaction.find(key.kind, id=key.id) or transaction.find_ever(key.kind, key.id)
    if record is None:
        raise NotFound(f"the {key.kind} with number {key.id} is gone")
    return record


def _part(gate: RecordGate, name: PartName) -> Mapping[int, Entry]:
    part = gate.part(name)
    if part is None:
        raise InvalidSeal(
            f"part {name.kind}/{name.number} of the manifest was altered; restore it before anything is signed",
            rule="manifest",
        )
    return part


def _seal(
    transaction: RecordTransaction,
    record: Record,
    version: int,
    gate: RecordGate,
    sealing: Sealing,
    now: datetime,
) -> str:
    statement = gate.statement(record, version)
    text = sealing.sign(statement, sealed_columns(record), now).to_text()
    transaction.put_seal(record.kind, key_of(record).id, version=version, seal=text)
    return seals.entry_digest(statement, text)


def compromised_keys_of(record: Record) -> dict[str, datetime]:
    """Since when signing certificates, by their fingerprints, are not to be believed, as a user's record says."""
    keys = record.values.get("compromised_keys") if record.kind == "user" else None
    if not isinstance(keys, dict):
        return {}
    try:
        return {fingerprint: datetime.fromisoformat(since) for fingerprint, since in keys.items()}
    except (TypeError, ValueError):
        # Nobody signed that, and nobody can: whoever adopts the record as it stands is told so.
        raise InvalidSeal(
            "its compromised keys cannot be read; put the row back as a backup has it"
        ) from None
