"""Certificate orders, from the portal to whoever holds the issuing keys, and what became of each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from certuary.core.certificate_order import CertificateOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedOrder:
    """An order and its seal, as the database has them: nothing is verified yet."""

    order: CertificateOrder
    seal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadableOrder:
    """A row with values that no order has, as SQLite lets plain SQL write one. It is gone from the table."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderOutcome:
    """An order is decided once: by the certificate issued for it, or by the rule that it broke, which is `reason`.

    Nobody believes a row of this: who waits looks at the certificate itself.
    """

    order_id: str
    at: datetime
    authority_id: int | None = None
    serial: int | None = None
    reason: str = ""
    detail: str = ""


class OrderStore(Protocol):
    """Blocking; a failure of the database is `DatabaseDown`. One cheap statement when there is nothing to do."""

    def take(self, now: datetime) -> SignedOrder | UnreadableOrder | None:
        """The oldest order that is not decided and that nobody else took in the last seconds; of two who ask at once
        one gets it. That only spares work: an order's outcome is committed once, whoever works at it."""
        ...

    def outcome(self, order_id: str) -> OrderOutcome | None: ...
