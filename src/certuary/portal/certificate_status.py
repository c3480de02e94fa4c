"""What a certificate is worth now, in one word and a colour."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.utils.safestring import SafeString

from certuary.portal.templatetags.portal import state
from certuary.services.ports import CertificateRow

SOON: Final = timedelta(days=30)


def status_word(row: CertificateRow, now: datetime) -> str:
    if row.revoked_at is not None:
        return "revoked"
    return "expired" if row.not_after <= now else "valid"


def status_mark(row: CertificateRow, now: datetime) -> SafeString:
    word = status_word(row, now)
    if word == "revoked":
        return state("broken", f"Revoked: {row.revocation_reason or 'no reason given'}")
    if word == "expired":
        return state("quiet", "Expired")
    if row.not_before > now:
        return state("attention", "Not valid yet")
    is_short = row.not_after - row.not_before <= SOON * 2
    if row.not_after - now < SOON and not is_short:
        return state("attention", "Valid, expires soon")
    return state("good", "Valid")
