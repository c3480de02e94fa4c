"""Revoke a certificate: RFC 5280 section 5.3.1 names the reasons. The next CRL carries it, within seconds.

Two reasons are not taken. `certificateHold` could only be lifted by `removeFromCRL`, which belongs to
delta CRLs, and we publish full ones: a hold that nobody can lift is a revocation with a misleading name.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from certuary.core import crl
from certuary.core.mark import Marker
from certuary.core.values import serial_to_text
from certuary.errors import InvalidMark, InvalidValue
from certuary.services.ports import AuditRow, CertificateRow, Clock, RecordStore, RecordTransaction

UNSPECIFIED = "unspecified"

REASONS = tuple(reason for reason in crl.REASONS if reason != "certificateHold")


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """What is revoked, why, and at whose word. Valid by existing: `reason` is one of `REASONS`. `approval` is what the
    event says of the first of two persons."""

    authority_id: int
    serial: int
    reason: str
    actor_kind: str
    actor: str
    request_id: str = ""
    address: str = ""
    approval: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.reason not in REASONS:
            raise InvalidValue(f"{self.reason!r} is not a reason to revoke", rule="revocation-reason")


def parse_reason(text: str) -> str:
    """Read a reason as people type it: any case, dashes or none. `InvalidValue` names the nearest."""
    folded = {_fold(reason): reason for reason in REASONS}
    typed = _fold(text)
    if typed in folded:
        return folded[typed]
    nearest = folded[difflib.get_close_matches(typed, folded, n=1, cutoff=0.0)[0]]
    raise InvalidValue(
        f"{text!r} is not a reason to revoke; did you mean {nearest!r}? Known: {', '.join(REASONS)}",
        rule="revocation-reason",
    )


def revoke(revocation: Revocation, records: RecordStore, clock: Clock, marker: Marker) -> CertificateRow:
    """Revoke in a transaction of its own. `NotFound`, `AlreadyRevoked`, `InvalidMark`, `DatabaseDown`."""
    with records.transaction() as transaction:
        return revoke_within(transaction, revocation, clock, marker)


def revoke_within(
    transaction: RecordTransaction, revocation: Revocation, clock: Clock, marker: Marker
) -> CertificateRow:
    """Revoke and write the audit event in the caller's transaction."""
    now = clock.now()
    try:
        revoked = transaction.revoke_certificate(
            revocation.authority_id, revocation.serial, at=now, reason=revocation.reason, marker=marker
        )
    except InvalidMark as problem:
        # A fresh mark would vouch for what was altered.
        raise InvalidMark(
            f"{problem.detail}; put its row back as a backup has it, then revoke"
            " (certuary seal verify names every such row)"
        ) from None
    detail = {
        "subject": revoked.subject,
        "reason": revocation.reason,
        "authority_id": revocation.authority_id,
        **revocation.approval,
    }
    transaction.add_audit(
        AuditRow(
            at=now,
            kind="certificate.revoked",
            actor_kind=revocation.actor_kind,
            actor=revocation.actor,
            target=serial_to_text(revocation.serial),
            request_id=revocation.request_id,
            address=revocation.address,
            detail=json.dumps(detail, sort_keys=True),
        )
    )
    return revoked


def _fold(text: str) -> str:
    return "".join(character for character in text.lower() if character.isalpha())
