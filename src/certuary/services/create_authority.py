"""Make a root authority, and an issuing authority below it.

The key is generated in the key store and is durable before its certificate is signed. Storing the record is
the caller's: what comes back is everything the record holds.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from certuary.core.certificate import (
    KEY_TYPES,
    CertificatePlan,
    IssuedCertificate,
    SigningKey,
    build_issuing,
    build_root,
    sign_plan,
)
from certuary.core.names import subject_text
from certuary.core.values import SERIAL_RANDOM_OCTETS, make_serial, serial_to_text
from certuary.errors import InvalidValue
from certuary.services.ports import KeyStore

ROOT_NAME = "root"
ISSUING_NAME = "issuing"

ROOT_CRL_LIFETIME_SECONDS = 365 * 24 * 3600
"""A root signs by hand, once a year."""
ISSUING_CRL_LIFETIME_SECONDS = 24 * 3600

# X.520's upper bound of a common name is 64 characters, and ours is the organization and up to 11 more.
_LONGEST_ORGANIZATION = 64 - len(" Issuing CA")

RandomOctets = Callable[[int], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAuthority:
    """An authority that has a key and a certificate and no record yet."""

    name: str
    kind: str
    key_name: str
    key_type: str
    certificate: x509.Certificate
    certificate_der: bytes
    signer: SigningKey
    crl_lifetime_seconds: int

    def record_values(self, *, issuer_id: int | None) -> dict[str, object]:
        """The columns of its "authority" record."""
        return {
            "name": self.name,
            "kind": self.kind,
            "issuer_id": issuer_id,
            "key_name": self.key_name,
            "key_type": self.key_type,
            "subject": subject_text(self.certificate.subject),
            "serial": serial_to_text(self.certificate.serial_number),
            "certificate_der": self.certificate_der,
            "not_before": self.certificate.not_valid_before_utc,
            "not_after": self.certificate.not_valid_after_utc,
            "crl_lifetime_seconds": self.crl_lifetime_seconds,
        }


def create_root(
    keys: KeyStore,
    *,
    organization: str,
    key_type: str,
    now: datetime,
    name: str = ROOT_NAME,
    random_octets: RandomOctets = os.urandom,
    resume: bool = False,
) -> NewAuthority:
    """A trust anchor of 20 years. `AlreadyExists` when the key store has a key of that name.

    `resume` takes that key instead: an earlier attempt made it and was interrupted before it was used.
    """
    organization = checked_organization(organization)
    key = _generate(keys, name, role="root", key_type=key_type, resume=resume)
    plan = build_root(
        key.public_key(), organization=organization, serial=_serial(now, random_octets), now=now
    )
    return _sign(plan, key, key, name=name, kind="root", key_type=key_type)


def create_issuing(
    keys: KeyStore,
    *,
    root: NewAuthority,
    organization: str,
    key_type: str,
    now: datetime,
    status_url: str,
    name: str = ISSUING_NAME,
    random_octets: RandomOctets = os.urandom,
    resume: bool = False,
) -> NewAuthority:
    """An authority of 10 years that signs end entities only; its issuer's CRL is under `status_url`."""
    organization = checked_organization(organization)
    key = _generate(keys, name, role="issuing", key_type=key_type, resume=resume)
    plan = build_issuing(
        key.public_key(),
        issuer=root.certificate,
        organization=organization,
        serial=_serial(now, random_octets),
        now=now,
        crl_url=crl_url(status_url, root.name),
        ca_url=ca_url(status_url, root.name),
    )
    return _sign(plan, key, root.signer, name=name, kind="issuing", key_type=key_type)


def checked_organization(organization: str) -> str:
    text = " ".join(organization.split())
    if not text or len(text) > _LONGEST_ORGANIZATION or not text.isprintable():
        raise InvalidValue(
            f"an organization is 1 to {_LONGEST_ORGANIZATION} printable characters", rule="organization"
        )
    return text


def crl_url(status_url: str, authority_name: str) -> str:
    return f"{status_url.rstrip('/')}/crl/{authority_name}.crl"


def ca_url(status_url: str, authority_name: str) -> str:
    return f"{status_url.rstrip('/')}/ca/{authority_name}.crt"


def _generate(keys: KeyStore, name: str, *, role: str, key_type: str, resume: bool) -> SigningKey:
    if key_type not in KEY_TYPES:
        raise InvalidValue(f"a key type is one of {', '.join(KEY_TYPES)}, not {key_type!r}", rule="key-type")
    if not resume or (name, role) not in keys.names():
        return keys.generate_key(name, role=role, key_type=key_type)
    key = keys.load_key(name, role=role)
    if not _is_of_type(key, key_type):
        raise InvalidValue(
            f"the key store has a key {name!r} that is no {key_type} key; give the type of the first attempt",
            rule="key-type",
        )
    return key


def _is_of_type(key: SigningKey, key_type: str) -> bool:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.curve.name == KEY_TYPES[key_type].curve
    if isinstance(key, rsa.RSAPrivateKey):
        return key_type == f"rsa-{key.key_size}"
    return key_type == "ed25519"


def _serial(now: datetime, random_octets: RandomOctets) -> int:
    return make_serial(int(now.timestamp() * 1000), random_octets(SERIAL_RANDOM_OCTETS))


def _sign(
    plan: CertificatePlan, key: SigningKey, issuer_key: SigningKey, *, name: str, kind: str, key_type: str
) -> NewAuthority:
    issued: IssuedCertificate = sign_plan(plan, issuer_key)
    lifetime = ROOT_CRL_LIFETIME_SECONDS if kind == "root" else ISSUING_CRL_LIFETIME_SECONDS
    return NewAuthority(
        name=name,
        kind=kind,
        key_name=name,
        key_type=key_type,
        certificate=issued.certificate,
        certificate_der=issued.der,
        signer=key,
        crl_lifetime_seconds=lifetime,
    )
