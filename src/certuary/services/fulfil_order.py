"""Fulfil a certificate order: whoever holds the issuing keys does what a user signed in the portal.

The row alone is worth nothing: signature, counter-signature, time and the signer's present right are verified here, as
is everything that an enrolment over EST meets but the grants of profiles: the user who signs names the profile.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from cryptography.x509.oid import ExtendedKeyUsageOID

from certuary.core import seal as seals
from certuary.core.certificate_order import CertificateOrder
from certuary.core.operator_ca import user_key
from certuary.core.seal import Seal
from certuary.core.values import serial_to_text
from certuary.errors import CertuaryError, InvalidValue, KeyReused, NotPermitted, OrderRefused, Unavailable
from certuary.services.authenticate import why_not_anywhere
from certuary.services.authorise import check_subject_rule
from certuary.services.believed_records import BelievedRecords
from certuary.services.enrol import (
    EnrolDeps,
    Names,
    PlannedEnrolment,
    examine_csr,
    plan_names,
    refuse_findings,
    sign_certificate,
)
from certuary.services.entitlement import Actor, actor_of, check_may_change
from certuary.services.high_water import HighWater
from certuary.services.ports import (
    APPLICATION_SOURCE,
    ORDER_OPERATION,
    AuditRow,
    BatchItem,
    CertificateRow,
    EnrolmentRow,
    OrderOutcome,
    RecordStore,
    SignedOrder,
    UnreadableOrder,
)
from certuary.services.record_gate import RecordGate
from certuary.services.signing_key import certificate_of
from certuary.services.snapshot import ActiveProfile, Application, Snapshot
from certuary.services.trust import Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class FulfilDeps:
    """`records` are all of them; who signed is looked up there and believed only through the gate."""

    trust: Trust
    records: RecordStore
    high_water: HighWater
    enrol: EnrolDeps


def fulfil_order(
    signed: SignedOrder, snapshot: Snapshot, *, now: datetime, serial: int, deps: FulfilDeps
) -> BatchItem:
    """What is to be committed: the certificate, or why there is none. It is decided with that commit, and once.

    Reads the database. `Unavailable` when it may be tried again while the order lasts.
    """
    order, signer = signed.order, None
    try:
        signer = check_order(signed, deps)
        _check_time(order, now)
        application, profile = _wanted(order, signer, snapshot)
    except Unavailable:
        raise
    except CertuaryError as refusal:
        return _refusal(order, signer, None, refusal, now)
    try:
        planned = plan_order(order.csr_der, application, profile, now=now, serial=serial, deps=deps.enrol)
    except Unavailable:
        raise
    except CertuaryError as refusal:
        return _refusal(order, signer, profile, refusal, now)
    certificate = sign_certificate(
        planned, profile, application, source=APPLICATION_SOURCE, now=now, marker=deps.enrol.marker
    )
    return _issue(order, signer, profile, certificate)


def check_order(signed: SignedOrder, deps: FulfilDeps) -> Actor:
    """Who signed it, as the record says now. `InvalidSeal`, `OrderRefused`."""
    order = signed.order
    seal = Seal.from_text(signed.seal)
    try:
        statement = order.statement(deps.trust.instance)
    except InvalidValue:
        raise OrderRefused("it holds a value that cannot be signed") from None
    seals.check_countersignature(seal, statement, deps.trust.manifest_key)
    key = user_key(seal.certificate, user=seal.signer, issuer=deps.trust.operator_certificate)
    seals.check_signature(seal, statement, key)
    gate = RecordGate.open(deps.records, deps.trust, deps.high_water)
    user = BelievedRecords(deps.records, gate).find("user", name=seal.signer)
    if user is None or not user.values["enabled"] or certificate_of(user) != seal.certificate:
        raise OrderRefused(f"{seal.signer!r}, who signed it, is no user who may sign now")
    if gate.is_compromised(seal.certificate):
        raise OrderRefused(f"the key of {seal.signer!r}, who signed it, counts as compromised")
    return actor_of(user)


def plan_order(
    csr_der: bytes,
    application: Application,
    profile: ActiveProfile,
    *,
    now: datetime,
    serial: int,
    deps: EnrolDeps,
) -> PlannedEnrolment:
    """The certificate that a request of the portal's would become, or the rule that it breaks."""
    reason = why_not_anywhere(application, now)
    if reason is not None:
        raise NotPermitted(reason)
    if not is_for_clients(profile):
        raise OrderRefused(
            f"profile {profile.profile.name} does not make certificates that clients sign in with: it lacks clientAuth"
            " or digitalSignature",
            rule="profile-not-for-clients",
        )
    csr = examine_csr(csr_der, deps)
    if deps.reader.by_key_hash(csr.key_hash):
        raise KeyReused("this key has been certified before; an order is fulfilled once")
    names = Names(subject=csr.subject, alternative_names=csr.alternative_names)
    plan = plan_names(names, csr, profile, serial=serial, now=now)
    check_subject_rule(application, plan.subject, plan.alternative_names)
    refuse_findings(plan)
    return PlannedEnrolment(csr=csr, plan=plan, replaces=None)


