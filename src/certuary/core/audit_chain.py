"""The audit chain: each event's hash is an HMAC over the event and the hash before it, under its stream's key.

A stream has one writer: a long-lived process, or all commands together. Its key is derived from one secret, so a
process that holds its own stream's key can forge no other stream.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from copy import copy
from typing import Final, NamedTuple

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from certuary.core.keyed_hash import KeyedHash

COMMANDS_STREAM: Final = "commands"
"""The one stream that all command line calls share, on every node: they write one after another."""

_KEY_OCTETS: Final = 32


class EventTexts(NamedTuple):
    """What a hash covers of an event, each as the database keeps it; `at` is `core.values.time_to_text`."""

    at: str
    kind: str
    actor_kind: str
    actor: str
    target: str
    request_id: str
    address: str
    detail: str


class Head(NamedTuple):
    """The last event of a stream. That of an empty one has the number 0."""

    seq: int
    hash: bytes


class ChainLink(NamedTuple):
    """An event's place in its stream. `previous` is the hash of the event before it."""

    stream: str
    seq: int
    previous: bytes
    hash: bytes


EMPTY: Final = Head(0, bytes(32))


def new_stream() -> str:
    return secrets.token_hex(8)


def stream_key(audit_secret: bytes, stream: str) -> bytes:
    info = b"certuary audit stream:" + stream.encode()
    return HKDF(algorithm=hashes.SHA256(), length=_KEY_OCTETS, salt=None, info=info).derive(audit_secret)


class EventHasher:
    """HMAC-SHA256 (RFC 2104) over events of one stream."""

    def __init__(self, stream: str, key: bytes) -> None:
        self._hash_of = KeyedHash(key).of
        self._stream = stream

    def hash(self, seq: int, previous: bytes, texts: EventTexts) -> bytes:
        return self._hash_of(previous + _encode(self._stream, seq, texts))


class Chain:
    """The end of one stream, and what goes on from it. For one writer."""

    def __init__(self, stream: str, key: bytes) -> None:
        self.stream = stream
        self.head = EMPTY
        self._hasher = EventHasher(stream, key)

    def fork(self) -> Chain:
        """Another end at the same place: to go ahead with while it is open whether that will be committed."""
        return copy(self)

    def links(self, events: Iterable[EventTexts]) -> list[ChainLink]:
        """Places for events after the head. The head stays: a commit that fails uses up no numbers."""
        links = []
        seq, previous = self.head
        for texts in events:
            seq += 1
            digest = self._hasher.hash(seq, previous, texts)
            links.append(ChainLink(self.stream, seq, previous, digest))
            previous = digest
        return links

    def advance(self, to: ChainLink) -> None:
        """These events, up to `to`, are committed."""
        self.head = Head(to.seq, to.hash)

    def find_head(self, stored: Head | None) -> bool:
        """Take up what the database says the head is; whether that is further than was known.

        A commit may have happened although its answer was lost. A database that is behind what it has confirmed is
        not believed: the gap stays for `certuary audit verify` to find.
        """
        if stored is None or stored.seq <= self.head.seq:
            return False
        self.head = stored
        return True


def _encode(stream: str, seq: int, texts: EventTexts) -> bytes:
    """Each text behind its length, so that no two events read alike. Written out, as every enrolment waits for it."""
    at, kind, actor_kind, actor, target, request_id, address, detail = texts
    return (
        f"{len(stream)}:{stream}{seq},{len(at)}:{at}{len(kind)}:{kind}{len(actor_kind)}:{actor_kind}"
        f"{len(actor)}:{actor}{len(target)}:{target}{len(request_id)}:{request_id}{len(address)}:{address}"
        f"{len(detail)}:{detail}"
    ).encode()
