"""Certificates for people: searched, page by page in both directions, at a cost that their number does not raise.

Each search is driven by one index, or by all the certificates of applications that have few. What the index does not
hold is looked for among a bounded number of rows; when these are used up before the page is full, the page says where
it stopped, and the next one goes on there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from django.db import connection

from certuary.core.values import serial_to_text
from certuary.errors import NotFound
from certuary.services.ports import CertificateRow
from certuary.store.certificates import SELECT, SUBJECT, beginning_with, select_rows
from certuary.store.database import read, time_parameter

LOOKED_AT: Final = 2_000
"""So many rows are looked at for a page: some milliseconds on either database, wherever in the table they lie."""

Status = Literal["", "valid", "expired", "revoked"]
_Condition = tuple[str, Sequence[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateSearch:
    """All that is given must hold; `application_ids` is what the reader may see, None for everything.

    `subject_prefix` is folded as `core.names.subject_search_key` folds; `alternative_name` is part of one.
    """

    now: datetime
    application_ids: tuple[int, ...] | None = None
    profile_version_ids: tuple[int, ...] | None = None
    serial: int | None = None
    subject_prefix: str = ""
    alternative_name: str = ""
    status: Status = ""
    expiring_from: datetime | None = None
    expiring_before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPage:
    """`older` and `newer` are numbers for `after` and `before`, None where there is nothing.

    `stopped` is true when rows remain that were not looked at, although the page is not full.
    """

    certificates: tuple[CertificateRow, ...]
    older: int | None = None
    newer: int | None = None
    stopped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """`expression` beside the row's number, which settles ties; "" for the number alone."""

    expression: str
    is_descending: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """`driving` is what the index finds, `each` a column of it with several values, each in the order of numbers."""

    order: _Order
    driving: list[_Condition]
    residual: list[_Condition]
    each: tuple[str, str, Sequence[int]] | None = None


_BY_NUMBER = _Order(expression="", is_descending=True)


def search_certificates(
    wanted: CertificateSearch, *, after: int | None = None, before: int | None = None, limit: int = 50
) -> SearchPage:
    """One page after, or before, the row with that number. `NotFound` when no such row orders the page."""
    if wanted.application_ids == () or wanted.profile_version_ids == ():
        return SearchPage(certificates=())
    plan = _plan(wanted)
    backwards = before is not None
    cursor = before if backwards else after
    own = None if plan.each is not None else _all_of(wanted.application_ids)
    conditions = [*plan.driving, *_numbered(own)]
    if cursor is not None:
        conditions.append(_beyond(plan.order, cursor, backwards=backwards, inclusive=False))
    stop = None
    if own is None:
        stop = _stop(plan, conditions, cursor, backwards=backwards, limit=limit)
    if stop is not None:
        conditions.append(_beyond(plan.order, stop, backwards=not backwards, inclusive=True))
    found = _find(plan, conditions, backwards=backwards, limit=limit + 1)
    return _page(found, cursor=cursor, stop=stop if plan.residual else None, backwards=backwards, limit=limit)


def find_by_fingerprint(
    fingerprint: str, application_ids: tuple[int, ...] | None, *, after: int | None = None
) -> SearchPage:
    """By SHA-256 of the public key, which has an index; else of the certificate, among the newest."""
    rows = select_rows(f"{SELECT} key_hash = %s ORDER BY id DESC LIMIT 50", [fingerprint])
    if rows:
        return SearchPage(certificates=tuple(row for row in rows if _is_within(row, application_ids)))
    wanted, parameters = ("id < %s", [after]) if after is not None else ("1 = 1", [])
    numbers, stop = _numbers_of(fingerprint, wanted, parameters)
    found = [row for number in numbers for row in select_rows(f"{SELECT} id = %s", [number])]
    return SearchPage(
        certificates=tuple(row for row in found if _is_within(row, application_ids)),
        older=stop if not found else None,
        stopped=stop is not None and not found,
    )


def find_serial(serial: int, application_ids: tuple[int, ...] | None) -> tuple[CertificateRow, ...]:
    """Two only when two authorities gave the same number, by somebody's doing."""
    rows = select_rows(f"{SELECT} serial = %s ORDER BY id LIMIT 2", [serial_to_text(serial)])
    return tuple(row for row in rows if _is_within(row, application_ids))


def _is_within(row: CertificateRow, application_ids: tuple[int, ...] | None) -> bool:
    return application_ids is None or row.application_id in application_ids


