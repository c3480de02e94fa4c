"""The rows of a batch item as plain tuples: the columns each table is given, and their values in that order.

Times are the database's text (`core.values.time_to_text`), which both databases take.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from certuary.core.values import serial_to_text, time_to_text
from certuary.services.ports import AuditRow, BatchItem, CertificateRow, EnrolmentRow

Value = str | int | bytes | None

CERTIFICATE_COLUMNS: Final = (
    "authority_id", "serial", "profile_version_id", "application_id", "subject", "subject_key",
    "alternative_names", "key_hash", "not_before", "not_after", "der", "source", "replaces", "issued_at",
    "mark",
)  # fmt: skip
ENROLMENT_COLUMNS: Final = (
    "request_id", "at", "operation", "outcome", "reason", "application_id", "profile_version_id", "label",
    "address", "serial", "csr_der",
)  # fmt: skip
AUDIT_COLUMNS: Final = ("at", "kind", "actor_kind", "actor", "target", "request_id", "address", "detail")

TABLES: Final = (
    ("certificates", CERTIFICATE_COLUMNS),
    ("enrolments", ENROLMENT_COLUMNS),
    ("audit_events", AUDIT_COLUMNS),
)


def rows_by_table(items: Sequence[BatchItem]) -> tuple[list[tuple[Value, ...]], ...]:
    """The rows of all items, table by table in the order of `TABLES`."""
    certificates = [_certificate(item.certificate) for item in items if item.certificate is not None]
    enrolments = [_enrolment(item.enrolment) for item in items if item.enrolment is not None]
    return certificates, enrolments, [_audit(item.audit) for item in items]


def _certificate(row: CertificateRow) -> tuple[Value, ...]:
    return (
        row.authority_id,
        serial_to_text(row.serial),
        row.profile_version_id,
        row.application_id,
        row.subject,
        row.subject_key,
        row.alternative_names,
        row.key_hash,
        time_to_text(row.not_before),
        time_to_text(row.not_after),
        row.der,
        row.source,
        row.replaces,
        time_to_text(row.issued_at),
        row.mark,
    )


def _enrolment(row: EnrolmentRow) -> tuple[Value, ...]:
    return (
        row.request_id,
        time_to_text(row.at),
        row.operation,
        row.outcome,
        row.reason,
        row.application_id,
        row.profile_version_id,
        row.label,
        row.address,
        None if row.serial is None else serial_to_text(row.serial),
        row.csr_der,
    )


def _audit(row: AuditRow) -> tuple[Value, ...]:
    return (
        time_to_text(row.at),
        row.kind,
        row.actor_kind,
        row.actor,
        row.target,
        row.request_id,
        row.address,
        row.detail,
    )
