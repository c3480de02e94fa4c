"""RFC 5280 sections 4.1.2.5 and 6.1.3: a certificate ends after it begins, and no later than its issuer.

A certificate that outlives its issuer fails path validation before its own date says so.
"""

from __future__ import annotations

from certuary.core.certificate import CertificatePlan
from certuary.core.lints.finding import ByType

RULE = "validity"
CLAUSE = "RFC 5280 section 4.1.2.5"


def check(plan: CertificatePlan, extensions: ByType) -> str:
    if plan.not_after <= plan.not_before or plan.not_after <= plan.planned_at:
        return "notAfter is not later than notBefore and now"
    if plan.not_after > plan.issuer_not_after:
        return "notAfter is later than the issuer's"
    # DER times have no fractions of a second (RFC 5280 section 4.1.2.5.1): they would be cut off silently.
    if plan.not_before.microsecond or plan.not_after.microsecond:
        return "a time has fractions of a second"
    return ""
