"""The public halves that a process believes: pinned when the installation was made, and never read from the database.

`HOME/keys/trust.json` lies beside the keys and goes with them to every node. Whoever can write to the database cannot
write to it. The supervisor compares it with the private keys at each start and hands it to its children.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from certuary.core.certificate import SigningKey
from certuary.errors import ConfigError
from certuary.services.ports import KeyStore

OPERATOR_ROLE: Final = "operator"
OPERATOR_NAME: Final = "operator"
"""The operator CA's key: it certifies users' signing keys."""
MANIFEST_NAME: Final = "manifest"
"""Counter-signs seals and signs the manifest; role "operator" too."""
CHECKPOINT_ROLE: Final = "checkpoint"
CHECKPOINT_NAME: Final = "checkpoint"
MARK_ROLE: Final = "mark"
MARK_NAME: Final = "mark"
AUDIT_ROLE: Final = "audit"
AUDIT_NAME: Final = "audit"
"""The secret that the key of every audit stream is derived from."""
PORTAL_ROLE: Final = "portal"
PORTAL_NAME: Final = "portal"
"""The secret that signs the portal's sessions and forms."""

_VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """`instance` is the installation's number, which every seal, mark and event names."""

    instance: str
    operator_certificate: x509.Certificate
    manifest_key: ec.EllipticCurvePublicKey
    checkpoint_key: ec.EllipticCurvePublicKey

    def to_text(self) -> str:
        values = {
            "version": _VERSION,
            "instance": self.instance,
            "operator_certificate": _text(self.operator_certificate.public_bytes(Encoding.DER)),
            "manifest_key": _text(_spki(self.manifest_key)),
            "checkpoint_key": _text(_spki(self.checkpoint_key)),
        }
        return json.dumps(values, indent=2) + "\n"

    @classmethod
    def from_text(cls, text: str) -> Trust:
        """`ConfigError` when it is not what `to_text` writes."""
        try:
            values = json.loads(text)
            if values["version"] != _VERSION:
                raise ConfigError("trust.json is of another release", rule="trust")
            return cls(
                instance=str(values["instance"]),
                operator_certificate=x509.load_der_x509_certificate(
                    base64.b64decode(values["operator_certificate"])
                ),
                manifest_key=_key(values["manifest_key"]),
                checkpoint_key=_key(values["checkpoint_key"]),
            )
        except (ValueError, KeyError, TypeError):
            raise ConfigError(
                "trust.json is damaged; restore it from a backup of the keys", rule="trust"
            ) from None


def trust_path(keys_dir: Path) -> Path:
    return keys_dir / "trust.json"


def read_trust(keys_dir: Path) -> Trust:
    """`ConfigError` when there is none: the home was made by an earlier release, or not copied whole."""
    path = trust_path(keys_dir)
    try:
        return Trust.from_text(path.read_text())
    except FileNotFoundError:
        raise ConfigError(
            f"there is no {path}: copy the directory of the keys whole, from the node where `certuary init` ran",
            rule="trust",
        ) from None
    except OSError as problem:
        raise ConfigError(f"{path} cannot be read: {problem.strerror}", rule="trust") from None


def check_trust(trust: Trust, keys: KeyStore) -> None:
    """`ConfigError` when a pinned half is not that of the key in the store."""
    pinned = (
        (OPERATOR_NAME, OPERATOR_ROLE, trust.operator_certificate.public_key()),
        (MANIFEST_NAME, OPERATOR_ROLE, trust.manifest_key),
        (CHECKPOINT_NAME, CHECKPOINT_ROLE, trust.checkpoint_key),
    )
    for name, role, public_key in pinned:
        if keys.load_key(name, role=role).public_key() != public_key:
            raise ConfigError(f"trust.json names another key {name!r} than the key store holds", rule="trust")


def public_half(key: SigningKey) -> ec.EllipticCurvePublicKey:
    """Of the keys of this module, all of which are P-256."""
    public_key = key.public_key()
    assert isinstance(public_key, ec.EllipticCurvePublicKey)
    return public_key


def _spki(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _key(text: str) -> ec.EllipticCurvePublicKey:
    key = load_der_public_key(base64.b64decode(text))
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise TypeError
    return key


def _text(octets: bytes) -> str:
    return base64.b64encode(octets).decode("ascii")
