"""RFC 5280 sections 4.2.1.1 and 4.2.1.2: both key identifiers are there, neither is critical."""

from __future__ import annotations

from typing import cast

from cryptography import x509

from certuary.core.certificate import CertificatePlan
from certuary.core.lints.finding import ByType

RULE = "key-identifiers"
CLAUSE = "RFC 5280 section 4.2.1.1"


def check(plan: CertificatePlan, extensions: ByType) -> str:
    issuer = extensions.get(x509.AuthorityKeyIdentifier)
    subject = extensions.get(x509.SubjectKeyIdentifier)
    if issuer is None or subject is None:
        return "one is missing"
    if issuer.critical or subject.critical:
        return "one is critical"
    if not cast(x509.AuthorityKeyIdentifier, issuer.value).key_identifier:
        return "the authority key identifier names no key"
    return ""
