"""A certificate as a row: its columns, in one order, to and from `CertificateRow`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from certuary.core.values import serial_from_text, serial_to_text
from certuary.services.ports import CertificateRow
from certuary.store.models import Certificate
from certuary.store.plain import octets

# What an insert names. The columns of a revocation are written by a revocation alone.
INSERTED = (
    "authority_id",
    "serial",
    "profile_version_id",
    "application_id",
    "subject",
    "subject_key",
    "alternative_names",
    "key_hash",
    "not_before",
    "not_after",
    "der",
    "source",
    "replaces",
    "issued_at",
    "mark",
)
READ = (*INSERTED, "revoked_at", "revocation_reason", "revoked_revision", "id")


def to_columns(row: CertificateRow) -> dict[str, Any]:
    """The columns of a new row, as Django takes them."""
    columns = {column: getattr(row, column) for column in INSERTED}
    columns["serial"] = serial_to_text(row.serial)
    return columns


def from_columns(values: Sequence[Any]) -> CertificateRow:
    """A row read with the columns `READ`, as either database's driver gives them."""
    columns = dict(zip(READ, values, strict=True))
    columns["serial"] = serial_from_text(columns["serial"])
    columns["der"] = octets(columns["der"])
    columns["mark"] = None if columns["mark"] is None else octets(columns["mark"])
    for time in ("not_before", "not_after", "issued_at", "revoked_at"):
        columns[time] = _in_utc(columns[time])
    return CertificateRow(**columns)


def from_model(row: Certificate) -> CertificateRow:
    return from_columns([getattr(row, column) for column in READ])


def _in_utc(moment: datetime | None) -> datetime | None:
    """SQLite has no time zones: what it keeps is UTC."""
    if moment is None or moment.tzinfo is not None:
        return moment
    return moment.replace(tzinfo=UTC)
