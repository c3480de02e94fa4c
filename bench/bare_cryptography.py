"""The floor of an enrolment: verify the CSR, build and sign the certificate, wrap it in PKCS#7, in a loop.

Written against `cryptography` alone: nothing of ours can slow the floor down and make a ratio look good. The
extensions are those of the shipped profile `tls-device`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from bench.material import Prepared
from bench.servers import Cores


def bare_microseconds(prepared: Sequence[Prepared], cores: Cores) -> float:
    """CPU per enrolment, on the worker's core."""
    os.sched_setaffinity(0, {cores.worker})
    try:
        issuer = _Issuer()
        issuer.issue(prepared[0].csr_der)
        return _pass(prepared, issuer) / len(prepared) * 1e6
    finally:
        os.sched_setaffinity(0, {cores.rest})


def _pass(prepared: Sequence[Prepared], issuer: _Issuer) -> float:
    began = time.process_time()
    for one in prepared:
        issuer.issue(one.csr_der)
    return time.process_time() - began


class _Issuer:
    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name(
            [
                x509.NameAttribute(NameOID.COMMON_NAME, "Bench Issuing CA"),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Bench"),
            ]
        )
        self._not_before = datetime.now(UTC).replace(microsecond=0)
        self._not_after = self._not_before + timedelta(days=90)
        self._fixed = _fixed_extensions(self._key.public_key())

    def issue(self, csr_der: bytes) -> bytes:
        csr = x509.load_der_x509_csr(csr_der)
        if not csr.is_signature_valid:
            raise SystemExit("a CSR of our own does not verify")
        key = csr.public_key()
        own = x509.SubjectKeyIdentifier.from_public_key(key)
        certificate = x509.CertificateBuilder(
            issuer_name=self._name,
            subject_name=csr.subject,
            public_key=key,
            serial_number=int.from_bytes(os.urandom(16)) >> 1,
            not_valid_before=self._not_before,
            not_valid_after=self._not_after,
            extensions=[*self._fixed, x509.Extension(own.oid, False, own)],
        ).sign(self._key, hashes.SHA256())
        return pkcs7.serialize_certificates([certificate], Encoding.DER)


def _fixed_extensions(issuer_key: ec.EllipticCurvePublicKey) -> list[x509.Extension[x509.ExtensionType]]:
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    crl = x509.DistributionPoint(
        [x509.UniformResourceIdentifier("http://localhost:8080/crl/issuing.crl")], None, None, None
    )
    issuer_certificate = x509.AccessDescription(
        AuthorityInformationAccessOID.CA_ISSUERS,
        x509.UniformResourceIdentifier("http://localhost:8080/ca/issuing.crt"),
    )
    values: list[tuple[bool, x509.ExtensionType]] = [
        (True, x509.BasicConstraints(ca=False, path_length=None)),
        (True, usage),
        (False, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])),
        (False, x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key)),
        (False, x509.CRLDistributionPoints([crl])),
        (False, x509.AuthorityInformationAccess([issuer_certificate])),
    ]
    return [x509.Extension(value.oid, critical, value) for critical, value in values]
