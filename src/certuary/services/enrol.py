"""Enrol and re-enrol: from a request's DER to a signed certificate and what is to be committed with it.

RFC 7030 sections 4.2.1 and 4.2.2; which certificate is renewed: docs/est-divergences.md. The order of the checks is
the order of the refusals: bad input (400) before authorisation and profile (403). Nothing here waits; where
`needs_database` says so, it reads, and runs on the reader's thread.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from certuary.core.blocklist import Blocklist
from certuary.core.certificate import CertificatePlan, sign_plan
from certuary.core.csr import Csr, parse_csr, verify_proof_of_possession
from certuary.core.enrolment_step import Step
from certuary.core.est import Operation
from certuary.core.keypolicy import check_key
from certuary.core.linking import check_linking
from certuary.core.lints import lint_plan
from certuary.core.mark import Marker
from certuary.core.names import (
    alternative_names_text,
    same_names,
    subject_key,
    subject_text,
)
from certuary.core.profile import NamesAndKey, plan_certificate
from certuary.core.transfer import decode_body
from certuary.core.values import serial_to_text
from certuary.errors import (
    CertuaryError,
    InvalidMark,
    KeyReused,
    MalformedBody,
    MalformedCsr,
    NothingToRenew,
    ProfileRefused,
    SubjectChanged,
)
from certuary.services.authenticate import Caller
from certuary.services.authorise import check_grant, check_names
from certuary.services.certificate_directory import IsListed
from certuary.services.keys_in_flight import KeysInFlight
from certuary.services.ports import (
    APPLICATION_SOURCE,
    EST_SOURCE,
    AuditRow,
    BatchItem,
    CertificateReader,
    CertificateRow,
    EnrolmentRow,
)
from certuary.services.snapshot import ActiveProfile, Application, Snapshot

# `json.dumps` with separators would make an encoder for each call.
_encode_json = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolRequest:
    """`body` is as it was sent, `serial` for the certificate that comes of it. `tls_unique` is a function: most
    requests do not ask for it."""

    operation: Operation
    label: str | None
    body: bytes
    request_id: str
    address: str
    now: datetime
    serial: int
    tls_unique: Callable[[], bytes | None]
    ignored_headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolDeps:
    reader: CertificateReader
    blocklist: Callable[[], Blocklist]
    keys_in_flight: KeysInFlight
    marker: Marker
    is_listed: IsListed


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A certificate that exists only once `item` is committed."""

    certificate_der: bytes
    item: BatchItem


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    subject: x509.Name
    alternative_names: tuple[x509.GeneralName, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedEnrolment:
    """A request that passed every rule. `replaces` is the serial of the certificate that is renewed."""

    csr: Csr
    plan: CertificatePlan
    replaces: str | None


def _unwatched(step: Step) -> None:
    """Nobody looks on."""


def needs_database(operation: Operation, caller: Caller, profile: ActiveProfile) -> bool:
    """Whether `enrol` will read: to find what a password renews, or who has used a key."""
    renews_by_search = operation is Operation.SIMPLEREENROLL and not caller.has_own_names
    return renews_by_search or profile.profile.key_reuse != "allow"


def plan_enrolment(
    request: EnrolRequest,
    caller: Caller,
    snapshot: Snapshot,
    profile: ActiveProfile,
    deps: EnrolDeps,
    reached: Callable[[Step], None] = _unwatched,
) -> PlannedEnrolment:
    """Every rule that a request must pass, and the certificate that it would get. `reached` is told of each step
    before it is taken: of a refusal, the last one told is where it stopped."""
    reached(Step.BODY)
    csr_der = decode_body(request.body)
    csr = examine_csr(csr_der, deps, reached)
    reached(Step.LINKING)
    if csr.challenge_password is not None and not caller.is_ra:
        # RFC 7030 section 3.5 (S-16): a value that is there is verified; an RA's is its client's (S-21).
        check_linking(csr.challenge_password, tls_unique=request.tls_unique())

    reached(Step.GRANT)
    check_grant(caller, snapshot, request.label, profile)
    reached(Step.NAMES)
    names, replaces = _names(request, csr, caller, deps)
    reached(Step.KEY_REUSE)
    _check_key_reuse(request, csr, names, caller, profile, deps)

    reached(Step.PROFILE)
    plan = plan_names(names, csr, profile, serial=request.serial, now=request.now)
    reached(Step.SUBJECT_RULE)
    # The planned names: what the profile adds to a request's subject must fit the application's rule as well.
    check_names(caller, plan.subject, plan.alternative_names, fixed=profile.profile.subject.fixed.values())
    reached(Step.LINT)
    refuse_findings(plan)
    return PlannedEnrolment(csr=csr, plan=plan, replaces=replaces)


def examine_csr(csr_der: bytes, deps: EnrolDeps, reached: Callable[[Step], None] = _unwatched) -> Csr:
    """Read a request and look at its key: what holds for every request, whoever sends it."""
    reached(Step.PKCS10)
    csr = parse_csr(csr_der)
    reached(Step.KEY)
    check_key(csr.public_key, csr.spki_der, deps.blocklist())
    reached(Step.POSSESSION)
    verify_proof_of_possession(csr)
    return csr


def plan_names(
    names: Names, csr: Csr, profile: ActiveProfile, *, serial: int, now: datetime
) -> CertificatePlan:
    return plan_certificate(
        NamesAndKey(
            subject=names.subject,
            alternative_names=names.alternative_names,
            public_key=csr.public_key,
            spki_der=csr.spki_der,
            extensions=csr.extensions,
        ),
        profile.compiled,
        serial=serial,
        now=now,
    )


def refuse_findings(plan: CertificatePlan) -> None:
    findings = lint_plan(plan)
    if findings:
        raise ProfileRefused(str(findings[0]), rule="lint")


def sign_certificate(
    planned: PlannedEnrolment,
    profile: ActiveProfile,
    application: Application,
    *,
    source: str,
    now: datetime,
    marker: Marker,
) -> CertificateRow:
    """The certificate as the row that is to be committed before anybody gets it."""
    plan = planned.plan
    assert profile.authority.signer is not None  # a profile without one was refused
    issued = sign_plan(plan, profile.authority.signer)
    return CertificateRow(
        authority_id=profile.authority.id,
        serial=plan.serial,
        profile_version_id=profile.version_id,
        application_id=application.id,
        subject=subject_text(plan.subject),
        subject_key=subject_key(plan.subject),
        alternative_names=alternative_names_text(plan.alternative_names),
        key_hash=planned.csr.key_hash,
        not_before=plan.not_before,
        not_after=plan.not_after,
        der=issued.der,
        source=source,
        replaces=planned.replaces,
        issued_at=now,
        marker=marker,
    )


def enrol(
    request: EnrolRequest, caller: Caller, snapshot: Snapshot, profile: ActiveProfile, deps: EnrolDeps
) -> Issued:
    planned = plan_enrolment(request, caller, snapshot, profile, deps)
    certificate = sign_certificate(
        planned, profile, caller.application, source=EST_SOURCE, now=request.now, marker=deps.marker
    )
    item = _issued_item(request, planned.csr, caller, profile, certificate)
    return Issued(certificate_der=certificate.der, item=item)


def refusal_item(
    request: EnrolRequest, caller: Caller, profile: ActiveProfile, refusal: CertuaryError
) -> BatchItem:
    """What a refused enrolment of an authenticated application commits."""
    detail: dict[str, object] = {
        "rule": refusal.rule,
        "text": refusal.detail,
        "profile": profile.profile.name,
        "label": request.label,
    }
    return BatchItem(
        audit=_audit(request, caller, "enrolment.refused", "", detail),
        enrolment=_enrolment(
            request,
            caller,
            profile,
            outcome="refused",
            reason=refusal.rule,
            serial=None,
            csr_der=_der_of(request.body),
        ),
    )


def _der_of(body: bytes) -> bytes | None:
    try:
        return decode_body(body)
    except MalformedBody:
        return None


def _names(request: EnrolRequest, csr: Csr, caller: Caller, deps: EnrolDeps) -> tuple[Names, str | None]:
    """The names to certify, and the serial of the certificate that is renewed."""
    asked = Names(subject=csr.subject, alternative_names=csr.alternative_names)
    change = csr.change_subject_name
    if request.operation is not Operation.SIMPLEREENROLL:
        if change is not None:
            raise MalformedCsr("ChangeSubjectName belongs to simplereenroll", rule="change-subject-name")
        return asked, None

    replaces = _find_renewed(csr, caller, request.now, deps)
    if change is None:
        return asked, replaces
    # RFC 6402 section 2.8 (S-32): what is absent from ChangeSubjectName is absent from the new certificate.
    changed = Names(subject=change.subject or x509.Name([]), alternative_names=change.alternative_names or ())
    return changed, replaces


def _find_renewed(csr: Csr, caller: Caller, now: datetime, deps: EnrolDeps) -> str:
    """RFC 7030 section 4.2.2 (S-30): the CSR names what the renewed certificate names."""
    if caller.has_own_names:
        own = caller.certificate
        assert own is not None
        if not same_names(csr.subject, csr.alternative_names, own.subject, own.alternative_names):
            raise SubjectChanged(
                "the request's subject and alternative names must be those of the client certificate being renewed"
            )
        return serial_to_text(own.serial)
    found = deps.reader.newest_valid(
        caller.application.id, subject_key(csr.subject), alternative_names_text(csr.alternative_names), now
    )
    if found is None:
        raise NothingToRenew(
            "the application holds no valid certificate with exactly this subject and these alternative names;"
            " use simpleenroll for a new one"
        )
    if found.source == APPLICATION_SOURCE:
        raise NothingToRenew(
            "an application certificate is not renewed over EST; ask the administrator for another one"
        )
    if not _is_believed(found, deps) or deps.is_listed(found.authority_id, found.serial):
        raise NothingToRenew(
            f"the record of certificate {serial_to_text(found.serial)}, which this would renew, was altered;"
            " ask the administrator"
        )
    return serial_to_text(found.serial)


def _check_key_reuse(
    request: EnrolRequest, csr: Csr, names: Names, caller: Caller, profile: ActiveProfile, deps: EnrolDeps
) -> None:
    policy = profile.profile.key_reuse
    if policy == "allow":
        return
    deps.keys_in_flight.claim(csr.key_hash, request.request_id)
    rows = deps.reader.by_key_hash(csr.key_hash)
    if not rows:  # as of nearly every request
        return
    own = (
        caller.application.id,
        subject_key(names.subject),
        alternative_names_text(names.alternative_names),
    )
    for row in rows:
        if policy == "refuse":
            raise KeyReused("this key has been certified before; make a new one", rule="key-reused")
        if not _is_believed(row, deps):
            raise KeyReused(
                "this key has been certified before, in a record that was altered since; make a new one",
                rule="key-reused",
            )
        if (row.application_id, row.subject_key, row.alternative_names) != own:
            raise KeyReused(
                "this key has been certified under another name; make a new one", rule="key-reused"
            )


def _is_believed(row: CertificateRow, deps: EnrolDeps) -> bool:
    try:
        deps.marker.check_certificate(row)
    except InvalidMark:
        return False
    return True


def _issued_item(
    request: EnrolRequest, csr: Csr, caller: Caller, profile: ActiveProfile, certificate: CertificateRow
) -> BatchItem:
    detail: dict[str, object] = {
        "subject": certificate.subject,
        "profile": profile.profile.name,
        "version": profile.version,
        "label": request.label,
        "replaces": certificate.replaces,
    }
    serial = serial_to_text(certificate.serial)
    return BatchItem(
        audit=_audit(request, caller, "enrolment.issued", f"certificate:{serial}", detail),
        enrolment=_enrolment(
            request, caller, profile, outcome="issued", reason="", serial=certificate.serial, csr_der=csr.der
        ),
        certificate=certificate,
    )


def _enrolment(
    request: EnrolRequest,
    caller: Caller,
    profile: ActiveProfile,
    *,
    outcome: str,
    reason: str,
    serial: int | None,
    csr_der: bytes | None,
) -> EnrolmentRow:
    return EnrolmentRow(
        request_id=request.request_id,
        at=request.now,
        operation=request.operation.value,
        outcome=outcome,
        reason=reason,
        application_id=caller.application.id,
        profile_version_id=profile.version_id,
        label=request.label or "",
        address=request.address,
        serial=serial,
        csr_der=csr_der,
    )


def _audit(
    request: EnrolRequest, caller: Caller, kind: str, target: str, detail: dict[str, object]
) -> AuditRow:
    if request.ignored_headers:
        detail["ignored_headers"] = request.ignored_headers
    if caller.certificate is not None:
        detail["client_certificate"] = serial_to_text(caller.certificate.serial)
    return AuditRow(
        at=request.now,
        kind=kind,
        actor_kind="application",
        actor=caller.application.name,
        target=target,
        request_id=request.request_id,
        address=request.address,
        detail=_encode_json(detail),
    )
