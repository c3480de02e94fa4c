"""The tables.

Rows that people change (authorities, profiles, labels, groups, applications, users, switches, approvals) carry
`revision`: the value of the one-row table `config_revision` at their last change, so that a reload reads only what is
newer. They are never deleted, only retired (`removed_at`): certificates and audit events point at them.

The tables of the issuance path have no database-side foreign keys: each would cost a lookup per insert, and
the rows they name are never deleted. Their indexes hold what grows with time where that is possible (serial,
expiry, application); only the subject and the key hash land at random places.

Each model declares beside its columns how they are protected from whoever can write to the database.
"""

from __future__ import annotations

from certuary.store.models.audit import AuditCheckpoint, AuditEvent, AuditStream, PropertyChange
from certuary.store.models.counts import CountedApplication, CountingPosition, DailyCount, ExpiryCount
from certuary.store.models.issuance import Certificate, Crl, Enrolment, beginning
from certuary.store.models.node import Lease, Node
from certuary.store.models.orders import CertificateOrder, CertificateOrderOutcome
from certuary.store.models.record import (
    Application,
    Authority,
    ConfigRevision,
    Group,
    Instance,
    Label,
    Profile,
    ProfileVersion,
    Property,
    Record,
    User,
)
from certuary.store.models.seals import Manifest, ManifestPart, RecordProblem
from certuary.store.models.two_persons import Approval, SecuritySwitch

__all__ = [
    "Application",
    "Approval",
    "AuditCheckpoint",
    "AuditEvent",
    "AuditStream",
    "Authority",
    "Certificate",
    "CertificateOrder",
    "CertificateOrderOutcome",
    "ConfigRevision",
    "CountedApplication",
    "CountingPosition",
    "Crl",
    "DailyCount",
    "Enrolment",
    "ExpiryCount",
    "Group",
    "Instance",
    "Label",
    "Lease",
    "Manifest",
    "ManifestPart",
    "Node",
    "Profile",
    "ProfileVersion",
    "Property",
    "PropertyChange",
    "Record",
    "RecordProblem",
    "SecuritySwitch",
    "User",
    "beginning",
]
