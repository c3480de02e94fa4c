"""RFC 5280 section 4.1.2.5: the CA vouches for the status from notBefore on, so it is recent.

An hour makes up for the clocks of devices; more would be a claim about a time at which nobody had asked yet.
"""

from __future__ import annotations

from datetime import timedelta

from certuary.core.certificate import CertificatePlan
from certuary.core.lints.finding import ByType

RULE = "backdate"
CLAUSE = "RFC 5280 section 4.1.2.5"
_AT_MOST = timedelta(hours=1)
_NOTHING = timedelta(0)


def check(plan: CertificatePlan, extensions: ByType) -> str:
    if not _NOTHING <= plan.planned_at - plan.not_before <= _AT_MOST:
        return "notBefore is more than an hour back, or in the future"
    return ""
