"""What the tests of enrolment share: a profile, requests, and certificates in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certuary.core.blocklist import EMPTY, Blocklist
from certuary.core.certificate import CertificatePlan, extension, sign_plan
from certuary.core.est import Operation
from certuary.core.names import (
    alternative_names_text,
    certificate_alternative_names,
    subject_key,
    subject_text,
)
from certuary.core.profile import CompiledProfile
from certuary.core.values import key_hash
from certuary.services.authenticate import Caller
from certuary.services.certificate_directory import CertificateIdentity
from certuary.services.enrol import EnrolDeps, EnrolRequest
from certuary.services.keys_in_flight import KeysInFlight
from certuary.services.ports import CertificateRow
from certuary.services.snapshot import ActiveProfile, Authority, Label
from tests.memory_records import MARKER, nothing_listed
from tests.unit.core.issuing import (
    MINIMAL,
    SERIAL,
    asked,
    compiled,
    issuing,
    planned,
    root,
    signing_key,
    subject,
)
from tests.unit.services.builders import NOW, application

AUTHORITY = Authority(
    id=2,
    name="issuing",
    certificate=issuing(),
    certificate_der=issuing().public_bytes(Encoding.DER),
    chain=(issuing().public_bytes(Encoding.DER), root().public_bytes(Encoding.DER)),
    key_name="issuing",
    signer=signing_key("issuing"),
)
PLANT = Label(name="plant", profile_id=1)


def active(toml_text: str = MINIMAL) -> ActiveProfile:
    profile: CompiledProfile = compiled(toml_text)
    return ActiveProfile(
        id=1, version_id=101, version=3, profile=profile.profile, authority=AUTHORITY, compiled=profile
    )


class MemoryCertificates:
    """`CertificateReader` over a list; the newest is the last."""

    def __init__(self, *rows: CertificateRow) -> None:
        self.rows = list(rows)

    def by_serial(self, authority_id: int, serial: int) -> CertificateRow | None:
        found = [row for row in self.rows if (row.authority_id, row.serial) == (authority_id, serial)]
        return found[0] if found else None

    def newest_valid(
        self, application_id: int, subject_key: str, alternative_names: str, now: datetime
    ) -> CertificateRow | None:
        wanted = (application_id, subject_key, alternative_names)
        found = [
            row
            for row in self.rows
            if (row.application_id, row.subject_key, row.alternative_names) == wanted
            and row.revoked_at is None
            and row.not_before <= now < row.not_after
        ]
        return found[-1] if found else None

    def by_key_hash(self, key_hash: str) -> tuple[CertificateRow, ...]:
        return tuple(row for row in self.rows if row.key_hash == key_hash)


def issued_row(
    common_name: str = "dev-1",
    alternative_names: tuple[x509.GeneralName, ...] = (),
    *,
    spki_der: bytes | None = None,
    as_ra: bool = False,
    **changes: Any,
) -> CertificateRow:
    """A certificate of ours as the database keeps it, with its mark."""
    wanted = asked(subject(("CN", common_name)), alternative_names)
    plan = planned(wanted)
    if as_ra:
        plan = _as_registration_authority(plan)
    certificate = sign_plan(plan, signing_key("issuing")).certificate
    values: dict[str, Any] = {
        "authority_id": AUTHORITY.id,
        "serial": certificate.serial_number,
        "profile_version_id": 101,
        "application_id": 1,
        "subject": subject_text(certificate.subject),
        "subject_key": subject_key(certificate.subject),
        "alternative_names": alternative_names_text(certificate_alternative_names(certificate)),
        "key_hash": key_hash(spki_der or wanted.spki_der),
        "not_before": NOW - timedelta(days=1),
        "not_after": NOW + timedelta(days=60),
        "der": certificate.public_bytes(Encoding.DER),
        "source": "est",
        "replaces": None,
        "issued_at": NOW - timedelta(days=1),
    }
    return CertificateRow(**{**values, "marker": MARKER} | changes)


def _as_registration_authority(plan: CertificatePlan) -> CertificatePlan:
    purposes = x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.3.6.1.5.5.7.3.28")])
    others = [one for one in plan.extensions if not isinstance(one.value, x509.ExtendedKeyUsage)]
    return replace(plan, extensions=(*others, extension(purposes)))


def by_password(certificate: CertificateIdentity | None = None, **changes: Any) -> Caller:
    return Caller(application=application(**changes), certificate=certificate, by_password=True)


def by_certificate(certificate: CertificateIdentity, **changes: Any) -> Caller:
    return Caller(application=application(**changes), certificate=certificate, by_password=False)


def enrol_request(body: bytes, *, again: bool = False, **changes: Any) -> EnrolRequest:
    values: dict[str, Any] = {
        "operation": Operation.SIMPLEREENROLL if again else Operation.SIMPLEENROLL,
        "label": None,
        "body": body,
        "request_id": "request-1",
        "address": "10.0.0.7",
        "now": NOW,
        "serial": SERIAL,
        "tls_unique": lambda: None,
    }
    return EnrolRequest(**values | changes)


def deps(*rows: CertificateRow, blocklist: Blocklist = EMPTY) -> EnrolDeps:
    return EnrolDeps(
        reader=MemoryCertificates(*rows),
        blocklist=lambda: blocklist,
        keys_in_flight=KeysInFlight(),
        is_listed=nothing_listed,
        marker=MARKER,
    )
