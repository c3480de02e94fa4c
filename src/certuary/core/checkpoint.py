"""Checkpoints of the audit chain: the heads of streams at one moment, signed.

The body is canonical JSON (RFC 8785), the signature ECDSA with SHA-256 by the checkpoint key. Each names the digest of
the one before it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from certuary.core.audit_chain import Head
from certuary.core.canonical_json import canonical_json
from certuary.core.seal import is_signed, sign
from certuary.core.values import time_from_text, time_to_text
from certuary.errors import AuditBroken

FIRST: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedCheckpoint:
    """As it is stored. `number` and `at` repeat what the body says, and are believed only after `open_checkpoint`."""

    number: int
    at: datetime
    body: str
    signature: bytes

    def digest(self) -> str:
        return sha256(self.body.encode()).hexdigest()

    def to_line(self) -> str:
        """One line of the file of checkpoints."""
        signature = base64.b64encode(self.signature).decode("ascii")
        return json.dumps({"body": self.body, "signature": signature}) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """`previous` is the digest of the checkpoint before it, "" for the first one."""

    instance: str
    number: int
    at: datetime
    streams: Mapping[str, Head]
    previous: str


def sign_checkpoint(checkpoint: Checkpoint, key: ec.EllipticCurvePrivateKey) -> SignedCheckpoint:
    body = canonical_json(
        {
            "instance": checkpoint.instance,
            "number": checkpoint.number,
            "at": time_to_text(checkpoint.at),
            "streams": {stream: [head.seq, head.hash.hex()] for stream, head in checkpoint.streams.items()},
            "previous": checkpoint.previous,
        }
    )
    return SignedCheckpoint(
        number=checkpoint.number,
        at=checkpoint.at,
        body=body.decode(),
        signature=sign(key, body),
    )


def open_checkpoint(signed: SignedCheckpoint, key: ec.EllipticCurvePublicKey) -> Checkpoint:
    """What it says. `AuditBroken` when the key did not sign it, or it is not what `sign_checkpoint` writes."""
    if not is_signed(key, signed.signature, signed.body.encode(errors="replace")):
        raise AuditBroken("its signature is not that of this installation's checkpoint key")
    checkpoint = read_body(signed.body)
    if (checkpoint.number, checkpoint.at) != (signed.number, signed.at):
        raise AuditBroken(f"its body is that of checkpoint {checkpoint.number}")
    return checkpoint


def read_line(line: str) -> SignedCheckpoint:
    """`AuditBroken` when it is not what `to_line` writes."""
    try:
        values = json.loads(line)
        body = str(values["body"])
        signature = base64.b64decode(values["signature"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise AuditBroken("it is no checkpoint") from None
    checkpoint = read_body(body)
    return SignedCheckpoint(number=checkpoint.number, at=checkpoint.at, body=body, signature=signature)


def read_body(body: str) -> Checkpoint:
    """What a body says, believed or not. `AuditBroken` when it cannot be read."""
    try:
        values = json.loads(body)
        return Checkpoint(
            instance=str(values["instance"]),
            number=int(values["number"]),
            at=time_from_text(values["at"]),
            streams={
                stream: Head(int(seq), bytes.fromhex(digest))
                for stream, (seq, digest) in values["streams"].items()
            },
            previous=str(values["previous"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise AuditBroken("its body cannot be read") from None
