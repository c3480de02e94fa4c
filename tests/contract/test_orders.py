"""The contract of `OrderStore`, and of an order's outcome in the writer's batch, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections

from certuary.core.certificate_order import ORDER_LIFETIME, CertificateOrder
from certuary.errors import DatabaseDown
from certuary.services.ports import OrderOutcome, SignedOrder, UnreadableOrder
from certuary.store.certificates import DjangoCertificateReader
from certuary.store.orders import CLAIM, DjangoOrderStore
from certuary.store.writer import GroupCommitWriter
from tests.contract.rows import (
    NOW,
    audit_row,
    certificate_row,
    enrolment_row,
    issued_item,
    new_chain,
    new_store,
    sqlite_only,
)

STORE = DjangoOrderStore()


def signed(number: int = 0, **changes: Any) -> SignedOrder:
    values: dict[str, Any] = {
        "id": f"{number:032x}",
        "application_id": 1,
        "profile_version_id": 1,
        "csr_der": b"\x30\x00\xff",
        "request_id": "request",
        "address": "192.0.2.7",
        "ordered_at": NOW,
        "expires_at": NOW + ORDER_LIFETIME,
    }
    return SignedOrder(order=CertificateOrder(**values | changes), seal="{}")


def put(*orders: SignedOrder) -> None:
    with new_store().transaction() as transaction:
        for order in orders:
            transaction.add_order(order)


def decide(outcome: OrderOutcome) -> bool:
    with new_store().transaction() as transaction:
        return transaction.decide_order(outcome)


@pytest.fixture
def writer(database_url: str) -> Iterator[GroupCommitWriter]:
    writer = GroupCommitWriter(new_chain("fedcba9876543210"))
    yield writer
    writer.close()


def issued(order: SignedOrder) -> Any:
    item = issued_item(source="application")
    certificate = item.certificate
    assert certificate is not None
    outcome = OrderOutcome(
        order_id=order.order.id, at=NOW, authority_id=certificate.authority_id, serial=certificate.serial
    )
    return type(item)(
        audit=audit_row(),
        enrolment=enrolment_row(serial=certificate.serial),
        certificate=certificate,
        order=outcome,
    )


def test_an_order_is_taken_as_it_was_put_and_by_nobody_else_meanwhile(database_url: str) -> None:
    put(signed())
    assert STORE.take(NOW) == signed()
    assert STORE.take(NOW) is None
    assert STORE.take(NOW + CLAIM) is None
    # Whoever took it has died: it is not lost.
    assert STORE.take(NOW + CLAIM + timedelta(seconds=1)) == signed()


def test_of_two_who_ask_at_once_one_takes_the_order(database_url: str) -> None:
    put(signed())
    barrier, taken = threading.Barrier(2), []

    def take() -> None:
        barrier.wait(10)
        taken.append(STORE.take(NOW))
        connections.close_all()

    threads = [threading.Thread(target=take) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(taken, key=repr) == sorted([None, signed()], key=repr)


def test_a_decided_order_is_taken_no_more_and_decided_once(database_url: str) -> None:
    put(signed())
    outcome = OrderOutcome(order_id=signed().order.id, at=NOW, reason="order-refused", detail="why")
    assert decide(outcome)
    assert not decide(OrderOutcome(order_id=outcome.order_id, at=NOW))
    assert STORE.outcome(outcome.order_id) == outcome
    assert STORE.take(NOW) is None


def test_certificate_and_outcome_are_committed_together_and_once(writer: GroupCommitWriter) -> None:
    order = signed()
    put(order)
    first, second = issued(order), issued(order)
    writer.submit(first).result(20)
    with pytest.raises(DatabaseDown):
        writer.submit(second).result(20)
    reader = DjangoCertificateReader()
    assert reader.by_serial(first.certificate.authority_id, first.certificate.serial) is not None
    assert reader.by_serial(second.certificate.authority_id, second.certificate.serial) is None
    assert STORE.outcome(order.order.id) == first.order


def test_a_withdrawn_order_is_never_fulfilled(writer: GroupCommitWriter) -> None:
    order = signed()
    put(order)
    assert decide(OrderOutcome(order_id=order.order.id, at=NOW, reason="order-unanswered"))
    late, neighbour = issued(order), issued_item()
    futures = [writer.submit(late), writer.submit(neighbour)]
    with pytest.raises(DatabaseDown):
        futures[0].result(20)
    futures[1].result(20)
    assert DjangoCertificateReader().by_serial(2, late.certificate.serial) is None


def test_orders_of_an_hour_ago_go_with_their_outcomes(database_url: str) -> None:
    old = NOW - timedelta(hours=2)
    put(signed(1, ordered_at=old, expires_at=old + ORDER_LIFETIME))
    decide(OrderOutcome(order_id=signed(1).order.id, at=old))
    put(signed(2))
    assert STORE.outcome(signed(1).order.id) is None
    assert STORE.take(NOW) == signed(2)


def test_live_application_certificates_are_found_and_no_others(database_url: str) -> None:
    rows = [
        certificate_row(source="application"),
        certificate_row(source="est"),
        certificate_row(source="application", application_id=2),
        certificate_row(source="application", not_after=NOW),
    ]
    with new_store().transaction() as transaction:
        for row in rows:
            transaction.add_certificate(row)
        assert transaction.application_certificates(1, NOW) == ((2, rows[0].serial),)


@pytest.mark.parametrize("column", ["application_id", "expires_at", "ordered_at", "profile_version_id"])
@sqlite_only
def test_an_altered_row_is_dropped_and_named_once(database_url: str, column: str) -> None:
    put(signed())
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE certificate_orders SET {column} = 'strange'")  # a constant
    assert STORE.take(NOW) == UnreadableOrder(name=signed().order.id)
    assert STORE.take(NOW) is None
