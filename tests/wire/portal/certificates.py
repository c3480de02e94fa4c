"""Certificates for these tests, signed by a key of their own: the pages show what the octets say."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from certuary.core.names import alternative_names_text, subject_key, subject_text
from certuary.core.values import key_hash, serial_to_text
from certuary.services.ports import CertificateRow, Record
from certuary.services.register_application import Grants, NewApplication, register_application
from tests.wire.portal.pages import PASSWORD, Portal

KEYS: dict[str, Callable[[], Any]] = {
    "ec-p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ec-p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ec-p521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "rsa-2048": lambda: rsa.generate_private_key(65537, 2048),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
}
_ISSUER = ec.generate_private_key(ec.SECP256R1())
_serials = itertools.count(0x0193_5B2A_0000 << 96)


def add_application(portal: Portal, name: str, group: str) -> Record:
    actor, deps = portal.changes_as()
    new = NewApplication(name=name, username=name, password=PASSWORD, grants=Grants(group=group))
    return register_application(actor, new, portal.deps.passwords, deps).record


def add_certificate(
    portal: Portal,
    application_id: int | None = None,
    *,
    common_name: str = "device-1",
    names: tuple[x509.GeneralName, ...] = (),
    key: str = "ec-p256",
    days: int = 90,
    **changes: Any,
) -> CertificateRow:
    serial = next(_serials)
    now = datetime.now(UTC).replace(microsecond=0)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name, _validate=False)])
    builder = x509.CertificateBuilder(
        issuer_name=x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "of tests")]),
        subject_name=subject,
        public_key=KEYS[key]().public_key(),
        serial_number=serial,
        not_valid_before=now - timedelta(days=100),
        not_valid_after=now + timedelta(days=days),
    ).add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    certificate = builder.sign(_ISSUER, hashes.SHA256())
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    values: dict[str, Any] = {
        "authority_id": 2,
        "serial": serial,
        "profile_version_id": None,
        "application_id": application_id,
        "subject": subject_text(subject),
        "subject_key": subject_key(subject),
        "alternative_names": alternative_names_text(names),
        "key_hash": key_hash(spki),
        "not_before": certificate.not_valid_before_utc,
        "not_after": certificate.not_valid_after_utc,
        "der": certificate.public_bytes(Encoding.DER),
        "source": "est",
        "replaces": None,
        "issued_at": now,
    }
    row = CertificateRow(**{**values, **changes}, marker=portal.deps.marker)
    with portal.stores.records.transaction() as transaction:
        transaction.add_certificate(row)
    return row


def page_of(row: CertificateRow) -> str:
    return f"/certificates/{serial_to_text(row.serial)}/"
