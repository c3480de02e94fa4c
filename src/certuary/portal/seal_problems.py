"""Seals that do not hold, and one record's seal, as far as the reader may see them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

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


class Place(NamedTuple):
    """Where a page goes on."""

    stage: int
    number: int
    kind: str = ""


BEGINNING: Final = Place(-1, -1)
LOOKED_AT: Final = 2_000
Verify = Callable[[], Broken | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenPage:
    """`later` is None at the end. `stopped`: records remain that were not looked at."""

    broken: tuple[Broken, ...]
    later: Place | None = None
    stopped: bool = False


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
        return [_of_manifest(problem)]
    return [broken for _, broken in _verified(request, gate, BEGINNING) if broken is not None]


def broken_page(request: HttpRequest, *, after: Place, limit: int) -> BrokenPage:
    """The same in pages, each of which verifies a bounded number of records."""
    try:
        gate = deps_of(request).gate()
    except InvalidSeal as problem:
        return BrokenPage(broken=(_of_manifest(problem),))
    found: list[Broken] = []
    for looked_at, (place, broken) in enumerate(_verified(request, gate, after), 1):
        if broken is not None:
            found.append(broken)
        if len(found) == limit or looked_at == LOOKED_AT:
            return BrokenPage(broken=tuple(found), later=place, stopped=len(found) < limit)
    return BrokenPage(broken=tuple(found))


def _of_manifest(problem: InvalidSeal) -> Broken:
    return Broken(kind="manifest", name="the manifest", reason=problem.detail)


def _verified(request: HttpRequest, gate: RecordGate, after: Place) -> Iterator[tuple[Place, Broken | None]]:
    """Parts of the manifest, then records by kind and number, then second factors; each verified when it is taken."""
    for place in sorted(Place(0, part.number, part.kind) for part in gate.broken_parts(SEALED_KINDS)):
        if place > after:
            name = f"{place.kind}/{place.number}"
            yield place, Broken(kind="manifest", name=name, reason="it was altered, or its row is gone")
    for stage, kind in enumerate(SEALED_KINDS, 1):
        for number, verify in _of_kind(kind, request, gate):
            if (place := Place(stage, number)) > after:
                yield place, verify()
    for number, verify in _of_factors(request, gate):
        if (place := Place(len(SEALED_KINDS) + 1, number)) > after:
            yield place, verify()


def _of_kind(kind: RecordKind, request: HttpRequest, gate: RecordGate) -> Iterator[tuple[int, Verify]]:
    scope = Scope.of(request)
    there = {key_of(record).id: record for record in deps_of(request).records.all(kind)}
    entries = gate.entries(kind)
    for number in sorted({*there, *entries}):
        if number in there:
            yield number, partial(_broken, there[number], gate, scope)
        else:
            yield number, partial(_missing, kind, number, entries[number], scope)


def _broken(record: Record, gate: RecordGate, scope: Scope) -> Broken | None:
    if not scope.has_record(record):
        return None
    try:
        gate.check(record)
    except InvalidSeal as problem:
        number = key_of(record).id
        return Broken(kind=record.kind, name=name_of(record), reason=problem.detail, number=number)
    return None


def _missing(kind: RecordKind, number: int, entry: Entry, scope: Scope) -> Broken | None:
    if scope.group_ids is not None and kind not in _SHARED:
        return None
    return Broken(kind=kind, name=entry.name, reason=MISSING, number=number)


def _of_factors(request: HttpRequest, gate: RecordGate) -> Iterator[tuple[int, Verify]]:
    scope, rows = Scope.of(request), read(authenticators.digests)
    users = {key_of(user).id: user for user in deps_of(request).records.all("user")}
    for number in sorted(users):
        yield number, partial(_broken_factors, users[number], rows.get(number, ()), gate, scope)


def _broken_factors(user: Record, rows: tuple[str, ...], gate: RecordGate, scope: Scope) -> Broken | None:
    """Of a user whose own record holds."""
    if not scope.has_record(user) or are_as_listed(user, rows) or _broken(user, gate, scope) is not None:
        return None
    return Broken(kind=FACTORS, name=name_of(user), reason=ALTERED, number=key_of(user).id)


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
