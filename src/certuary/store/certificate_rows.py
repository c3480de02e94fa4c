"""A certificate as a row: its columns, in one order, to and from `CertificateRow`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from certuary.core.values import serial_from_text, serial_to_text
from certuary.services.ports import CertificateRow
from certuary.store.models import Certificate
from certuary.store.plain import moment, number, octets, optional, text

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
_PRESENT: Final[Mapping[str, Callable[[object], object]]] = {
    "authority_id": number,
    **dict.fromkeys(("subject", "subject_key", "alternative_names", "key_hash", "source"), text),
    **dict.fromkeys(("not_before", "not_after", "issued_at"), moment),
    "der": octets,
}
_NULLABLE: Final[Mapping[str, Callable[[object], object]]] = {
    **dict.fromkeys(("profile_version_id", "application_id", "revoked_revision"), number),
    **dict.fromkeys(("replaces", "revocation_reason"), text),
    "revoked_at": moment,
    "mark": octets,
}
"""How each is read: an altered row is another certificate than was marked, and takes no list down."""


def to_columns(row: CertificateRow) -> dict[str, Any]:
    """The columns of a new row, as Django takes them."""
    columns = {column: getattr(row, column) for column in INSERTED}
    columns["serial"] = serial_to_text(row.serial)
    return columns


def from_columns(values: Sequence[Any]) -> CertificateRow:
    """A row read with the columns `READ`, as either database's driver gives them."""
    columns = dict(zip(READ, values, strict=True))
    columns["serial"] = serial_from_text(text(columns["serial"]))
    for column, read in _PRESENT.items():
        columns[column] = read(columns[column])
    for column, read in _NULLABLE.items():
        columns[column] = optional(read, columns[column])
    return CertificateRow(**columns)


def from_model(row: Certificate) -> CertificateRow:
    return from_columns([getattr(row, column) for column in READ])
