"""RFC 5280 section 4.2.1.12: the purposes are there and are real ones.

Without the extension, or with anyExtendedKeyUsage in it, a certificate would be good for every purpose; with
OCSPSigning (RFC 6960 section 4.2.2.2) its holder could answer for this authority.
"""

from __future__ import annotations

from typing import cast

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from certuary.core.certificate import CertificatePlan
from certuary.core.lints.finding import ByType

RULE = "extended-key-usage"
CLAUSE = "RFC 5280 section 4.2.1.12"
_NEVER = (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE, ExtendedKeyUsageOID.OCSP_SIGNING)


def check(plan: CertificatePlan, extensions: ByType) -> str:
    found = extensions.get(x509.ExtendedKeyUsage)
    if found is None:
        return "there is none"
    purposes = cast(x509.ExtendedKeyUsage, found.value)
    if not len(purposes):
        return "it is empty"
    for purpose in _NEVER:
        if purpose in purposes:
            return f"{purpose.dotted_string} is not given to an end entity"
    return ""
