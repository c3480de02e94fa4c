"""Certificates that the reader may see: found by what people know of them, one by its serial number."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from django.http import HttpRequest

from certuary.core.names import subject_search_key
from certuary.core.values import serial_from_text
from certuary.errors import InvalidMark, InvalidValue, NotFound
from certuary.portal.deps import deps_of
from certuary.portal.scope import Scope
from certuary.services.authorities import certificate_der
from certuary.services.ports import CertificateRow, Record
from certuary.services.verify_marks import check_certificate_der
from certuary.store.certificate_pages import (
    CertificateSearch,
    SearchPage,
    Status,
    find_by_fingerprint,
    find_serial,
    search_certificates,
)
from certuary.store.database import read
from certuary.store.models import Application, ProfileVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """As people give them; "" and None ask for nothing. A fingerprint, of certificate or key, is asked for alone."""

    subject: str = ""
    alternative_name: str = ""
    serial: str = ""
    fingerprint: str = ""
    application: str = ""
    profile: str = ""
    status: Status = ""
    expiring_from: datetime | None = None
    expiring_before: datetime | None = None


def find_certificates(
    scope: Scope,
    asked: Criteria,
    now: datetime,
    *,
    after: int | None = None,
    before: int | None = None,
    limit: int = 50,
) -> SearchPage:
    application_ids = _applications_asked(scope, asked.application)
    if asked.fingerprint:
        return find_by_fingerprint(_fingerprint(asked.fingerprint), application_ids, after=after)
    wanted = CertificateSearch(
        now=now,
        application_ids=application_ids,
        profile_version_ids=_versions_asked(asked.profile),
        serial=serial_from_text(asked.serial) if asked.serial else None,
        subject_prefix=subject_search_key(asked.subject) if asked.subject else "",
        alternative_name=asked.alternative_name,
        status=asked.status,
        expiring_from=asked.expiring_from,
        expiring_before=asked.expiring_before,
    )
    return search_certificates(wanted, after=after, before=before, limit=limit)


def find_certificate(scope: Scope, serial: str) -> CertificateRow:
    """`NotFound` alike for somebody else's, for what is not there, and for what is no serial number."""
    try:
        found = find_serial(serial_from_text(serial), scope.application_ids())
    except InvalidValue:
        found = ()
    if len(found) != 1:
        raise NotFound(f"there is no certificate {serial[:64]}")
    return found[0]


def mark_problem(request: HttpRequest, row: CertificateRow, authority: Record | None) -> str:
    """Why the row is not to be believed; "" when it is."""
    try:
        deps_of(request).marker.check_certificate(row)
        issuer = None if authority is None else x509.load_der_x509_certificate(certificate_der(authority))
        check_certificate_der(row, issuer)
    except InvalidMark as problem:
        return problem.detail
    except ValueError:
        return "its authority's certificate cannot be read"
    return ""


def _applications_asked(scope: Scope, name: str) -> tuple[int, ...] | None:
    """Also those that were removed and had the name. Empty when there is none that the user may see."""
    if not name:
        return scope.application_ids()
    rows = Application.objects.filter(name=name)
    if scope.group_ids is not None:
        rows = rows.filter(group_id__in=scope.group_ids)
    return read(lambda: tuple(rows.values_list("id", flat=True)))


def _versions_asked(name: str) -> tuple[int, ...] | None:
    if not name:
        return None
    rows = ProfileVersion.objects.filter(profile__name=name).values_list("id", flat=True)
    return read(lambda: tuple(rows))


def _fingerprint(text: str) -> str:
    digits = text.lower().replace(":", "").replace(" ", "").removeprefix("sha256")
    if len(digits) != 64 or any(digit not in "0123456789abcdef" for digit in digits):
        raise InvalidValue("a SHA-256 fingerprint has 64 hex digits", rule="fingerprint")
    return digits
