"""What the services need from the outside, as small protocols; the promises are in the docstrings."""

from __future__ import annotations

from certuary.services.ports.audit import (
    AuditRow,
    AuditStreamStore,
    CheckpointStore,
    ClosedStream,
    PropertyChangeRow,
    PropertyChangeStore,
    StoredEvent,
)
from certuary.services.ports.counts import CountStore, NewestRows
from certuary.services.ports.issuance import (
    APPLICATION_SOURCE,
    EST_SOURCE,
    BatchItem,
    CertificateReader,
    CertificateRow,
    EnrolmentRow,
    IssuanceWriter,
)
from certuary.services.ports.node import Clock, KeyStore, LeaseStore, NodeRow, NodeStore
from certuary.services.ports.orders import OrderOutcome, OrderStore, SignedOrder, UnreadableOrder
from certuary.services.ports.records import (
    SEALED_KINDS,
    ConfigDelta,
    ConfigFeed,
    ManifestPartRow,
    ManifestRow,
    ManifestSource,
    ProfileVersionRow,
    Record,
    RecordKind,
    RecordStore,
    RecordTransaction,
    Subject,
)
from certuary.services.ports.revocations import (
    CrlRow,
    CrlStore,
    MarkedRows,
    RevocationsSeen,
    RevokedEntry,
    UnreadableRow,
)

__all__ = [
    "APPLICATION_SOURCE",
    "EST_SOURCE",
    "SEALED_KINDS",
    "AuditRow",
    "AuditStreamStore",
    "BatchItem",
    "CertificateReader",
    "CertificateRow",
    "CheckpointStore",
    "Clock",
    "ClosedStream",
    "ConfigDelta",
    "ConfigFeed",
    "CountStore",
    "CrlRow",
    "CrlStore",
    "EnrolmentRow",
    "IssuanceWriter",
    "KeyStore",
    "LeaseStore",
    "ManifestPartRow",
    "ManifestRow",
    "ManifestSource",
    "MarkedRows",
    "NewestRows",
    "NodeRow",
    "NodeStore",
    "OrderOutcome",
    "OrderStore",
    "ProfileVersionRow",
    "PropertyChangeRow",
    "PropertyChangeStore",
    "Record",
    "RecordKind",
    "RecordStore",
    "RecordTransaction",
    "RevocationsSeen",
    "RevokedEntry",
    "SignedOrder",
    "StoredEvent",
    "Subject",
    "UnreadableOrder",
    "UnreadableRow",
]
