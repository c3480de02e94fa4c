"""Audit streams on both databases: numbers without gaps, whatever fails, and one writer after another."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from django.db import connection

from certuary.core.audit_chain import COMMANDS_STREAM, Head, stream_key
from certuary.core.checkpoint import Checkpoint, sign_checkpoint
from certuary.errors import AlreadyExists, DatabaseDown
from certuary.services.audit_property_changes import audit_property_changes
from certuary.services.audit_stream import CLOSED_KIND, OwnStream, open_stream
from certuary.services.ports import AuditRow, BatchItem
from certuary.services.verify_audit import AuditReport, VerifyDeps, verify_audit
from certuary.store import checkpoints as checkpoints_module
from certuary.store.audit import events_by_stream, list_events, stream_processes
from certuary.store.audit_streams import DjangoAuditStreamStore
from certuary.store.batch_rows import ChainedItem
from certuary.store.batch_session import BatchSession
from certuary.store.checkpoints import DjangoCheckpointStore
from certuary.store.database import consistent_read
from certuary.store.event_stream import EventStream, stored_head
from certuary.store.property_changes import DjangoPropertyChangeStore
from certuary.store.records import DjangoRecordStore
from certuary.store.writer import GroupCommitWriter, open_session
from tests.contract.rows import NOW, STREAM, audit_row, certificate_row, issued_item, sql
from tests.memory_records import FixedClock

pytestmark = pytest.mark.usefixtures("database_url")

SECRET = b"s" * 32
WAIT = 20.0


def own_stream(stream: str = STREAM, process: str = "est-0") -> OwnStream:
    return OwnStream(node="n", process=process, stream=stream, key=stream_key(SECRET, stream))


def new_writer(stream: str = STREAM, session: Any = open_session) -> GroupCommitWriter:
    return GroupCommitWriter(own_stream(stream).new_chain(), session)


def records_of(stream: str = STREAM) -> DjangoRecordStore:
    """Of a process that has just started."""
    return DjangoRecordStore(EventStream(own_stream(stream).new_chain))


def add_event(records: DjangoRecordStore, **changes: Any) -> None:
    with records.transaction() as transaction:
        transaction.add_audit(audit_row(**changes))


def verified() -> AuditReport:
    with consistent_read():
        return verify_audit(
            VerifyDeps(
                checkpoint_key=ec.generate_private_key(ec.SECP256R1()).public_key(),
                audit_secret=SECRET,
                events=events_by_stream(),
                processes=stream_processes,
                checkpoints=(),
                tell=lambda text: None,
            )
        )


def check_whole(**events: int) -> None:
    """Nothing is found, and so many events are in each stream."""
    report = verified()
    assert report.findings == ()
    assert {one.stream: one.events for one in report.streams} == events


class FailingSession:
    """Fails the next commits, before or after the database has made them."""

    def __init__(self) -> None:
        self.before: list[Exception] = []
        self.after: list[Exception] = []
        self.commits = 0
        self._real: BatchSession | None = None

    def __call__(self) -> BatchSession:
        self._real = open_session()
        return self

    def commit(self, items: Sequence[ChainedItem]) -> None:
        assert self._real is not None
        self.commits += 1
        if self.before:
            raise self.before.pop()
        self._real.commit(items)
        if self.after:
            raise self.after.pop()

    def head(self, stream: str) -> Head | None:
        assert self._real is not None
        return self._real.head(stream)

    def close(self) -> None:
        assert self._real is not None
        self._real.close()


def test_what_the_writer_commits_is_a_chain_read_back_as_it_was_written() -> None:
    writer = new_writer()
    at = datetime(2026, 11, 23, 12, 0, 0, 7, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    rows = [
        audit_row(at=at, detail='{"subject":"CN=Zoë,O=\\u0001"}', actor="ℵ", target=""),
        audit_row(at=datetime(2026, 11, 23, tzinfo=UTC)),
    ]
    for row in rows:
        writer.submit(BatchItem(audit=row)).result(WAIT)
    for future in [writer.submit(issued_item()) for _ in range(70)]:
        future.result(WAIT)
    writer.close()
    check_whole(**{STREAM: 72})


def test_items_of_several_shapes_in_one_commit_are_one_chain() -> None:
    writer = new_writer()
    items = [issued_item() if number % 3 else BatchItem(audit=audit_row()) for number in range(40)]
    futures = [writer.submit(item) for item in items]
    assert [future.exception(WAIT) for future in futures] == [None] * 40
    writer.close()
    check_whole(**{STREAM: 40})


def test_a_refused_item_uses_up_no_number() -> None:
    writer = new_writer()
    taken = certificate_row()
    items = [BatchItem(audit=audit_row(), certificate=taken), BatchItem(audit=audit_row(detail="\ud800"))]
    items += [issued_item() for _ in range(3)] + [BatchItem(audit=audit_row(), certificate=taken)]
    futures = [writer.submit(item) for item in items]
    outcomes = [future.exception(WAIT) is None for future in futures]
    assert outcomes == [True, False, True, True, True, False]
    writer.close()
    check_whole(**{STREAM: 4})


@pytest.mark.parametrize(("when", "stored"), [("before", 2), ("after", 3)])
def test_after_a_commit_whose_answer_was_lost_the_chain_goes_on_where_the_database_is(
    when: str, stored: int
) -> None:
    session = FailingSession()
    writer = new_writer(session=session)
    writer.submit(issued_item()).result(WAIT)
    getattr(session, when).append(DatabaseDown("lost"))
    with pytest.raises(DatabaseDown):
        writer.submit(issued_item()).result(WAIT)
    writer.submit(issued_item()).result(WAIT)
    writer.close()
    assert session.commits == 3, "a place that is taken was tried"
    check_whole(**{STREAM: stored})


def test_places_that_a_late_commit_took_are_left_to_it() -> None:
    """The database finishes a commit after the writer has already looked where it is."""
    writer, late = new_writer(), new_writer()
    late.submit(issued_item()).result(WAIT)
    writer.submit(issued_item()).result(WAIT)
    late.close()
    writer.close()
    check_whole(**{STREAM: 2})


def test_a_database_that_is_behind_what_it_confirmed_leaves_a_gap() -> None:
    session = FailingSession()
    writer = new_writer(session=session)
    for _ in range(3):
        writer.submit(BatchItem(audit=audit_row())).result(WAIT)
    sql("DELETE FROM audit_events WHERE seq > 1")
    session.before.append(DatabaseDown("failed over"))
    with pytest.raises(DatabaseDown):
        writer.submit(BatchItem(audit=audit_row())).result(WAIT)
    writer.submit(BatchItem(audit=audit_row())).result(WAIT)
    writer.close()
    (finding,) = verified().findings
    assert (finding.what, finding.seq) == ("deleted", 2)


def test_an_undone_transaction_uses_up_no_number() -> None:
    records = records_of()

    def add_two(undo: bool) -> None:
        with records.transaction() as transaction:
            transaction.add_audit(audit_row())
            transaction.add_audit(audit_row())
            if undo:
                raise KeyError

    add_event(records)
    with pytest.raises(KeyError):
        add_two(undo=True)
    add_two(undo=False)
    check_whole(**{STREAM: 3})


def test_a_transaction_that_happened_although_it_failed_is_taken_up() -> None:
    records = records_of()
    add_event(records)
    late = EventStream(own_stream().new_chain)
    with late.transaction() as transaction:
        late_chain = transaction._ahead()
        late_chain.find_head(stored_head(STREAM))
        transaction.chain = late_chain
        transaction.add(audit_row())
    with pytest.raises(AlreadyExists):
        add_event(records)
    add_event(records)
    check_whole(**{STREAM: 3})


def test_commands_of_two_processes_share_one_stream() -> None:
    one, other = records_of(COMMANDS_STREAM), records_of(COMMANDS_STREAM)
    for records in (one, other, other, one):
        add_event(records)
    check_whole(commands=4)


def test_commands_at_the_same_moment_follow_one_another() -> None:
    together = threading.Barrier(3)

    def run() -> None:
        events = EventStream(own_stream(COMMANDS_STREAM).new_chain)
        together.wait()
        for _ in range(10):
            # As a new CRL does, which is no change of a record.
            with events.transaction() as transaction:
                transaction.add(audit_row())
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check_whole(commands=30)


def test_a_store_without_a_chain_writes_no_event() -> None:
    with pytest.raises(RuntimeError, match="without a chain"):
        add_event(DjangoRecordStore())
    assert list_events() == ()


def test_a_successor_closes_the_stream_of_a_process_that_was_killed() -> None:
    first, second, third = (own_stream(name) for name in ("first", "second", "third"))
    elsewhere = own_stream("elsewhere", process="est-1")
    for own in (first, elsewhere):
        open_it(own)
        add_event(records_of_process(own))
    for own in (second, third):
        open_it(own)
    closings = [each for each in list_events() if each.event.kind == CLOSED_KIND]
    assert [(each.stream, each.event.target) for each in closings] == [
        ("third", "stream:second"),
        ("second", "stream:first"),
    ]
    report = verified()
    assert report.findings == ()
    covered = {one.stream: (one.last, one.covered) for one in report.streams}
    assert covered == {"first": (1, 1), "second": (1, 1), "third": (1, 0), "elsewhere": (1, 0)}


_stores: dict[OwnStream, DjangoRecordStore] = {}


def records_of_process(own: OwnStream) -> DjangoRecordStore:
    return _stores.setdefault(own, DjangoRecordStore(EventStream(own.new_chain)))


def open_it(own: OwnStream) -> None:
    def write(row: AuditRow) -> None:
        with records_of_process(own).transaction() as transaction:
            transaction.add_audit(row)

    _stores.pop(own, None)
    open_stream(own, DjangoAuditStreamStore(), write, NOW)


def test_an_interrupted_closing_is_repeated() -> None:
    streams = DjangoAuditStreamStore()
    open_it(own_stream("first"))
    add_event(records_of_process(own_stream("first")))
    streams.open("second", node="n", process="est-0", at=NOW)
    open_it(own_stream("third"))
    open_it(own_stream("fourth"))
    targets = [each.event.target for each in list_events() if each.event.kind == CLOSED_KIND]
    assert targets == ["stream:third", "stream:second", "stream:first"]
    assert verified().findings == ()


def test_an_event_of_any_table_row_that_was_edited_is_found() -> None:
    records = records_of()
    for _ in range(3):
        add_event(records)
    sql("UPDATE audit_events SET actor = 'mallory' WHERE seq = 2")
    (finding,) = verified().findings
    assert (finding.what, finding.stream, finding.seq) == ("edited", STREAM, 2)


# SQLite takes any value for any column, and of a check nobody may learn less because one value is strange.
STRANGE = ("'garbage'", "x'ff'", "9e999", "7", "CAST(x'ff' AS TEXT)", "'2026-13-45 00:00:00'")
CHAINED = (
    "stream",
    "seq",
    "previous",
    "hash",
    "at",
    "kind",
    "actor_kind",
    "actor",
    "target",
    "address",
    "detail",
)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("value", STRANGE)
@pytest.mark.parametrize("column", CHAINED)
def test_a_value_that_no_column_holds_is_found_as_an_altered_event(column: str, value: str) -> None:
    records = records_of()
    for number in range(3):
        add_event(records, target=f"application:{number}")
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE audit_events SET {column} = {value} WHERE seq = 2")  # no input
    report = verified()
    assert report.found
    assert report.events == 3
    list_events(limit=10)
    stored_head(STREAM)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("value", STRANGE)
@pytest.mark.parametrize("column", ["at", "operation", "property_key", "before", "after", "database_user"])
def test_a_strange_property_change_keeps_no_other_from_its_event(column: str, value: str) -> None:
    with connection.cursor() as cursor:
        for key in ("first", "second"):
            cursor.execute(
                "INSERT INTO property_changes (at, operation, property_key, before, after, database_user)"
                " VALUES ('2026-11-23 12:00:00', 'changed', %s, NULL, '{}', '')",
                [key],
            )
        cursor.execute(f"UPDATE property_changes SET {column} = {value} WHERE id = 1")  # no input
    changes = DjangoPropertyChangeStore(EventStream(own_stream().new_chain))
    assert audit_property_changes(changes, FixedClock()) == 2
    assert "property:second" in [stored.event.target for stored in list_events(limit=10)]
    check_whole(**{STREAM: 2})


def test_an_event_that_was_inserted_by_sql_is_found() -> None:
    add_event(records_of())
    sql(
        "INSERT INTO audit_events (at, kind, actor_kind, actor, target, request_id, address, detail)"
        " SELECT at, kind, actor_kind, actor, target, request_id, address, detail FROM audit_events"
    )
    assert [finding.what for finding in verified().findings] == ["unchained"]


def test_checkpoints_are_kept_in_order_and_the_oldest_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints_module, "KEPT", 2)
    store, key = DjangoCheckpointStore(), ec.generate_private_key(ec.SECP256R1())
    assert (store.latest(), store.newest_event()) == (None, 0)
    signed = [
        sign_checkpoint(Checkpoint(instance="i", number=number, at=NOW, streams={}, previous=""), key)
        for number in (1, 2, 3)
    ]
    for one in signed:
        store.add(one)
    with pytest.raises(AlreadyExists):
        store.add(signed[-1])
    assert store.latest() == signed[-1]
    assert list(store.all()) == list(store.after(0)) == signed[1:]
    assert store.after(2) == (signed[2],)


def test_a_checkpoint_job_sees_heads_and_streams() -> None:
    open_it(own_stream())
    add_event(records_of())
    add_event(records_of(COMMANDS_STREAM))
    store = DjangoCheckpointStore()
    newest = store.newest_event()
    assert store.streams_since(0) == {STREAM, COMMANDS_STREAM}
    assert store.streams_since(newest - 1) == {COMMANDS_STREAM}
    assert store.open_streams() == {STREAM}
    heads = store.heads({STREAM, COMMANDS_STREAM, "unheard"})
    assert heads == {STREAM: stored_head(STREAM), COMMANDS_STREAM: stored_head(COMMANDS_STREAM)}
