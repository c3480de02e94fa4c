"""Passwords that were right a moment ago, so that argon2 runs once an application and not once an enrolment.

An entry is a keyed hash (BLAKE2b, RFC 7693 section 2.9) over username, password and stored hash, under a key of this
process: nothing in it can be turned back into a password, and a rotated password misses by itself. HMAC would hand
the interpreter to the writer's thread on each request, and wait to have it back; BLAKE2b of so few octets does not.
Whether the application is enabled, unexpired and on an allowed network is asked on every request, before the cache.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict

TTL_SECONDS = 600.0
CAPACITY = 50_000


class CredentialCache:
    def __init__(
        self, process_key: bytes, *, ttl_seconds: float = TTL_SECONDS, capacity: int = CAPACITY
    ) -> None:
        self._key = process_key
        self._ttl_seconds = ttl_seconds
        self._capacity = capacity
        self._expires: OrderedDict[bytes, float] = OrderedDict()

    def holds(self, username: str, password: str, stored_hash: str, *, steady_now: float) -> bool:
        entry = self._entry(username, password, stored_hash)
        expires = self._expires.get(entry)
        if expires is None:
            return False
        if expires <= steady_now:
            del self._expires[entry]
            return False
        # In use it stays: else whoever spends the application's quota could lock it out at the next expiry.
        self._expires[entry] = steady_now + self._ttl_seconds
        return True

    def remember(self, username: str, password: str, stored_hash: str, *, steady_now: float) -> None:
        self._expires[self._entry(username, password, stored_hash)] = steady_now + self._ttl_seconds
        if len(self._expires) > self._capacity:
            self._expires.popitem(last=False)

    def _entry(self, username: str, password: str, stored_hash: str) -> bytes:
        parts = f"{len(username)}:{len(password)}:{username}{password}{stored_hash}"
        return hashlib.blake2b(parts.encode(), key=self._key, digest_size=32).digest()
