"""RFC 5280 sections 4.2.1.13 and 4.2.2.1: pointers are not critical, and lead to what exists.

No OCSP responder runs here, so an OCSP pointer, or a demand to staple its answer (RFC 7633), would make
strict clients refuse the certificate.
"""

from __future__ import annotations

from typing import cast

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from certuary.core.certificate import CertificatePlan
from certuary.core.lints.finding import ByType

RULE = "authority-information"
CLAUSE = "RFC 5280 section 4.2.2.1"


def check(plan: CertificatePlan, extensions: ByType) -> str:
    access = extensions.get(x509.AuthorityInformationAccess)
    points = extensions.get(x509.CRLDistributionPoints)
    if (access is not None and access.critical) or (points is not None and points.critical):
        return "a pointer is critical"
    if x509.TLSFeature in extensions:
        return "it demands a stapled OCSP answer that nobody can give"
    if access is not None:
        for description in cast(x509.AuthorityInformationAccess, access.value):
            if description.access_method == AuthorityInformationAccessOID.OCSP:
                return "it points at an OCSP responder that does not exist"
    return ""
