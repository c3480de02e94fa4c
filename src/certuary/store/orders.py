"""Certificate orders and their outcomes: a few rows of the last hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet

from certuary.core.certificate_order import CertificateOrder
from certuary.core.values import serial_from_text
from certuary.errors import InvalidValue
from certuary.services.ports import OrderOutcome, SignedOrder, UnreadableOrder
from certuary.store import models
from certuary.store.batch_rows import OUTCOME_COLUMNS, outcome_row
from certuary.store.database import database_errors, read
from certuary.store.plain import octets
from certuary.store.record_rows import UNREADABLE

CLAIM: Final = timedelta(seconds=5)
"""How long an order is left to who took it; one who died in between has not decided it."""
_KEPT: Final = timedelta(hours=1)
"""Long after an order has expired, so that one which is put back meanwhile finds its outcome."""
_COLUMNS: Final = (
    "id", "application_id", "profile_version_id", "csr_der", "request_id", "address", "ordered_at", "expires_at",
    "seal",
)  # fmt: skip
_INSERT_OUTCOME: Final = (
    f"INSERT INTO certificate_order_outcomes ({', '.join(OUTCOME_COLUMNS)})"  # noqa: S608  # constants
    f" VALUES ({', '.join(['%s'] * len(OUTCOME_COLUMNS))}) ON CONFLICT (order_id) DO NOTHING"
)


class DjangoOrderStore:
    """`services.ports.OrderStore`. Each thread that calls it has its own connection."""

    def take(self, now: datetime) -> SignedOrder | UnreadableOrder | None:
        free = _undecided().filter(Q(claimed_at__isnull=True) | Q(claimed_at__lt=now - CLAIM))
        for key in read(lambda: list(free.order_by("ordered_at").values_list("id", flat=True)[:8])):
            with database_errors():
                if free.filter(pk=key).update(claimed_at=now):
                    return _read_or_drop(key)
        return None

    def outcome(self, order_id: str) -> OrderOutcome | None:
        row = read(lambda: models.CertificateOrderOutcome.objects.filter(pk=order_id).first())
        return None if row is None else _outcome(row)


def add(signed: SignedOrder) -> None:
    order = signed.order
    models.CertificateOrder.objects.filter(expires_at__lt=order.ordered_at - _KEPT).delete()
    models.CertificateOrderOutcome.objects.filter(at__lt=order.ordered_at - _KEPT).delete()
    columns = {name: getattr(order, name) for name in _COLUMNS if name != "seal"}
    models.CertificateOrder.objects.create(**columns, seal=signed.seal)


def undecided(application_id: int) -> tuple[str, ...]:
    rows = _undecided().filter(application_id=application_id)
    return tuple(str(key) for key in rows.values_list("id", flat=True))


def decide(outcome: OrderOutcome) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_INSERT_OUTCOME, outcome_row(outcome))
        return bool(cursor.rowcount == 1)


def _undecided() -> QuerySet[models.CertificateOrder]:
    decided = models.CertificateOrderOutcome.objects.filter(order_id=OuterRef("pk"))
    return models.CertificateOrder.objects.filter(~Exists(decided))


def _read_or_drop(key: object) -> SignedOrder | UnreadableOrder | None:
    row = models.CertificateOrder.objects.filter(pk=key)
    try:
        values = row.values(*_COLUMNS).first()
        return None if values is None else _signed_order(values)
    except UNREADABLE:
        # Nobody's signature is over such values, and nobody waits for it.
        row.delete()
        return UnreadableOrder(name=str(key)[:32])


def _signed_order(values: dict[str, Any]) -> SignedOrder:
    """SQLite keeps any value in any column."""
    order = CertificateOrder(
        id=_text(values["id"]),
        application_id=_number(values["application_id"]),
        profile_version_id=_number(values["profile_version_id"]),
        csr_der=octets(values["csr_der"]),
        request_id=_text(values["request_id"]),
        address=_text(values["address"]),
        ordered_at=_moment(values["ordered_at"]),
        expires_at=_moment(values["expires_at"]),
    )
    return SignedOrder(order=order, seal=_text(values["seal"]))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError
    return value


def _moment(value: object) -> datetime:
    if not isinstance(value, datetime):
        raise TypeError
    return value.astimezone(UTC)


def _outcome(row: Any) -> OrderOutcome:
    try:
        serial = None if row.serial is None else serial_from_text(str(row.serial))
    except InvalidValue:
        serial = None
    return OrderOutcome(
        order_id=str(row.order_id),
        at=row.at,
        authority_id=row.authority_id,
        serial=serial,
        reason=str(row.reason),
        detail=str(row.detail),
    )
