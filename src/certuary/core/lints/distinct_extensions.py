"""RFC 5280 section 4.2: each extension is there at most once; we sign none that we do not understand."""

from __future__ import annotations

from cryptography import x509

from certuary.core.certificate import CertificatePlan
from certuary.core.lints.finding import ByType

RULE = "distinct-extensions"
CLAUSE = "RFC 5280 section 4.2"


def check(plan: CertificatePlan, extensions: ByType) -> str:
    # Extensions that cryptography does not know share one class: either way the counts differ or the class
    # is here.
    if len(extensions) != len(plan.extensions):
        return "an extension is there twice"
    if x509.UnrecognizedExtension in extensions:
        return "an extension that we do not understand"
    return ""
