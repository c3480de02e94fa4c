"""Look certificates up: on the issuance path, and in pages for people.

Pages go by the last row's key and never by OFFSET, so the ten-thousandth page costs what the first one does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from certuary.core.values import serial_from_text, serial_to_text
from certuary.errors import InvalidValue, NotFound
from certuary.services.ports import APPLICATION_SOURCE, CertificateRow
from certuary.store import certificate_rows
from certuary.store.database import read, time_parameter
from certuary.store.models import Certificate

MAX_PAGE = 1000
_LAST_CODE_POINT = chr(0x10FFFF)
_COLUMNS = ", ".join(certificate_rows.READ)
SELECT = f"SELECT {_COLUMNS} FROM certificates WHERE "  # noqa: S608  # constants
# As the index is made: PostgreSQL bounds what an index entry holds.
_INDEXED = 300
SUBJECT = f"substr(subject_key, 1, {_INDEXED})"
_VALID = "revoked_at IS NULL AND not_before <= %s AND not_after > %s ORDER BY id DESC LIMIT 1"
_BY_SUBJECT = (
    f"{SELECT} {SUBJECT} = substr(%s, 1, {_INDEXED}) AND subject_key = %s AND alternative_names = %s"
    f" AND application_id = %s AND {_VALID}"
)
# An empty subject tells no two devices apart: such rows have an index of their own.
_BY_ALTERNATIVE_NAMES = (
    f"{SELECT} subject_key = '' AND substr(alternative_names, 1, 200) = substr(%s, 1, 200)"
    f" AND alternative_names = %s AND application_id = %s AND {_VALID}"
)
_BY_SERIAL = f"{SELECT} serial = %s AND authority_id = %s"
_BY_KEY_HASH = f"{SELECT} key_hash = %s ORDER BY id"


class DjangoCertificateReader:
    """`services.ports.CertificateReader`. Each thread that calls it has its own connection."""

    def by_serial(self, authority_id: int, serial: int) -> CertificateRow | None:
        rows = select_rows(_BY_SERIAL, (serial_to_text(serial), authority_id))
        return rows[0] if rows else None

    def newest_valid(
        self, application_id: int, subject_key: str, alternative_names: str, now: datetime
    ) -> CertificateRow | None:
        moment = time_parameter(now)
        if subject_key:
            subject = (subject_key, subject_key)
            rows = select_rows(_BY_SUBJECT, (*subject, alternative_names, application_id, moment, moment))
        else:
            names = (alternative_names, alternative_names)
            rows = select_rows(_BY_ALTERNATIVE_NAMES, (*names, application_id, moment, moment))
        return rows[0] if rows else None

    def by_key_hash(self, key_hash: str) -> tuple[CertificateRow, ...]:
        return tuple(select_rows(_BY_KEY_HASH, (key_hash,)))


def application_certificates(application_id: int, now: datetime) -> tuple[tuple[int, int], ...]:
    """As `services.ports.RecordTransaction` says it."""
    live = Certificate.objects.filter(
        application_id=application_id, source=APPLICATION_SOURCE, revoked_at__isnull=True, not_after__gt=now
    )
    found = []
    for authority_id, serial in live.order_by("id").values_list("authority_id", "serial"):
        try:
            found.append((authority_id, serial_from_text(str(serial))))
        except InvalidValue:  # edited by hand: it is the row of no certificate
            continue
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFilter:
    """Which certificates: all that is given must hold.

    `subject_prefix` is folded as `core.names.subject_key` folds. Pages come by subject when it is given, else by
    expiry when a time is given, else newest first.
    """

    serial: int | None = None
    application_ids: tuple[int, ...] | None = None
    subject_prefix: str | None = None
    key_hash: str | None = None
    expiring_from: datetime | None = None
    expiring_before: datetime | None = None
    revoked: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificatePage:
    """`after` asks for the next page; None when this one is the last."""

    certificates: tuple[CertificateRow, ...]
    after: int | None


EVERY_CERTIFICATE = CertificateFilter()


def list_certificates(
    wanted: CertificateFilter = EVERY_CERTIFICATE, *, after: int | None = None, limit: int = 100
) -> CertificatePage:
    """One page. `after` is the previous page's. Blocking; `DatabaseDown` when it cannot be had."""
    limit = max(1, min(limit, MAX_PAGE))
    conditions = _conditions(wanted)
    order = _order(wanted)
    if after is not None:
        conditions.append(_beyond(order, after))
    where = " AND ".join(condition for condition, _ in conditions) or "1 = 1"
    parameters = [parameter for _, given in conditions for parameter in given]
    rows = select_rows(f"{SELECT}{where} ORDER BY {_ORDER_BY[order]} LIMIT {limit + 1}", parameters)
    page = tuple(rows[:limit])
    return CertificatePage(certificates=page, after=page[-1].id if len(rows) > limit else None)


_ORDER_BY = {SUBJECT: f"{SUBJECT}, id", "not_after": "not_after, id", "id": "id DESC"}
_Condition = tuple[str, Sequence[object]]


def _order(wanted: CertificateFilter) -> str:
    if wanted.subject_prefix:
        return SUBJECT
    by_expiry = wanted.expiring_from is not None or wanted.expiring_before is not None
    return "not_after" if by_expiry else "id"


def _conditions(wanted: CertificateFilter) -> list[_Condition]:
    found: list[_Condition] = []
    if wanted.serial is not None:
        found.append(("serial = %s", [serial_to_text(wanted.serial)]))
    if wanted.application_ids is not None:
        marks = ", ".join(["%s"] * len(wanted.application_ids))
        found.append((f"application_id IN ({marks})" if marks else "1 = 0", wanted.application_ids))
    if wanted.subject_prefix:
        found += beginning_with(wanted.subject_prefix)
    if wanted.key_hash is not None:
        found.append(("key_hash = %s", [wanted.key_hash]))
    if wanted.expiring_from is not None:
        found.append(("not_after >= %s", [time_parameter(wanted.expiring_from)]))
    if wanted.expiring_before is not None:
        found.append(("not_after < %s", [time_parameter(wanted.expiring_before)]))
    if wanted.revoked is not None:
        found.append((f"revoked_at IS {'NOT ' if wanted.revoked else ''}NULL", []))
    return found


def beginning_with(prefix: str) -> list[_Condition]:
    """Texts compare by code point, so what begins with a prefix lies between it and it with the last one."""
    indexed = prefix[:_INDEXED]
    return [
        (f"{SUBJECT} >= %s AND {SUBJECT} < %s", [indexed, indexed + _LAST_CODE_POINT]),
        ("subject_key >= %s AND subject_key < %s", [prefix, prefix + _LAST_CODE_POINT]),
    ]


def _beyond(order: str, after: int) -> _Condition:
    if order == "id":
        return ("id < %s", [after])
    last = select_rows(f"{SELECT} id = %s", [after])
    if not last:
        raise NotFound("there is no such page")
    key = last[0].subject_key[:_INDEXED] if order == SUBJECT else time_parameter(last[0].not_after)
    return (f"({order}, id) > (%s, %s)", [key, after])


def select_rows(statement: str, parameters: Sequence[Any]) -> list[CertificateRow]:
    def query() -> list[CertificateRow]:
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return [certificate_rows.from_columns(values) for values in cursor.fetchall()]

    return read(query)
