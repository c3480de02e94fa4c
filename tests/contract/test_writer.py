"""The contract of `IssuanceWriter` on both databases, and what the writer does when one is gone."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from random import Random

import pytest
from django.db import connection

from certuary.core.audit_chain import Head
from certuary.core.values import serial_to_text
from certuary.errors import DatabaseDown, Unavailable
from certuary.services.ports import BatchItem
from certuary.store import setup
from certuary.store import writer as writer_module
from certuary.store.audit import list_events
from certuary.store.batch_rows import ChainedItem, chain_events
from certuary.store.batch_session import BatchSession, ItemRefused
from certuary.store.certificates import DjangoCertificateReader, list_certificates
from certuary.store.models import Certificate, Enrolment
from certuary.store.writer import GroupCommitWriter, open_session
from tests.contract.rows import audit_row, certificate_row, enrolment_row, issued_item, new_chain
from tests.postgres import PostgresServer

WAIT = 20.0


@pytest.fixture
def writer(database_url: str) -> Iterator[GroupCommitWriter]:
    writer = GroupCommitWriter(new_chain())
    yield writer
    writer.close()


class HeldSession:
    """A database session that waits for a word before each commit, so that a test can let items gather."""

    def __init__(self, real: BatchSession | None = None) -> None:
        self._real = real
        self._go_on = threading.Event()
        self.entered = threading.Event()
        self.batches: list[int] = []
        self.failures: list[Exception] = []

    def go_on(self) -> None:
        self._go_on.set()

    def commit(self, items: Sequence[ChainedItem]) -> None:
        self.entered.set()
        assert self._go_on.wait(WAIT)
        self.batches.append(len(items))
        if self.failures:
            raise self.failures.pop(0)
        if self._real is not None:
            self._real.commit(items)

    def head(self, stream: str) -> Head | None:
        return self._real.head(stream) if self._real is not None else None

    def close(self) -> None:
        if self._real is not None:
            self._real.close()


def outcome(future: Future[None]) -> str:
    error = future.exception(WAIT)
    return "committed" if error is None else type(error).__name__


_fresh = itertools.count(1)


def chained(item: BatchItem) -> list[ChainedItem]:
    """As the first of a stream of its own."""
    items, _ = chain_events([item], new_chain(f"stream-{next(_fresh)}"))
    return items


def counts() -> tuple[int, int, int]:
    return Certificate.objects.count(), Enrolment.objects.count(), len(list_events())


def test_an_item_is_in_the_database_when_its_future_resolves(writer: GroupCommitWriter) -> None:
    certificate = certificate_row(replaces="01ab", subject="CN=Zoë")
    enrolment = enrolment_row(serial=certificate.serial)
    event = audit_row(kind="enrolment.issued", detail='{"profile":"tls-device"}')
    item = BatchItem(audit=event, enrolment=enrolment, certificate=certificate)
    assert writer.submit(item).result(WAIT) is None
    found = DjangoCertificateReader().by_serial(2, certificate.serial)
    assert found is not None
    for column in (
        "subject",
        "der",
        "not_before",
        "not_after",
        "issued_at",
        "replaces",
        "key_hash",
        "source",
    ):
        assert getattr(found, column) == getattr(certificate, column)
    stored = Enrolment.objects.get()
    for column in (
        "request_id",
        "at",
        "operation",
        "outcome",
        "reason",
        "application_id",
        "address",
        "label",
    ):
        assert getattr(stored, column) == getattr(enrolment, column)
    assert stored.serial == serial_to_text(certificate.serial)
    assert stored.csr_der is not None
    assert bytes(stored.csr_der) == enrolment.csr_der
    assert [each.event for each in list_events()] == [event]


def test_the_columns_a_certificate_is_not_issued_with_stay_empty(writer: GroupCommitWriter) -> None:
    writer.submit(issued_item()).result(WAIT)
    row = Certificate.objects.get()
    assert (row.revoked_at, row.revocation_reason, row.revoked_revision) == (None, None, None)


def test_items_of_every_shape_commit_together(database_url: str) -> None:
    held = HeldSession()

    def session() -> BatchSession:
        held._real = open_session()
        return held

    writer = GroupCommitWriter(new_chain(), session)
    first = writer.submit(issued_item())
    assert held.entered.wait(WAIT)
    refused = BatchItem(
        audit=audit_row(kind="enrolment.refused"),
        enrolment=enrolment_row(serial=None, csr_der=None, application_id=None, outcome="refused"),
    )
    shapes = [issued_item(), refused, BatchItem(audit=audit_row(kind="est.started"))]
    futures = [writer.submit(shapes[number % 3]) for number in range(2)]
    futures += [writer.submit(issued_item()) for _ in range(37)]
    futures += [writer.submit(BatchItem(audit=audit_row())) for _ in range(5)]
    held.go_on()
    assert {outcome(future) for future in (first, *futures)} == {"committed"}
    writer.close()
    assert held.batches == [1, 44]
    assert counts() == (39, 40, 45)


def test_a_bad_item_does_not_fail_its_neighbours(database_url: str) -> None:
    held = HeldSession()

    def session() -> BatchSession:
        held._real = open_session()
        return held

    writer = GroupCommitWriter(new_chain(), session)
    taken = certificate_row()
    first = writer.submit(BatchItem(audit=audit_row(), certificate=taken))
    assert held.entered.wait(WAIT)
    good, bad = [issued_item() for _ in range(4)], BatchItem(audit=audit_row(), certificate=taken)
    mixed = BatchItem(audit=audit_row())
    futures = [writer.submit(item) for item in (*good[:2], bad, mixed, *good[2:])]
    held.go_on()
    assert outcome(first) == "committed"
    assert [outcome(future) for future in futures] == [
        "committed", "committed", "DatabaseDown", "committed", "committed", "committed",
    ]  # fmt: skip
    writer.close()
    # Of the bad item not even the audit event is there.
    assert counts() == (5, 4, 6)


def test_small_and_large_numbers_and_nulls_share_one_prepared_statement(
    postgres: PostgresServer, migrated_postgresql: str
) -> None:
    setup.configure(postgres.create_database("prepared", template=migrated_postgresql))
    session = open_session()
    for application_id, csr_der in ((1, b"x"), (70_000, None), (None, b"y"), (1 << 40, None)):
        enrolment = enrolment_row(application_id=application_id, csr_der=csr_der)
        certificate = certificate_row(application_id=application_id, replaces=None if csr_der else "01")
        session.commit(chained(BatchItem(audit=audit_row(), enrolment=enrolment, certificate=certificate)))
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements")
        assert cursor.fetchone() == (1,)
    session.close()


def test_a_value_too_long_for_an_index_fails_its_item_alone(postgres: PostgresServer) -> None:
    setup.configure(postgres.url("prepared"))
    with pytest.raises(ItemRefused):
        open_session().commit(chained(issued_item(key_hash=Random(7).randbytes(4000).hex())))
    connection.close()


def test_a_text_that_cannot_be_stored_is_refused_and_the_writer_goes_on(writer: GroupCommitWriter) -> None:
    lone_surrogate = BatchItem(audit=audit_row(detail="\ud800"))
    assert outcome(writer.submit(lone_surrogate)) == "DatabaseDown"
    assert outcome(writer.submit(issued_item())) == "committed"
    assert counts() == (1, 1, 1)


def test_coroutines_are_woken_once_a_batch(database_url: str) -> None:
    held = HeldSession()
    writer = GroupCommitWriter(new_chain(), lambda: held)
    wakings: list[int] = []

    async def enrol_many() -> None:
        loop = asyncio.get_running_loop()
        call_soon_threadsafe = loop.call_soon_threadsafe

        def counting(callback: Callable[..., object], *arguments: object) -> asyncio.Handle:
            wakings.append(1)
            return call_soon_threadsafe(callback, *arguments)

        loop.call_soon_threadsafe = counting  # type: ignore[method-assign, assignment]  # counts the calls
        first = writer.submit_async(issued_item(), loop)
        while not held.entered.is_set():
            await asyncio.sleep(0.001)
        others = [writer.submit_async(issued_item(), loop) for _ in range(20)]
        held.go_on()
        assert await asyncio.gather(first, *others) == [None] * 21

    asyncio.run(enrol_many())
    writer.close()
    assert held.batches == [1, 20]
    assert len(wakings) == 2


def test_a_coroutine_that_gave_up_does_not_disturb_the_others(writer: GroupCommitWriter) -> None:
    async def give_up_once() -> None:
        loop = asyncio.get_running_loop()
        abandoned, kept = (writer.submit_async(issued_item(), loop) for _ in range(2))
        abandoned.cancel()
        await kept

    asyncio.run(give_up_once())
    # What was submitted is committed all the same: nobody can tell whether the answer was read.
    assert len(list_certificates().certificates) == 2


def test_closing_commits_what_is_queued_and_refuses_more(database_url: str) -> None:
    writer = GroupCommitWriter(new_chain())
    futures = [writer.submit(issued_item()) for _ in range(200)]
    writer.close()
    assert {outcome(future) for future in futures} == {"committed"}
    with pytest.raises(Unavailable):
        writer.submit(issued_item())
    assert Certificate.objects.count() == 200


def test_past_its_bound_the_queue_refuses_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "MAX_QUEUED", 3)
    held = HeldSession()
    writer = GroupCommitWriter(new_chain(), lambda: held)
    futures = [writer.submit(issued_item())]
    assert held.entered.wait(WAIT)
    futures += [writer.submit(issued_item()) for _ in range(3)]
    with pytest.raises(Unavailable):
        writer.submit(issued_item())
    held.go_on()
    assert [outcome(future) for future in futures] == ["committed"] * 4
    writer.close()


def test_a_lost_database_fails_the_batch_and_is_tried_again() -> None:
    held, opened = HeldSession(), []
    held.failures = [DatabaseDown("gone")]
    held.go_on()

    def session() -> BatchSession:
        opened.append(1)
        if len(opened) == 2:
            raise DatabaseDown("still gone")
        return held

    writer = GroupCommitWriter(new_chain(), session)
    assert outcome(writer.submit(issued_item())) == "DatabaseDown"
    until(lambda: len(opened) == 3)
    assert not writer.available, "a connection is no commit"
    assert outcome(writer.submit(issued_item())) == "committed"
    assert writer.available
    writer.close()


def test_who_waits_behind_a_commit_that_fails_slowly_fails_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("certuary.store.writer.SLOW_FAILURE_SECONDS", 0.0)
    held = HeldSession()
    held.failures = [DatabaseDown("locked")]
    writer = GroupCommitWriter(new_chain(), lambda: held)
    first = writer.submit(issued_item())
    assert held.entered.wait(WAIT)
    behind = [writer.submit(issued_item()) for _ in range(3)]
    held.go_on()
    assert [outcome(future) for future in (first, *behind)] == ["DatabaseDown"] * 4
    assert held.batches == [1]
    assert outcome(writer.submit(issued_item())) == "committed"
    writer.close()


def test_closing_after_a_slow_failure_ends_the_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("certuary.store.writer.SLOW_FAILURE_SECONDS", 0.0)
    held = HeldSession()
    held.failures = [DatabaseDown("locked")]
    writer = GroupCommitWriter(new_chain(), lambda: held)
    first = writer.submit(issued_item())
    assert held.entered.wait(WAIT)
    closing = threading.Thread(target=writer.close)
    closing.start()
    until(lambda: writer.queued == 1)
    held.go_on()
    closing.join(WAIT)
    assert not closing.is_alive()
    assert outcome(first) == "DatabaseDown"


def test_while_the_database_is_gone_items_fail_without_delay() -> None:
    def session() -> BatchSession:
        raise DatabaseDown("gone")

    writer = GroupCommitWriter(new_chain(), session)
    until(lambda: not writer.available)
    began = time.monotonic()
    assert [outcome(writer.submit(issued_item())) for _ in range(50)] == ["DatabaseDown"] * 50
    assert time.monotonic() - began < 2
    writer.close()


def test_an_unforeseen_error_fails_its_item_alone() -> None:
    held = HeldSession()
    held.failures = [RuntimeError("a mistake of ours"), ItemRefused()]
    held.go_on()
    writer = GroupCommitWriter(new_chain(), lambda: held)
    assert outcome(writer.submit(issued_item())) == "DatabaseDown"
    assert outcome(writer.submit(issued_item())) == "DatabaseDown"
    assert outcome(writer.submit(issued_item())) == "committed"
    writer.close()


def test_a_crash_of_postgresql_loses_nothing_that_was_acknowledged() -> None:
    with PostgresServer.start(durable=True) as server:
        url = server.create_database("certuary")
        acknowledged = crash_under_load(server, url)
        stored = set(Certificate.objects.values_list("serial", flat=True))
        connection.close()
    assert acknowledged
    assert acknowledged <= stored


def crash_under_load(server: PostgresServer, url: str) -> set[str]:
    """Serials whose commit was acknowledged before, while and after the server died and came back."""
    setup.configure(url)
    setup.migrate()
    connection.close()
    writer = GroupCommitWriter(new_chain())
    acknowledged: set[str] = set()
    outcomes: list[str] = []
    enough = threading.Event()

    def enrol() -> None:
        while not enough.is_set():
            item = issued_item()
            outcomes.append(outcome(writer.submit(item)))
            if outcomes[-1] == "committed" and item.certificate is not None:
                acknowledged.add(serial_to_text(item.certificate.serial))
            else:
                time.sleep(0.01)

    threads = [threading.Thread(target=enrol) for _ in range(4)]
    for thread in threads:
        thread.start()
    until(lambda: len(acknowledged) > 50)
    server.crash()
    until(lambda: "DatabaseDown" in outcomes)
    before = len(acknowledged)
    server.run_again()
    until(lambda: len(acknowledged) > before + 50)
    enough.set()
    for thread in threads:
        thread.join()
    writer.close()
    return acknowledged


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)
