"""What an enrolment reads and commits."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import InitVar, dataclass
from datetime import datetime
from typing import Final, Protocol

from certuary.core.mark import Marker
from certuary.services.ports.audit import AuditRow
from certuary.services.ports.orders import OrderOutcome

EST_SOURCE: Final = "est"
APPLICATION_SOURCE: Final = "application"
"""Of an application certificate, which a user ordered: it speaks for the application, not for its own names alone."""
ORDER_OPERATION: Final = "order"
"""What the history of requests calls such an order, among the operations of EST."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRow:
    """A certificate as the database keeps it. `id` is None before it is committed.

    Made, or replaced, with a `marker` it carries a fresh mark. Whoever believes a row that was read checks its mark.
    """

    authority_id: int
    serial: int
    profile_version_id: int | None
    application_id: int | None
    subject: str
    subject_key: str
    alternative_names: str
    key_hash: str
    not_before: datetime
    not_after: datetime
    der: bytes
    source: str
    replaces: str | None
    issued_at: datetime
    revoked_at: datetime | None = None
    revocation_reason: str | None = None
    revoked_revision: int | None = None
    mark: bytes | None = None
    id: int | None = None
    marker: InitVar[Marker | None] = None

    def __post_init__(self, marker: Marker | None) -> None:
        if marker is not None:
            object.__setattr__(self, "mark", marker.certificate(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentRow:
    """One request and its outcome: "issued" or "refused" (then `reason` is the rule)."""

    request_id: str
    at: datetime
    operation: str
    outcome: str
    reason: str
    application_id: int | None
    profile_version_id: int | None
    label: str
    address: str
    serial: int | None
    csr_der: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchItem:
    """What one request commits, in one transaction: all of it or nothing."""

    audit: AuditRow
    enrolment: EnrolmentRow | None = None
    certificate: CertificateRow | None = None
    order: OrderOutcome | None = None
    """Refused by the database, and the item with it, when that order has an outcome."""


class IssuanceWriter(Protocol):
    """The unit of work of the issuance path: many items, one commit.

    The future resolves to None only after the commit; else it raises `DatabaseDown`, and nothing of the item is
    stored. `submit` never blocks; past its bound it raises `Unavailable`.
    """

    def submit(self, item: BatchItem) -> Future[None]: ...


class CertificateReader(Protocol):
    """Lookups on the issuance path. Blocking; called from a reader thread. `DatabaseDown` when they cannot be had."""

    def by_serial(self, authority_id: int, serial: int) -> CertificateRow | None: ...

    def newest_valid(
        self, application_id: int, subject_key: str, alternative_names: str, now: datetime
    ) -> CertificateRow | None:
        """The newest unrevoked, unexpired certificate of the application with exactly these names."""
        ...

    def by_key_hash(self, key_hash: str) -> tuple[CertificateRow, ...]: ...
