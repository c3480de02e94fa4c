"""Sign a record as it stands, or accept that one is gone: what a CA Administrator does about a seal that does not hold.

The usual answer is to put the row back as it was: then it is believed again by itself. This is for when that cannot be
done, or when a key was compromised and what it signed has been looked at.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from certuary.core.seal import Seal
from certuary.errors import Conflict, InvalidSeal, NotFound
from certuary.services.change_deps import ChangeDeps
from certuary.services.change_record import change_records
from certuary.services.entitlement import Actor
from certuary.services.find_record import find_named, nearest
from certuary.services.ports import SEALED_KINDS, Record, RecordKind, RecordStore
from certuary.services.record_gate import RecordGate


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A record as it stands: `statement` is the text that a signature covers, `digest` its SHA-256; `problem` says why
    it is not believed, None when it is. `seal` is None when it cannot be read."""

    record: Record
    statement: bytes
    digest: str
    problem: str | None
    seal: Seal | None


def parse_kind(text: str) -> RecordKind:
    for kind in SEALED_KINDS:
        if text.lower() == kind:
            return kind
    raise NotFound(
        f"there is no sealed kind {text!r}{nearest(text, SEALED_KINDS)}: {', '.join(SEALED_KINDS)}"
    )


def show_record(records: RecordStore, gate: RecordGate, kind: RecordKind, name: str) -> Shown:
    """`records` are all of them, believed or not."""
    return describe_seal(find_record(records, kind, name), gate)


def describe_seal(record: Record, gate: RecordGate) -> Shown:
    """Of a record that is retired, which no manifest lists, its own seal alone is asked."""
    statement = gate.statement(record)
    try:
        gate.check_as_it_stands(record)
        problem = None
    except InvalidSeal as refusal:
        problem = refusal.detail
    return Shown(
        record=record,
        statement=statement,
        digest=hashlib.sha256(statement).hexdigest(),
        problem=problem,
        seal=_readable(record.seal),
    )


def adopt_record(actor: Actor, shown: Shown, digest: str, deps: ChangeDeps) -> None:
    """`Conflict` when `digest` is not that of what stands there: somebody changed it since it was shown."""
    if digest != shown.digest:
        raise Conflict("the record is not the one that was shown; look at it again: certuary seal show")
    with change_records(actor, deps) as changes:
        changes.adopt(shown.record)


def forget_record(actor: Actor, kind: RecordKind, name: str, deps: ChangeDeps) -> None:
    """Take a record whose row is gone from the manifest. `NotFound` when no row of that name is missing."""
    with change_records(actor, deps) as changes:
        changes.forget(kind, name)


def find_record(records: RecordStore, kind: RecordKind, name: str) -> Record:
    if kind == "group":
        found = records.find("group", code=name)
        if found is not None:
            return found
    return find_named(records, kind, name)


def _readable(text: str) -> Seal | None:
    try:
        return Seal.from_text(text)
    except InvalidSeal:
        return None
