"""What a key store holds: names, roles and kinds of keys, and their bytes."""

from __future__ import annotations

import re

from cryptography.hazmat.primitives import serialization

from certuary.core.certificate import KEY_TYPES, SigningKey
from certuary.errors import ConfigError, KeyStoreDown
from certuary.keystore import envelope

KEY_ROLES = ("root", "issuing", "tls", "operator", "checkpoint")
SECRET_ROLE = "secret"  # noqa: S105 (a role's name)
SECRET_ROLES = (SECRET_ROLE, "mark", "audit", "portal")
ROLES = (*KEY_ROLES, *SECRET_ROLES)

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def is_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def checked_name(name: str) -> str:
    if not is_name(name):
        raise ConfigError(
            f"{name!r} cannot name a key: up to 64 lower-case letters, digits, '.', '_' and '-'",
            rule="key-name",
        )
    return name


def generate(key_type: str) -> SigningKey:
    if key_type not in KEY_TYPES:
        raise ConfigError(
            f"there is no key type {key_type!r}; types are {', '.join(KEY_TYPES)}", rule="key-type"
        )
    return KEY_TYPES[key_type].generate()


def key_to_der(key: SigningKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def key_from_der(der: bytes, name: str) -> SigningKey:
    # The bytes were authenticated when they were opened, so RSA's slow consistency check would prove nothing
    # new.
    key = serialization.load_der_private_key(der, password=None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, SigningKey):
        raise KeyStoreDown(f"{name!r} holds a kind of key that cannot sign", rule=envelope.DAMAGED)
    return key


def check_role(role: str) -> str:
    if role not in ROLES:
        raise ConfigError(f"there is no key role {role!r}; roles are {', '.join(ROLES)}", rule="key-role")
    return role


def check_key_role(role: str) -> str:
    if role not in KEY_ROLES:
        raise ConfigError(f"a key's role is one of {', '.join(KEY_ROLES)}, not {role!r}", rule="key-role")
    return role


def check_secret_role(role: str) -> str:
    if role not in SECRET_ROLES:
        raise ConfigError(
            f"a secret's role is one of {', '.join(SECRET_ROLES)}, not {role!r}", rule="key-role"
        )
    return role
