"""Hold a lease: ask for it now and then, and know whether it is held in between."""

from __future__ import annotations

from typing import Final

from certuary.services.ports import LeaseStore

LEASE_SECONDS: Final = 10
_RENEWAL_SECONDS: Final = 3.0


class Lease:
    """Several jobs of one process may hold the same one, under the same `holder`."""

    def __init__(self, leases: LeaseStore, name: str, holder: str) -> None:
        self._leases = leases
        self._name = name
        self._holder = holder
        self._until = float("-inf")
        self._ask_at = float("-inf")

    def is_held(self, now: float) -> bool:
        """`now` is of a steady clock."""
        if now >= self._ask_at:
            self._ask_at = now + _RENEWAL_SECONDS
            granted = self._leases.acquire(self._name, self._holder, seconds=LEASE_SECONDS)
            self._until = now + LEASE_SECONDS if granted else float("-inf")
        return now < self._until

    def release(self) -> None:
        """Let another node go on at once."""
        self._until = float("-inf")
        self._leases.release(self._name, self._holder)
