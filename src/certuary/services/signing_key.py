"""Users' signing keys: P-256, wrapped under the user's password and the pepper, certified by the operator CA.

The wrapped key is a column that anybody who reads the database sees. Without the pepper, which is in the key store, it
verifies no guess at the password, nor does the password's hash.
"""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from certuary.core.certificate import SigningKey
from certuary.core.operator_ca import certify_user
from certuary.errors import InvalidSeal
from certuary.services.create_trust import new_serial
from certuary.services.entitlement import Actor
from certuary.services.passwords import Passwords
from certuary.services.ports import KeyStore, Record
from certuary.services.trust import MANIFEST_NAME, OPERATOR_NAME, OPERATOR_ROLE, Trust

_FORM: Final = b"\x01"
_SALT_OCTETS: Final = 16
_NONCE_OCTETS: Final = 12
_SCALAR_OCTETS: Final = 32
_INFO: Final = b"certuary signing key 1:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A user who has just proved the password, with the key that it unwrapped."""

    actor: Actor
    certificate: bytes
    key: SigningKey = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorKeys:
    """The private halves that only commands and the portal open: they certify users and sign the manifest."""

    trust: Trust
    operator: SigningKey = field(repr=False)
    manifest: SigningKey = field(repr=False)


def open_operator_keys(keys: KeyStore, trust: Trust) -> OperatorKeys:
    return OperatorKeys(
        trust=trust,
        operator=keys.load_key(OPERATOR_NAME, role=OPERATOR_ROLE),
        manifest=keys.load_key(MANIFEST_NAME, role=OPERATOR_ROLE),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSigningKey:
    """The columns of a user's record, and the key itself for who goes on to sign with it."""

    columns: dict[str, object]
    certificate: bytes
    key: SigningKey = field(repr=False)


def make_signing_key(
    user: str, password: str, passwords: Passwords, operator: OperatorKeys, now: datetime
) -> NewSigningKey:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = certify_user(
        key.public_key(),
        user=user,
        issuer=operator.trust.operator_certificate,
        issuer_key=operator.operator,
        serial=new_serial(now),
        now=now,
    )
    columns: dict[str, object] = {
        "signing_key": wrap(key, user, password, passwords),
        "signing_certificate": base64.b64encode(certificate).decode("ascii"),
    }
    return NewSigningKey(columns=columns, certificate=certificate, key=key)


def wrap(key: SigningKey, user: str, password: str, passwords: Passwords) -> str:
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    salt, nonce = os.urandom(_SALT_OCTETS), os.urandom(_NONCE_OCTETS)
    scalar = key.private_numbers().private_value.to_bytes(_SCALAR_OCTETS, "big")
    wrapping_key = passwords.wrapping_key(password, salt, _INFO + user.encode())
    sealed = AESGCM(wrapping_key).encrypt(nonce, scalar, _FORM + user.encode())
    return base64.b64encode(_FORM + salt + nonce + sealed).decode("ascii")


def unwrap(wrapped: str, user: str, password: str, passwords: Passwords) -> SigningKey:
    """`InvalidSeal` when it does not open: another password, another installation, or damage."""
    try:
        octets = base64.b64decode(wrapped, validate=True)
        if len(octets) <= 1 + _SALT_OCTETS + _NONCE_OCTETS:
            raise ValueError
        salt, nonce = octets[1 : 1 + _SALT_OCTETS], octets[1 + _SALT_OCTETS :][:_NONCE_OCTETS]
        wrapping_key = passwords.wrapping_key(password, salt, _INFO + user.encode())
        sealed = octets[1 + _SALT_OCTETS + _NONCE_OCTETS :]
        scalar = AESGCM(wrapping_key).decrypt(nonce, sealed, octets[:1] + user.encode())
    except (InvalidTag, binascii.Error, ValueError):
        raise InvalidSeal(f"the signing key of {user!r} does not open") from None
    return ec.derive_private_key(int.from_bytes(scalar, "big"), ec.SECP256R1())


def certificate_of(user: Record) -> bytes:
    return base64.b64decode(str(user.values["signing_certificate"]))
