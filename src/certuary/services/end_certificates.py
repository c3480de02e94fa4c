"""Take away what speaks for an application: its application certificates, and those on order."""

from __future__ import annotations

from typing import Final

from certuary.core.values import serial_to_text
from certuary.errors import InvalidMark, OrderRefused
from certuary.services.change_deps import ChangeDeps
from certuary.services.change_events import audit_row, told
from certuary.services.entitlement import Actor
from certuary.services.ports import OrderOutcome, Record, RecordTransaction
from certuary.services.revoke import Revocation, revoke_within

_WITHDRAWN: Final = "the application was rotated, disabled or removed before a worker fulfilled it"


def end_application_certificates(
    transaction: RecordTransaction, application: Record, reason: str, actor: Actor, deps: ChangeDeps
) -> tuple[str, ...]:
    """Within the transaction that changes the application.

    A row that was altered is no reason to leave the others: sentences about those that could not be revoked.
    """
    assert isinstance(application.id, int)
    # First: an order that a worker is about to fulfil is waited for, and its certificate is then there.
    for order_id in transaction.undecided_orders(application.id):
        withdraw_order(transaction, order_id, OrderRefused.rule, _WITHDRAWN, actor, deps)
    failed = []
    for authority_id, serial in transaction.application_certificates(application.id, deps.clock.now()):
        revocation = revocation_by(actor, deps, authority_id, serial, reason)
        try:
            revoke_within(transaction, revocation, deps.clock, deps.marker())
        except InvalidMark as problem:
            failed.append(problem.detail)
            target = f"certificate:{serial_to_text(serial)}"
            detail = {"text": problem.detail}
            transaction.add_audit(audit_row("certificate.not-revoked", actor, target, detail, deps))
    return tuple(failed)


def withdraw_order(
    transaction: RecordTransaction, order_id: str, rule: str, text: str, actor: Actor, deps: ChangeDeps
) -> bool:
    """Decide that there will be no certificate. False when a worker was quicker."""
    outcome = OrderOutcome(order_id=order_id, at=deps.clock.now(), reason=rule, detail=text)
    if not transaction.decide_order(outcome):
        return False
    detail = {"rule": rule, "text": text}
    transaction.add_audit(audit_row("certificate.order-withdrawn", actor, f"order:{order_id}", detail, deps))
    return True


def revocation_by(actor: Actor, deps: ChangeDeps, authority_id: int, serial: int, reason: str) -> Revocation:
    return Revocation(
        authority_id=authority_id,
        serial=serial,
        reason=reason,
        actor_kind=actor.kind,
        actor=actor.name,
        request_id=deps.request_id,
        address=deps.address,
        approval=told(deps.approval),
    )
