"""What is known of a certificate beside its row: the request that made it, and its events.

Neither table has an index of serial numbers, which every enrolment would pay for. Both grow with time, and the row says
when: request and event of an enrolment carry the very moment of its row.
"""

from __future__ import annotations

from datetime import datetime

from certuary.core.values import serial_to_text
from certuary.services.ports import CertificateRow, StoredEvent
from certuary.store.audit import stored_event
from certuary.store.database import read
from certuary.store.enrolments import FoundEnrolment, find_enrolment
from certuary.store.events_by_time import written_at
from certuary.store.models import AuditEvent, Enrolment


def enrolment_of(certificate: CertificateRow) -> FoundEnrolment | None:
    """None where there was no request: the server's own certificates."""
    rows = Enrolment.objects.filter(serial=serial_to_text(certificate.serial))
    found = written_at(rows, certificate.issued_at)
    return find_enrolment(found[0].pk) if found else None


def events_of(certificate: CertificateRow, request_id: str) -> tuple[StoredEvent, ...]:
    """Oldest first: those of its request, and its revocation."""
    events = {}
    if request_id:
        rows = AuditEvent.objects.filter(request_id=request_id).order_by("id")
        events = {row.pk: row for row in read(lambda: list(rows[:100]))}
    for moment in (certificate.issued_at, certificate.revoked_at):
        if moment is not None:
            events |= {row.pk: row for row in _about(certificate, moment)}
    return tuple(stored_event(events[number]) for number in sorted(events))


def _about(certificate: CertificateRow, moment: datetime) -> list[AuditEvent]:
    serial = serial_to_text(certificate.serial)
    rows = AuditEvent.objects.filter(target__in=(serial, f"certificate:{serial}"))
    return written_at(rows, moment)
