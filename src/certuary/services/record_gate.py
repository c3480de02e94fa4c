"""The gate that every sealed record passes before anything is done on its word.

A record is believed when the manifest lists just this version and content, a user signed it who was entitled to, and
that user's key was not compromised then. The manifest is believed when this installation signed it and no newer one
was seen. All that is trusted beforehand is `Trust`, which no database holds.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple, Protocol

from cryptography.hazmat.primitives.asymmetric import ec

from certuary.core import seal as seals
from certuary.core.manifest import WAY_OUT, Entry, Head, PartName, body_digest, part_of, read_head, read_part
from certuary.core.operator_ca import user_key
from certuary.core.seal import Seal
from certuary.errors import InvalidSeal, NotPermitted
from certuary.services.entitlement import Actor, check_may_change
from certuary.services.high_water import HighWater, Seen, refuse_older
from certuary.services.ports import (
    ManifestPartRow,
    ManifestRow,
    ManifestSource,
    Record,
    RecordKind,
)
from certuary.services.trust import Trust

_NO_MANIFEST: Final = f"the database holds no manifest; {WAY_OUT}"
NAME_COLUMNS: Final[Mapping[RecordKind, str]] = {"group": "code", "property": "property_key"}
"""Where it is another one than `name`."""

_KEPT_KEYS: Final = 1024
_KEPT_RESULTS: Final = 200_000


class Signed(NamedTuple):
    """Who signed a record, with which key (by its certificate's fingerprint), and when."""

    signer: str
    at: datetime
    fingerprint: str


_NOT_YET: Final = Signed("", datetime.fromtimestamp(0, tz=UTC), "")
"""Of a record whose signature is still to be verified."""


class Key(NamedTuple):
    kind: RecordKind
    id: int


class Gate(Protocol):
    """What lets a user's record through at sign-in."""

    def check(self, record: Record) -> Signed: ...

    def is_compromised(self, certificate: bytes) -> bool: ...


class RecordGate:
    """Not for several threads at a time. With a `source` it fetches the parts of the manifest that it needs."""

    def __init__(self, trust: Trust, high_water: HighWater, source: ManifestSource | None = None) -> None:
        self._trust = trust
        self._high_water = high_water
        self._source = source
        self._head: Head | None = None
        self._seen: Seen | None = None
        self._parts: dict[PartName, tuple[str, dict[int, Entry]]] = {}
        self._signed: dict[str, Signed] = {}
        self._allowance: int | None = None
        self._postponed: dict[str, tuple[Record, bytes]] = {}
        self._refused: dict[str, str] = {}
        self._user_keys: dict[tuple[bytes, str], ec.EllipticCurvePublicKey] = {}

    @classmethod
    def open(cls, source: ManifestSource, trust: Trust, high_water: HighWater) -> RecordGate:
        """A gate over what the database says now. `InvalidSeal` when its manifest is not to be believed."""
        gate = cls(trust, high_water, source)
        newest = gate.newest_seen()
        gate.take_head(source.manifest(), newest)
        return gate

    @property
    def head(self) -> Head:
        if self._head is None:
            raise InvalidSeal(_NO_MANIFEST, rule="manifest")
        return self._head

    @property
    def seen(self) -> Seen | None:
        """The manifest that was taken, for the high-water mark."""
        return self._seen

    def newest_seen(self) -> Seen | None:
        """The high-water mark, to be read before the manifest that is held against it."""
        return self._high_water.newest()

    def take_head(self, row: ManifestRow | None, newest: Seen | None) -> None:
        """Believe a manifest, or raise `InvalidSeal` and believe none. `newest` was seen before `row` was read."""
        self._head = self._seen = None
        if row is None:
            raise InvalidSeal(_NO_MANIFEST, rule="manifest")
        head = read_head(row.body, row.signature, self._trust.manifest_key, self._trust.instance)
        seen = Seen(instance=head.instance, sequence=head.sequence, digest=body_digest(row.body))
        refuse_older(seen, newest)
        self._head, self._seen = head, seen
        self._parts = {name: part for name, part in self._parts.items() if head.parts.get(name) == part[0]}

    def take_parts(self, rows: Iterable[ManifestPartRow]) -> None:
        """A part that is not the one the head names is forgotten as it was, too: a restart would not know it."""
        for row in rows:
            name, digest = PartName(row.kind, row.number), body_digest(row.body)
            if self.head.parts.get(name) != digest:
                self._parts.pop(name, None)
            elif name not in self._parts:
                self._parts[name] = digest, read_part(row.body)

    def take_all_parts(self, rows: Sequence[ManifestPartRow]) -> None:
        """The same, and what is not among them is forgotten."""
        there = {PartName(row.kind, row.number) for row in rows}
        self._parts = {name: part for name, part in self._parts.items() if name in there}
        self.take_parts(rows)

    def entries(self, kind: RecordKind) -> Mapping[int, Entry]:
        """Every record of a kind that should be there, of the parts that hold."""
        found: dict[int, Entry] = {}
        for name in self.head.parts:
            if name.kind == kind:
                found.update(self.part(name) or {})
        return found

    def broken_parts(self, kinds: Iterable[str]) -> tuple[PartName, ...]:
        wanted = frozenset(kinds)
        return tuple(name for name in self.head.parts if name.kind in wanted and self.part(name) is None)

    def part(self, name: PartName) -> Mapping[int, Entry] | None:
        """None when the database's part is not the one that the head names. Empty when the head names none."""
        if name not in self._parts and self._source is not None:
            row = self._source.manifest_part(name.kind, name.number)
            self.take_parts(() if row is None else (row,))
        if name in self._parts:
            return self._parts[name][1]
        return None if name in self.head.parts else {}

    def entry(self, key: Key) -> Entry | None:
        return (self.part(part_of(*key)) or {}).get(key.id)

    def name(self, record: Record) -> str:
        """What it was called when it was signed, however it is called now; else what it is called."""
        entry = self.entry(key_of(record)) if self._head is not None else None
        return name_of(record) if entry is None else entry.name

    def check(self, record: Record) -> Signed:
        """`InvalidSeal`, with the reason, for a record that is not to be believed."""
        _refuse_unreadable(record)
        entry = self._entry_of(record, key_of(record))
        statement = self.statement(record)
        digest = seals.entry_digest(statement, record.seal)
        if digest != entry.digest:
            raise InvalidSeal(_what_differs(record))
        if digest in self._refused:
            raise InvalidSeal(self._refused[digest])
        signed = self._signed.get(digest)
        if signed is None:
            if self._allowance == 0 and not self.head.compromised:
                self._postponed[digest] = record, statement
                return _NOT_YET
            if self._allowance is not None:
                self._allowance -= 1
            # The digest in the manifest covers the counter-signature: the same key made both.
            seal = Seal.from_text(record.seal)
            self._check_signer(seal, statement, record)
            signed = self._remember(digest, seal)
        self._check_not_compromised(signed)
        return signed

    def verify_at_once(self, count: int | None) -> None:
        """How many users' signatures the checks that follow verify; the rest waits for `verify_postponed`. None: all.

        Thousands of records in one change would keep a server that runs from the first of them for seconds. Until then
        they are believed on the word of the signed manifest, which lists just this content.
        """
        self._allowance = count

    def verify_postponed(self, count: int) -> dict[Key, str]:
        """Go on verifying; those that fail, with the reason. What was changed meanwhile is passed over."""
        failed: dict[Key, str] = {}
        for digest in list(self._postponed)[:count]:
            record, statement = self._postponed.pop(digest)
            entry = self.entry(key_of(record))
            if entry is None or entry.digest != digest:
                continue
            try:
                seal = Seal.from_text(record.seal)
                self._check_signer(seal, statement, record)
                self._remember(digest, seal)
            except InvalidSeal as problem:
                failed[key_of(record)] = self._refused[digest] = problem.detail
        return failed

    def check_alone(self, record: Record) -> Signed:
        """By its own seal: somebody entitled signed it once. Whether that was the last word only a manifest says.

        For records that are retired, which no manifest lists, and for making a manifest anew.
        """
        _refuse_unreadable(record)
        statement = self.statement(record)
        seal = Seal.from_text(record.seal)
        seals.check_countersignature(seal, statement, self._trust.manifest_key)
        self._check_signer(seal, statement, record)
        return Signed(seal.signer, seal.at, seals.fingerprint(seal.certificate))

    def check_as_it_stands(self, record: Record) -> Signed:
        """A record that is retired, too, for which its own seal speaks alone."""
        return self.check(record) if record.removed_at is None else self.check_alone(record)

    def statement(self, record: Record, version: int | None = None) -> bytes:
        """What is signed of it, as the version given; without one, as the version that it says it is."""
        return seals.statement(
            instance=self._trust.instance,
            kind=record.kind,
            record_id=key_of(record).id,
            version=record.version if version is None else version,
            columns=sealed_columns(record),
        )

    def is_compromised(self, certificate: bytes) -> bool:
        return seals.fingerprint(certificate) in self.head.compromised

    def _entry_of(self, record: Record, key: Key) -> Entry:
        part = self.part(part_of(*key))
        if part is None:
            raise InvalidSeal("its part of the manifest was altered")
        entry = part.get(key.id)
        if entry is None:
            raise InvalidSeal("nobody signed it: the manifest does not list it")
        if record.version < entry.version:
            raise InvalidSeal(
                f"an older row was put back: it is version {record.version}, and version {entry.version} is the newest"
                " that was signed"
            )
        if record.version > entry.version:
            raise InvalidSeal(f"its version {record.version} was never signed; {entry.version} was")
        return entry

    def _check_signer(self, seal: Seal, statement: bytes, record: Record) -> None:
        seals.check_signature(seal, statement, self._user_key(seal))
        if record.kind == "user" and record.values.get("name") == seal.signer:
            return  # people give themselves passwords; what else they may not do was checked when they did it
        actor = Actor(name=seal.signer, role=seal.role, group_ids=frozenset(seal.group_ids))
        try:
            check_may_change(actor, record.kind, before=None, after={"id": record.id, **record.values})
        except NotPermitted as problem:
            raise InvalidSeal(f"its signer was not entitled to it: {problem.detail}") from None

    def _remember(self, digest: str, seal: Seal) -> Signed:
        if len(self._signed) >= _KEPT_RESULTS:
            self._signed.clear()
        # Thousands of records share few signers: one text for all of them.
        self._signed[digest] = Signed(
            sys.intern(seal.signer), seal.at, sys.intern(seals.fingerprint(seal.certificate))
        )
        return self._signed[digest]

    def _check_not_compromised(self, signed: Signed) -> None:
        since = self.head.compromised.get(signed.fingerprint)
        if since is not None and signed.at >= since:
            raise InvalidSeal(
                f"it was signed on {signed.at:%Y-%m-%dT%H:%M:%SZ} with the key of {signed.signer!r}, which counts as"
                f" compromised since {since:%Y-%m-%dT%H:%M:%SZ}"
            )

    def _user_key(self, seal: Seal) -> ec.EllipticCurvePublicKey:
        known = seal.certificate, seal.signer
        if known not in self._user_keys:
            if len(self._user_keys) >= _KEPT_KEYS:
                self._user_keys.clear()
            self._user_keys[known] = user_key(
                seal.certificate, user=seal.signer, issuer=self._trust.operator_certificate
            )
        return self._user_keys[known]


def key_of(record: Record) -> Key:
    assert isinstance(record.id, int)
    return Key(record.kind, record.id)


def name_of(record: Record) -> str:
    """What people call a record: its name, a group's code, a property's key."""
    return str(record.values.get(NAME_COLUMNS.get(record.kind, "name"), record.id))


def sealed_columns(record: Record) -> dict[str, object]:
    """Every column that a seal covers."""
    return {**record.values, "removed_at": record.removed_at}


def _refuse_unreadable(record: Record) -> None:
    if record.unreadable:
        raise InvalidSeal("it holds a value that cannot be read")


def _what_differs(record: Record) -> str:
    if not record.seal:
        return "its seal was removed"
    seal = Seal.from_text(record.seal)
    changed = seals.changed_columns(seal, sealed_columns(record))
    when = f"{seal.signer!r} signed on {seal.at:%Y-%m-%dT%H:%M:%SZ}"
    if not changed:
        return f"its seal is not the one that {when}"
    return f"{', '.join(changed)}: not what {when}"
