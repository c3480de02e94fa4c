"""The operator CA: it certifies the keys that users sign with, and nothing else. RFC 5280 section 4.

No device ever meets it: EST and TLS trust other roots. A certificate here says which user a key belongs to.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from certuary.core.certificate import SigningKey, certificate_from_der
from certuary.errors import InvalidSeal, MalformedCertificate

# What a certificate says is believed at the time of a seal, which the server attests; so nothing here runs out
# within an installation's life.
_LIFETIME: Final = timedelta(days=40 * 365)
_BACKDATE: Final = timedelta(minutes=5)


def build_operator_certificate(
    key: SigningKey, *, instance: str, serial: int, now: datetime
) -> x509.Certificate:
    """The self-signed certificate; `instance` keeps those of two installations apart."""
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, "Certuary Operator CA"),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, instance),
        ]
    )
    builder = _builder(name, name, key.public_key(), serial, now)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return builder.add_extension(_usage(signs_certificates=True), critical=True).sign(key, hashes.SHA256())


def certify_user(
    public_key: ec.EllipticCurvePublicKey,
    *,
    user: str,
    issuer: x509.Certificate,
    issuer_key: SigningKey,
    serial: int,
    now: datetime,
) -> bytes:
    """A user's signing certificate, DER."""
    assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, user)])
    builder = _builder(name, issuer.subject, public_key, serial, now)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(Encoding.DER)


def user_key(certificate_der: bytes, *, user: str, issuer: x509.Certificate) -> ec.EllipticCurvePublicKey:
    """The key that a certificate of the operator CA says is the user's. `InvalidSeal` for any other."""
    try:
        certificate = certificate_from_der(certificate_der)
        certificate.verify_directly_issued_by(issuer)
        names = [attribute.value for attribute in certificate.subject]
        key = certificate.public_key()
    except (MalformedCertificate, ValueError, TypeError, InvalidSignature):
        raise InvalidSeal("the signer's certificate is not one of the operator CA") from None
    if names != [user] or not isinstance(key, ec.EllipticCurvePublicKey):
        raise InvalidSeal(f"the signer's certificate is not that of {user!r}")
    return key


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, serial: int, now: datetime
) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(
        subject_name=subject,
        issuer_name=issuer,
        public_key=key,
        serial_number=serial,
        not_valid_before=now - _BACKDATE,
        not_valid_after=now + _LIFETIME,
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
