"""RFC 5280 sections 4.2.1.3 and 4.2.1.9: an end entity is no CA, and signs no certificates and no CRLs."""

from __future__ import annotations

from typing import cast

from cryptography import x509

from certuary.core.certificate import CertificatePlan
from certuary.core.lints.finding import ByType

RULE = "not-a-ca"
CLAUSE = "RFC 5280 section 4.2.1.9"


def check(plan: CertificatePlan, extensions: ByType) -> str:
    constraints = extensions.get(x509.BasicConstraints)
    if constraints is not None:
        value = cast(x509.BasicConstraints, constraints.value)
        if value.ca or value.path_length is not None:
            return "the basic constraints are those of a CA"
    usage = extensions.get(x509.KeyUsage)
    if usage is not None:
        bits = cast(x509.KeyUsage, usage.value)
        if bits.key_cert_sign or bits.crl_sign:
            return "the key usage is that of a CA"
    return ""
