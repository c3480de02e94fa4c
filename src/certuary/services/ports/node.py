"""What a node has and is: the time, keys, its entry among the nodes, and who runs the jobs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from certuary.core.certificate import SigningKey


class Clock(Protocol):
    def now(self) -> datetime:
        """The time, in UTC, zone-aware."""
        ...


class KeyStore(Protocol):
    """Where private keys and secrets live. Every failure is a `KeyStoreDown` or a `ConfigError`.

    A key has a role ("root", "issuing", "tls", "operator", "checkpoint"), a secret too ("secret", "mark", "audit",
    "portal"); a
    process opens the roles it was given and no other.
    """

    def generate_key(self, name: str, *, role: str, key_type: str) -> SigningKey:
        """Make, store and return a key. `AlreadyExists` when the name is taken; durable when it returns."""
        ...

    def load_key(self, name: str, *, role: str) -> SigningKey:
        """`NotFound` when there is none of that name, `KeyStoreDown` when it cannot be opened."""
        ...

    def put_secret(self, name: str, value: bytes, *, role: str = "secret") -> None:
        """Store a symmetric secret, such as the pepper. `AlreadyExists` when the name is taken."""
        ...

    def load_secret(self, name: str, *, role: str = "secret") -> bytes: ...

    def seal(self, name: str, value: bytes, *, role: str) -> bytes:
        """Encrypt bytes that are kept outside the store; `unseal` opens them under the same name and role only."""
        ...

    def unseal(self, name: str, sealed: bytes, *, role: str) -> bytes:
        """`KeyStoreDown` when they are damaged or were sealed under another name, role or store."""
        ...

    def names(self) -> tuple[tuple[str, str], ...]:
        """(name, role) of each key and secret, sorted."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRow:
    """What a node's status process says of the node: the verdict of `/readyz`, and since when."""

    name: str
    hostname: str
    version: str
    ready: bool
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]
    started_at: datetime
    seen_at: datetime


class NodeStore(Protocol):
    def put(self, row: NodeRow) -> None:
        """In the place of what the node said before. `DatabaseDown`."""
        ...


class LeaseStore(Protocol):
    """Who does what only one process may do at a time. `DatabaseDown` when that cannot be known."""

    def acquire(self, name: str, holder: str, *, seconds: int) -> bool:
        """Take or prolong a lease; False while somebody else holds it."""
        ...

    def release(self, name: str, holder: str) -> None:
        """Give it back; nothing happens when it is somebody else's."""
        ...
