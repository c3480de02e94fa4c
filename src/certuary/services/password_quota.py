"""Back-off: who may have a password checked now. A check costs 25 ms of a core, so guessing must not.

Three token buckets decide: per address, per username, and, for what those two refuse, a reserve. An application
asked for from a network of its own has one reserved check a second, whatever floods the rest. Usernames that do
not exist share a small reserve, so that under pressure they too are checked now and then: a 429 does not
tell them apart.
"""

from __future__ import annotations

from collections import OrderedDict
from enum import Enum
from ipaddress import IPv6Address

from certuary.core.values import Address

ADDRESS_PER_SECOND, ADDRESS_BURST = 5.0, 20.0
USERNAME_PER_SECOND, USERNAME_BURST = 2.0, 10.0
RESERVE_PER_SECOND, RESERVE_BURST = 1.0, 1.0
STRANGERS_PER_SECOND, STRANGERS_BURST = 2.0, 2.0
CAPACITY = 20_000


class Lane(Enum):
    """The reserved lane goes first, so that a queue of guesses does not hold up what the reserve promised."""

    ORDINARY = "ordinary"
    RESERVED = "reserved"


class _Buckets:
    """Token buckets by key, the longest unused forgotten first; a forgotten one is a full one."""

    def __init__(self, per_second: float, burst: float) -> None:
        self._per_second = per_second
        self._burst = burst
        self._buckets: OrderedDict[object, tuple[float, float]] = OrderedDict()

    def available(self, key: object, now: float) -> bool:
        return self._level(key, now) >= 1.0

    def take(self, key: object, now: float) -> bool:
        level = self._level(key, now)
        taken = level >= 1.0
        self._buckets[key] = (level - 1.0 if taken else level, now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > CAPACITY:
            self._buckets.popitem(last=False)
        return taken

    def _level(self, key: object, now: float) -> float:
        if key not in self._buckets:
            return self._burst
        level, at = self._buckets[key]
        return min(self._burst, level + (now - at) * self._per_second)


class PasswordQuota:
    def __init__(self) -> None:
        self._by_address = _Buckets(ADDRESS_PER_SECOND, ADDRESS_BURST)
        self._by_username = _Buckets(USERNAME_PER_SECOND, USERNAME_BURST)
        self._reserve = _Buckets(RESERVE_PER_SECOND, RESERVE_BURST)
        self._strangers = _Buckets(STRANGERS_PER_SECOND, STRANGERS_BURST)

    def admit(
        self, username: str, address: Address, *, known: bool, on_own_network: bool, steady_now: float
    ) -> Lane | None:
        """In which lane a check may run; None when it may not. Each lane given spends."""
        source = household(address)
        if self._by_address.available(source, steady_now) and self._by_username.available(
            username, steady_now
        ):
            self._by_username.take(username, steady_now)
            self._by_address.take(source, steady_now)
            return Lane.ORDINARY
        if on_own_network:
            return Lane.RESERVED if self._reserve.take(username, steady_now) else None
        if not known:
            return Lane.RESERVED if self._strangers.take(None, steady_now) else None
        return None


def household(address: Address) -> object:
    """One household of IPv6 addresses counts as one: a /64 is free to whoever has one address of it."""
    return int(address) >> 64 if isinstance(address, IPv6Address) else address