def _plan(wanted: CertificateSearch) -> _Plan:
    residual = _residual(wanted)
    applications, versions = wanted.application_ids, wanted.profile_version_ids
    also = [*_one_of("application_id", applications), *_one_of("profile_version_id", versions)]
    if wanted.serial is not None:
        serial: list[_Condition] = [("serial = %s", [serial_to_text(wanted.serial)])]
        return _Plan(order=_BY_NUMBER, driving=serial, residual=[*residual, *also])
    if wanted.subject_prefix:
        order = _Order(expression=SUBJECT, is_descending=False)
        driving = beginning_with(wanted.subject_prefix)
        return _Plan(order=order, driving=driving, residual=[*_expiry(wanted), *residual, *also])
    if wanted.expiring_from is not None or wanted.expiring_before is not None:
        order = _Order(expression="not_after", is_descending=False)
        return _Plan(order=order, driving=_expiry(wanted), residual=[*residual, *also])
    if wanted.status == "revoked":
        order = _Order(expression="revoked_revision", is_descending=True)
        driving = [("revoked_revision IS NOT NULL", [])]
        return _Plan(order=order, driving=driving, residual=[*residual, *also])
    if applications is not None:
        residual = [*residual, *_one_of("profile_version_id", versions)]
        each = ("application_id", "applications", applications)
        return _Plan(order=_BY_NUMBER, driving=[], residual=residual, each=each)
    if versions is not None:
        each = ("profile_version_id", "profile_versions", versions)
        return _Plan(order=_BY_NUMBER, driving=[], residual=residual, each=each)
    if wanted.status == "expired":
        order = _Order(expression="not_after", is_descending=True)
        return _Plan(order=order, driving=[_expired(wanted)], residual=residual)
    return _Plan(order=_BY_NUMBER, driving=[], residual=residual)


