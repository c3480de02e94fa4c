"""Seals that do not hold, and one record's seal, as far as the reader may see them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from django.http import HttpRequest

from certuary.core import seal as seals
from certuary.core.manifest import Entry
from certuary.core.seal import SECRET_COLUMNS
from certuary.errors import InvalidSeal, NotFound
from certuary.portal.deps import deps_of
from certuary.portal.scope import Scope
from certuary.portal.told import told
from certuary.services.adopt_record import Shown
from certuary.services.ports import SEALED_KINDS, Record, RecordKind
from certuary.services.record_gate import Key, RecordGate, key_of, name_of, sealed_columns
from certuary.services.second_factors import ALTERED, are_as_listed
from certuary.services.second_factors import KIND as FACTORS
from certuary.services.trusted_feed import MISSING
from certuary.store import authenticators
from certuary.store.database import read

_SHARED: Final = ("profile", "label", "authority", "switch")
"""Kinds that belong to no group: of others, a row that is gone cannot say whose it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """`number` is the record's; None for a part of the manifest."""

    kind: str
    name: str
    reason: str
    number: int | None = None

    @property
    def url(self) -> str:
        if self.number is None:
            return ""
        # Second factors have no seal of their own: their digests are in the user's.
        return f"/users/{self.number}/" if self.kind == FACTORS else f"/seals/{self.kind}/{self.number}/"


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnShown:
    """`holds` is None where nothing can be said: no seal can be read."""

    name: str
    value: str
    is_secret: bool
    holds: bool | None


def find_broken(request: HttpRequest) -> list[Broken]:
    """Verified anew, record by record: what the database says of itself is not asked."""
    try:
        gate = deps_of(request).gate()
    except InvalidSeal as problem:
        return [Broken(kind="manifest", name="the manifest", reason=problem.detail)]
    found = [
        Broken(
            kind="manifest", name=f"{part.kind}/{part.number}", reason="it was altered, or its row is gone"
        )
        for part in gate.broken_parts(SEALED_KINDS)
    ]
    for kind in SEALED_KINDS:
        found += _broken_of(kind, request, gate)
    return found + _broken_factors(request, gate)


def _broken_factors(request: HttpRequest, gate: RecordGate) -> list[Broken]:
    """Of users whose own records hold, among those that the viewer sees."""
    scope, rows = Scope.of(request), read(authenticators.digests)
    found = []
    for user in deps_of(request).records.all("user"):
        number = key_of(user).id
        if not scope.has_record(user) or are_as_listed(user, rows.get(number, ())):
            continue
        try:
            gate.check(user)
        except InvalidSeal:
            continue
        found.append(Broken(kind=FACTORS, name=name_of(user), reason=ALTERED, number=number))
    return found


def find_sealed(request: HttpRequest, kind: RecordKind, number: int) -> Record | None:
    """None when its row is gone; `NotFound` alike for somebody else's and for what never was."""
    records = deps_of(request).records
    record = records.find(kind, id=number)
    if record is None and deps_of(request).gate().entry(Key(kind, number)) is not None:
        return None
    record = record or records.find_ever(kind, number)
    if record is None or not Scope.of(request).has_record(record):
        raise NotFound(f"there is no {kind} with number {number}")
    return record


def find_gone(request: HttpRequest, kind: RecordKind, number: int, gate: RecordGate) -> Entry:
    """Whose group it was its row would say: so only those who see everything are told."""
    entry = gate.entry(Key(kind, number))
    if entry is None or Scope.of(request).group_ids is not None:
        raise NotFound(f"there is no {kind} with number {number}")
    return entry


def missing_entry(request: HttpRequest, kind: RecordKind, number: int) -> Entry | None:
    """What the manifest says of a record whose row is gone; None when it is there, or never was. `InvalidSeal`."""
    gate = deps_of(request).gate()
    if deps_of(request).records.find(kind, id=number) is not None:
        return None
    return gate.entry(Key(kind, number))


def columns_shown(shown: Shown) -> list[ColumnShown]:
    """The statement as a table. What is secret stands in it by its digest alone."""
    values = json.loads(shown.statement)["columns"]
    differing: tuple[str, ...] | None = None
    if shown.seal is not None:
        differing = seals.changed_columns(shown.seal, sealed_columns(shown.record))
    return [
        ColumnShown(
            name=name,
            value=told(value),
            is_secret=name in SECRET_COLUMNS,
            holds=None if differing is None else name not in differing,
        )
        for name, value in values.items()
    ]


def _broken_of(kind: RecordKind, request: HttpRequest, gate: RecordGate) -> list[Broken]:
    found, there = [], set()
    scope = Scope.of(request)
    for record in deps_of(request).records.all(kind):
        there.add(key_of(record).id)
        try:
            gate.check(record)
        except InvalidSeal as problem:
            if scope.has_record(record):
                found.append(
                    Broken(
                        kind=kind,
                        name=name_of(record),
                        reason=problem.detail,
                        number=key_of(record).id,
                    )
                )
    for number, entry in gate.entries(kind).items():
        if number not in there and (scope.group_ids is None or kind in _SHARED):
            found.append(Broken(kind=kind, name=entry.name, reason=MISSING, number=number))
    return found
