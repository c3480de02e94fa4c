"""RFC 5280 section 4.2.1.3: the key usage is there, says something, and says only what such a key can do.

RFC 3279 section 2.3.1 (RSA), RFC 5480 section 3 (EC), RFC 8410 section 5 (Ed25519). Without the extension a
certificate would be good for every use.
"""

from __future__ import annotations

from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from certuary.core.certificate import CertificatePlan
from certuary.core.lints.finding import ByType

RULE = "key-usage"
CLAUSE = "RFC 5280 section 4.2.1.3"


def check(plan: CertificatePlan, extensions: ByType) -> str:
    found = extensions.get(x509.KeyUsage)
    if found is None:
        return "there is none"
    bits = cast(x509.KeyUsage, found.value)
    enciphers = bits.key_encipherment or bits.data_encipherment
    if not (bits.digital_signature or bits.content_commitment or enciphers or bits.key_agreement):
        return "it allows nothing"
    if enciphers and not isinstance(plan.public_key, rsa.RSAPublicKey):
        return "only an RSA key can encipher"
    if bits.key_agreement and not isinstance(plan.public_key, EllipticCurvePublicKey):
        return "only an EC key can agree on keys"
    return ""
