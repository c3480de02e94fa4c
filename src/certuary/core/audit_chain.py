"""The audit chain: each event's hash is an HMAC over the event and the hash before it, under its stream's key.

A stream has one writer: a long-lived process, or all commands together. Its key is derived from one secret, so a
process that holds its own stream's key can forge no other stream.
"""

from __future__ import annotations

import secrets
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

COMMANDS_STREAM: Final = "commands"
"""The one stream that all command line calls share, on every node: they write one after another."""

_KEY_OCTETS: Final = 32


def new_stream() -> str:
    return secrets.token_hex(8)


def stream_key(audit_secret: bytes, stream: str) -> bytes:
    info = b"certuary audit stream:" + stream.encode()
    return HKDF(algorithm=hashes.SHA256(), length=_KEY_OCTETS, salt=None, info=info).derive(audit_secret)