def is_for_clients(profile: ActiveProfile) -> bool:
    """Whether TLS servers take its certificates for a client's (RFC 5280 section 4.2.1.12)."""
    purposes, usage = profile.profile.purposes, profile.profile.key_usage
    return ExtendedKeyUsageOID.CLIENT_AUTH in purposes and "digital_signature" in usage


def unreadable_item(found: UnreadableOrder, now: datetime) -> BatchItem:
    detail: dict[str, object] = {
        "rule": "order-refused",
        "text": "it holds a value that cannot be read: no order was signed so",
    }
    return BatchItem(audit=_audit("certificate.order-refused", found.name, None, None, detail, now))


def _check_time(order: CertificateOrder, now: datetime) -> None:
    if now >= order.expires_at:
        raise OrderRefused(
            f"it expired at {order.expires_at:%Y-%m-%dT%H:%M:%SZ}, before a worker saw it",
            rule="order-expired",
        )


def _wanted(order: CertificateOrder, signer: Actor, snapshot: Snapshot) -> tuple[Application, ActiveProfile]:
    application = snapshot.applications_by_id.get(order.application_id)
    if application is None:
        raise OrderRefused("its application is not there any more, or its record cannot be believed")
    state: dict[str, object] = {"id": application.id, "group_id": application.group_id}
    check_may_change(signer, "application", before=None, after=state)
    for profile in snapshot.profiles.values():
        if profile.version_id == order.profile_version_id:
            if profile.authority.signer is None:
                raise Unavailable("the key of the profile's authority cannot be opened here")
            return application, profile
    raise OrderRefused("its profile was changed since, or cannot be used", rule="profile-changed")


def _issue(
    order: CertificateOrder, signer: Actor, profile: ActiveProfile, certificate: CertificateRow
) -> BatchItem:
    now = certificate.issued_at
    detail: dict[str, object] = {
        "order": order.id,
        "subject": certificate.subject,
        "application_id": order.application_id,
        "profile": profile.profile.name,
        "version": profile.version,
    }
    serial = certificate.serial
    return BatchItem(
        audit=_audit(
            "certificate.issued", f"certificate:{serial_to_text(serial)}", signer, order, detail, now
        ),
        enrolment=_enrolment(order, profile, now, outcome="issued", serial=serial),
        certificate=certificate,
        order=OrderOutcome(order_id=order.id, at=now, authority_id=certificate.authority_id, serial=serial),
    )


def _refusal(
    order: CertificateOrder,
    signer: Actor | None,
    profile: ActiveProfile | None,
    refusal: CertuaryError,
    now: datetime,
) -> BatchItem:
    """Of an order that nobody signed, not a word is believed: it gets no place among the application's requests."""
    detail: dict[str, object] = {"rule": refusal.rule, "text": refusal.detail}
    if signer is not None:
        detail["application_id"] = order.application_id
    enrolment = None
    if profile is not None:
        enrolment = _enrolment(order, profile, now, outcome="refused", reason=refusal.rule)
    return BatchItem(
        audit=_audit("certificate.order-refused", order.id, signer, order, detail, now),
        enrolment=enrolment,
        order=OrderOutcome(order_id=order.id, at=now, reason=refusal.rule, detail=refusal.detail),
    )


def _enrolment(
    order: CertificateOrder,
    profile: ActiveProfile,
    now: datetime,
    *,
    outcome: str,
    reason: str = "",
    serial: int | None = None,
) -> EnrolmentRow:
    return EnrolmentRow(
        request_id=order.request_id,
        at=now,
        operation=ORDER_OPERATION,
        outcome=outcome,
        reason=reason,
        application_id=order.application_id,
        profile_version_id=profile.version_id,
        label="",
        address=order.address,
        serial=serial,
        csr_der=order.csr_der,
    )


def _audit(
    kind: str,
    target: str,
    signer: Actor | None,
    order: CertificateOrder | None,
    detail: dict[str, object],
    now: datetime,
) -> AuditRow:
    """What an order says of its request is told only when a user has signed it."""
    is_signed = signer is not None and order is not None
    return AuditRow(
        at=now,
        kind=kind,
        actor_kind="stranger" if signer is None else signer.kind,
        actor="" if signer is None else signer.name,
        target=target if ":" in target else f"order:{target}",
        request_id=order.request_id if is_signed and order is not None else "",
        address=order.address if is_signed and order is not None else "",
        detail=json.dumps(detail, separators=(",", ":")),
    )
