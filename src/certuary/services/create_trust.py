"""Make the keys that records are trusted by, and pin their public halves in `trust.json`.

It may be interrupted anywhere and repeated: keys that an earlier attempt made are taken up, and the file is last.
"""

from __future__ import annotations

import os
import secrets
from datetime import datetime
from pathlib import Path
from typing import Final

from certuary.core.certificate import SigningKey
from certuary.core.operator_ca import build_operator_certificate
from certuary.core.values import SERIAL_RANDOM_OCTETS, make_serial
from certuary.errors import Conflict
from certuary.services.first_start import write_file
from certuary.services.ports import KeyStore
from certuary.services.trust import (
    AUDIT_NAME,
    AUDIT_ROLE,
    CHECKPOINT_NAME,
    CHECKPOINT_ROLE,
    MANIFEST_NAME,
    MARK_NAME,
    MARK_ROLE,
    OPERATOR_NAME,
    OPERATOR_ROLE,
    PORTAL_NAME,
    PORTAL_ROLE,
    Trust,
    check_trust,
    public_half,
    read_trust,
    trust_path,
)

_KEY_TYPE: Final = "ec-p256"
_SECRET_OCTETS: Final = 32


def create_trust(keys: KeyStore, keys_dir: Path, *, instance: str, now: datetime) -> Trust:
    """`Conflict` when the directory's trust is that of another database."""
    if trust_path(keys_dir).exists():
        trust = read_trust(keys_dir)
        check_trust(trust, keys)
        if trust.instance != instance:
            raise Conflict("the keys of this home belong to another database; use that one, or an empty home")
        return trust
    for name, role in ((MARK_NAME, MARK_ROLE), (AUDIT_NAME, AUDIT_ROLE), (PORTAL_NAME, PORTAL_ROLE)):
        if (name, role) not in keys.names():
            keys.put_secret(name, secrets.token_bytes(_SECRET_OCTETS), role=role)
    operator = _key(keys, OPERATOR_NAME, OPERATOR_ROLE)
    trust = Trust(
        instance=instance,
        operator_certificate=build_operator_certificate(
            operator, instance=instance, serial=new_serial(now), now=now
        ),
        manifest_key=public_half(_key(keys, MANIFEST_NAME, OPERATOR_ROLE)),
        checkpoint_key=public_half(_key(keys, CHECKPOINT_NAME, CHECKPOINT_ROLE)),
    )
    write_file(trust_path(keys_dir), trust.to_text().encode())
    return trust


def new_serial(now: datetime) -> int:
    return make_serial(int(now.timestamp() * 1000), os.urandom(SERIAL_RANDOM_OCTETS))


def _key(keys: KeyStore, name: str, role: str) -> SigningKey:
    if (name, role) in keys.names():
        return keys.load_key(name, role=role)
    return keys.generate_key(name, role=role, key_type=_KEY_TYPE)
