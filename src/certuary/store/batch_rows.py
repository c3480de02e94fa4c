"""The rows of a batch item as plain tuples: the columns each table is given, and their values in that order.

Times are the database's text (`core.values.time_to_text`), which both databases take.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from certuary.core.audit_chain import Chain, ChainLink, EventTexts
from certuary.core.values import serial_to_text, time_to_text
from certuary.services.ports import BatchItem, CertificateRow, EnrolmentRow, OrderOutcome

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
OUTCOME_COLUMNS: Final = ("order_id", "at", "authority_id", "serial", "reason", "detail")
AUDIT_COLUMNS: Final = (*ChainLink._fields, *EventTexts._fields)


class ChainedItem(NamedTuple):
    """`event` is the row of its audit event, as `AUDIT_COLUMNS` has it."""

    item: BatchItem
    event: tuple[Value, ...]


TABLES: Final = (
    ("certificates", CERTIFICATE_COLUMNS),
    ("enrolments", ENROLMENT_COLUMNS),
    ("certificate_order_outcomes", OUTCOME_COLUMNS),
    ("audit_events", AUDIT_COLUMNS),
)


def chain_events(items: Sequence[BatchItem], chain: Chain) -> tuple[list[ChainedItem], ChainLink]:
    """The items with their events' rows, and the place of the last one. The chain stays where it is."""
    texts = [item.audit.texts() for item in items]
    links = chain.links(texts)
    chained = [ChainedItem(item, link + text) for item, link, text in zip(items, links, texts, strict=True)]
    return chained, links[-1]


def rows_by_table(items: Sequence[ChainedItem]) -> tuple[list[tuple[Value, ...]], ...]:
    """The rows of all items, table by table in the order of `TABLES`."""
    certificates = [_certificate(item.certificate) for item, _ in items if item.certificate is not None]
    enrolments = [_enrolment(item.enrolment) for item, _ in items if item.enrolment is not None]
    outcomes = [outcome_row(item.order) for item, _ in items if item.order is not None]
    return certificates, enrolments, outcomes, [event for _, event in items]


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


def outcome_row(row: OrderOutcome) -> tuple[Value, ...]:
    serial = None if row.serial is None else serial_to_text(row.serial)
    return row.order_id, time_to_text(row.at), row.authority_id, serial, row.reason, row.detail
