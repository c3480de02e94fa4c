"""RFC 5280 sections 4.1.2.6 and 4.2.1.6: a certificate names someone.

The subject alternative name is there exactly when there are names for it, it is never empty, and it is
critical exactly when the subject is empty.
"""

from __future__ import annotations

from cryptography import x509

from certuary.core.certificate import CertificatePlan
from certuary.core.lints.finding import ByType

RULE = "subject-alternative-name"
CLAUSE = "RFC 5280 section 4.2.1.6"


def check(plan: CertificatePlan, extensions: ByType) -> str:
    empty_subject = not plan.subject.rdns
    found = extensions.get(x509.SubjectAlternativeName)
    if found is None:
        if plan.alternative_names:
            return "the planned alternative names are missing from the extensions"
        return "neither a subject nor an alternative name" if empty_subject else ""
    if not plan.alternative_names:
        return "the extension is there without a planned name"
    if found.critical is not empty_subject:
        return "it is critical exactly when the subject is empty"
    return ""