def _all_of(application_ids: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """The numbers of all their certificates, where these are few: then a search may look at each of them."""
    if application_ids is None:
        return None
    ((of_them, parameters),) = _one_of("application_id", application_ids)
    values: list[Any] = list(parameters)
    statement = f"SELECT id FROM certificates WHERE {of_them} LIMIT {LOOKED_AT + 1}"  # noqa: S608  # texts of this module

    def query() -> tuple[int, ...]:
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            return tuple(number for (number,) in cursor.fetchall())

    found = read(query)
    return found if len(found) <= LOOKED_AT else None


def _numbered(numbers: tuple[int, ...] | None) -> list[_Condition]:
    if numbers is None:
        return []
    return [(f"id IN ({', '.join(map(str, numbers))})" if numbers else "1 = 0", [])]


def _residual(wanted: CertificateSearch) -> list[_Condition]:
    found: list[_Condition] = []
    if wanted.status == "revoked":
        found.append(("revoked_at IS NOT NULL", []))
    elif wanted.status:
        found.append(("revoked_at IS NULL", []))
    if wanted.status == "valid":
        moment = time_parameter(wanted.now)
        found.append(("not_before <= %s AND not_after > %s", [moment, moment]))
    if wanted.status == "expired":
        found.append(_expired(wanted))
    if wanted.alternative_name:
        found.append(("alternative_names LIKE %s ESCAPE '!'", [_containing(wanted.alternative_name)]))
    return found


def _expired(wanted: CertificateSearch) -> _Condition:
    return ("not_after <= %s", [time_parameter(wanted.now)])


def _expiry(wanted: CertificateSearch) -> list[_Condition]:
    found: list[_Condition] = []
    if wanted.expiring_from is not None:
        found.append(("not_after >= %s", [time_parameter(wanted.expiring_from)]))
    if wanted.expiring_before is not None:
        found.append(("not_after < %s", [time_parameter(wanted.expiring_before)]))
    return found


def _one_of(column: str, values: tuple[int, ...] | None) -> list[_Condition]:
    if values is None:
        return []
    return [(f"{column} IN ({', '.join(['%s'] * len(values))})", values)]


def _containing(text: str) -> str:
    """The column holds JSON: what is looked for is written as JSON writes it, then as LIKE takes it."""
    encoded = json.dumps(text)[1:-1]
    for special in "!%_":
        encoded = encoded.replace(special, "!" + special)
    return f"%{encoded}%"


def _stop(
    plan: _Plan, conditions: list[_Condition], cursor: int | None, *, backwards: bool, limit: int
) -> int | None:
    """The last row to look at; None when all that are left are few."""
    if plan.each is not None:
        return _stop_of_each(plan, cursor, backwards=backwards, limit=limit)
    if not plan.residual:
        return None
    where, parameters = _where(conditions)
    statement = (
        f"SELECT id FROM certificates WHERE {where}"  # noqa: S608  # texts of this module
        f" ORDER BY {_order_by(plan.order, backwards=backwards)} LIMIT 1 OFFSET {LOOKED_AT - 1}"
    )
    return _number(statement, parameters)


def _stop_of_each(plan: _Plan, cursor: int | None, *, backwards: bool, limit: int) -> int | None:
    """Of each value so many rows: where the first of them ends, nothing of the others is missed."""
    assert plan.each is not None
    column, table, values = plan.each
    rows = max(limit + 1, LOOKED_AT // len(values)) if plan.residual else limit + 1
    beyond, way = ("", "ASC" if backwards else "DESC")
    if cursor is not None:
        beyond = f" AND (c.{column}, c.id) {'>' if backwards else '<'} (a.id, {int(cursor)})"
    marks = ", ".join(["%s"] * len(values))
    # A range of one value, in the order of the index: for the value itself PostgreSQL may walk through everybody's.
    statement = (
        f"SELECT {'min' if backwards else 'max'}(last) FROM (SELECT (SELECT c.id FROM certificates c"  # noqa: S608
        f" WHERE c.{column} >= a.id AND c.{column} <= a.id{beyond} ORDER BY c.{column} {way}, c.id {way}"
        f" LIMIT 1 OFFSET {rows - 1}) AS last FROM {table} a WHERE a.id IN ({marks})) AS each_last"
    )
    return _number(statement, values)


def _find(plan: _Plan, conditions: list[_Condition], *, backwards: bool, limit: int) -> list[CertificateRow]:
    order = _order_by(plan.order, backwards=backwards)
    each: list[_Condition] = []
    if plan.each is not None:
        if len(plan.each[2]) > 1:
            # The sum keeps a planner from walking through everybody's certificates for the sake of their order.
            order = order.replace("id", "id + 0")
        each = _one_of(plan.each[0], tuple(plan.each[2]))
    where, parameters = _where([*conditions, *each, *plan.residual])
    return select_rows(f"{SELECT} {where} ORDER BY {order} LIMIT {limit}", parameters)


def _page(
    found: list[CertificateRow], *, cursor: int | None, stop: int | None, backwards: bool, limit: int
) -> SearchPage:
    is_full = len(found) > limit
    rows = found[:limit]
    stopped = stop is not None and not is_full
    onward = stop if stopped else (rows[-1].id if is_full else None)
    if backwards:
        return SearchPage(
            certificates=tuple(reversed(rows)), newer=onward, older=_back(rows, cursor), stopped=stopped
        )
    back = None if cursor is None else _back(rows, cursor)
    return SearchPage(certificates=tuple(rows), older=onward, newer=back, stopped=stopped)


def _back(rows: list[CertificateRow], cursor: int | None) -> int | None:
    """Where the way back begins: at this page's first row, or at the row that led to an empty page."""
    return rows[0].id if rows else cursor


def _beyond(order: _Order, number: int, *, backwards: bool, inclusive: bool) -> _Condition:
    sign = ("<" if order.is_descending != backwards else ">") + ("=" if inclusive else "")
    if not order.expression:
        return (f"id {sign} %s", [number])
    last = select_rows(f"{SELECT} id = %s", [number])
    if not last:
        raise NotFound("there is no such page")
    key = _key(order, last[0])
    return (f"({order.expression}, id) {sign} (%s, %s)", [key, number])


def _key(order: _Order, row: CertificateRow) -> object:
    if order.expression == SUBJECT:
        return row.subject_key[:300]
    if order.expression == "not_after":
        return time_parameter(row.not_after)
    if row.revoked_revision is None:
        raise NotFound("there is no such page")
    return row.revoked_revision


def _order_by(order: _Order, *, backwards: bool) -> str:
    way = "DESC" if order.is_descending != backwards else "ASC"
    return f"{order.expression} {way}, id {way}" if order.expression else f"id {way}"


def _where(conditions: Sequence[_Condition]) -> tuple[str, list[object]]:
    text = " AND ".join(condition for condition, _ in conditions) or "1 = 1"
    return text, [parameter for _, given in conditions for parameter in given]


def _number(statement: str, parameters: Sequence[Any]) -> int | None:
    def query() -> int | None:
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            row = cursor.fetchone()
        return None if row is None else row[0]

    return read(query)


def _numbers_of(fingerprint: str, wanted: str, parameters: Sequence[Any]) -> tuple[list[int], int | None]:
    """The rows whose certificate has it, among `LOOKED_AT`, and the last row looked at when there are more."""

    def query() -> tuple[list[int], int | None]:
        found, seen, last = [], 0, None
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT id, der FROM certificates WHERE {wanted} ORDER BY id DESC LIMIT {LOOKED_AT}",  # noqa: S608
                parameters,
            )
            while rows := cursor.fetchmany(500):
                found += [row[0] for row in rows if hashlib.sha256(bytes(row[1])).hexdigest() == fingerprint]
                seen, last = seen + len(rows), rows[-1][0]
        return found, last if seen == LOOKED_AT else None

    return read(query)
