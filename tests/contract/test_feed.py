"""The contract of `ConfigFeed`, and what the snapshot makes of it, on both databases."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from certuary.services.load_snapshot import SnapshotLoader
from certuary.services.ports import CertificateRow, Record, RecordTransaction
from certuary.services.record_gate import Key, RecordGate, key_of
from certuary.services.seal_changes import Sealing, open_gate, seal_changes
from certuary.services.trusted_feed import TrustedFeed
from certuary.store.feed import DjangoConfigFeed
from certuary.store.records import DjangoRecordStore
from tests.contract.rows import NOW, add_group, application_values, certificate_row, profile_version_row
from tests.memory_records import MARKER
from tests.sealed_rows import sign_rows
from tests.unit.services.sealing import new_high_water, new_sealing, trust

pytestmark = pytest.mark.usefixtures("database_url")


@pytest.fixture
def store() -> DjangoRecordStore:
    return DjangoRecordStore()


@pytest.fixture
def feed() -> DjangoConfigFeed:
    return DjangoConfigFeed()


def names(feed: DjangoConfigFeed, since: int) -> list[tuple[str, object]]:
    return [(record.kind, record.values["name"]) for record in feed.read(since).records]


def test_the_first_read_gives_everything_that_is_not_retired(
    store: DjangoRecordStore, feed: DjangoConfigFeed
) -> None:
    add_group(store)
    with store.transaction() as transaction:
        gone = transaction.create("application", application_values("gone"))
        transaction.create("application", application_values("here"))
        transaction.retire("application", gone.id)
    delta = feed.read(0)
    assert [record.values["name"] for record in delta.records] == ["group GRP_001", "here"]
    assert delta.retired == ()
    assert delta.revoked == ()


def test_a_later_read_gives_only_what_changed(store: DjangoRecordStore, feed: DjangoConfigFeed) -> None:
    add_group(store)
    with store.transaction() as transaction:
        first = transaction.create("application", application_values("first"))
        second = transaction.create("application", application_values("second"))
    revision = feed.read(0).revision
    with store.transaction() as transaction:
        transaction.update("application", first.id, {"enabled": False})
        transaction.retire("application", second.id)
    delta = feed.read(revision)
    assert [(record.values["name"], record.values["enabled"]) for record in delta.records] == [
        ("first", False)
    ]
    assert delta.retired == (("application", second.id),)
    assert delta.revision == revision + 1


def test_a_new_profile_version_is_a_change_of_its_profile(
    store: DjangoRecordStore, feed: DjangoConfigFeed
) -> None:
    with store.transaction() as transaction:
        profile = transaction.create("profile", {"name": "tls-device"})
    revision = feed.read(0).revision
    assert isinstance(profile.id, int)
    with store.transaction() as transaction:
        transaction.add_profile_version(
            profile_version_row(profile.id, number=1, toml="text", created_by="alice")
        )
    (record,) = feed.read(revision).records
    assert record.values["toml"] == "text"


def test_revocations_are_told_once_they_are_news(store: DjangoRecordStore, feed: DjangoConfigFeed) -> None:
    rows: list[CertificateRow] = [certificate_row() for _ in range(3)]
    with store.transaction() as transaction:
        for row in rows:
            transaction.add_certificate(row)
    for row in rows[:2]:
        with store.transaction() as transaction:
            transaction.revoke_certificate(2, row.serial, at=NOW, reason="superseded", marker=MARKER)
    revision = feed.read(0).revision
    assert feed.read(0).revoked == ()
    assert feed.read(revision - 1).revoked == ((2, rows[1].serial),)
    assert feed.read(revision).revoked == ()


def test_properties_typed_in_sql_show_without_a_new_revision(feed: DjangoConfigFeed) -> None:
    revision = feed.read(0).revision
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO api_properties (property_key, property_value) VALUES ('est.ca.server.group.id', 'GRP_001')"
        )
    delta = feed.read(revision)
    assert delta.revision == revision
    assert delta.properties == {"est.ca.server.group.id": ("GRP_001", "Active")}


def test_users_are_not_fed_to_the_processes(store: DjangoRecordStore, feed: DjangoConfigFeed) -> None:
    user = {"name": "alice", "role": "auditor", "group_ids": [], "password_hash": "x", "enabled": True}
    with store.transaction() as transaction:
        transaction.create("user", user)
    assert feed.read(0).records == ()


def test_a_read_with_no_news_is_three_statements(feed: DjangoConfigFeed) -> None:
    revision = feed.read(0).revision
    with CaptureQueriesContext(connection) as captured:
        feed.read(revision)
    assert len(captured) == 3


def test_a_read_does_not_wait_for_a_writer(store: DjangoRecordStore, feed: DjangoConfigFeed) -> None:
    add_group(store)
    seen: list[list[tuple[str, object]]] = []

    def read_elsewhere() -> None:
        seen.append(names(feed, 0))
        connection.close()

    with store.transaction() as transaction:
        transaction.create("group", {"code": "GRP_002", "name": "uncommitted"})
        reader = threading.Thread(target=read_elsewhere)
        reader.start()
        reader.join(5)
    assert seen == [[("group", "group GRP_001")]]


def test_a_loader_refreshes_only_when_something_changed(
    store: DjangoRecordStore, feed: DjangoConfigFeed
) -> None:
    sealing = new_sealing()
    group = add_group(store)
    seal(store, sealing, [key_of(group)])
    loader = new_loader(feed)
    loader.load()
    assert loader.refresh() is None
    with store.transaction() as transaction:
        application = transaction.create("application", application_values("gateways"))
        seal_within(transaction, sealing, [key_of(application)])
    snapshot = loader.refresh()
    assert snapshot is not None
    assert snapshot.applications["gateways-user"].name == "gateways"
    assert loader.refresh() is None


def test_ten_thousand_applications_load_without_stalling_others(
    store: DjangoRecordStore, feed: DjangoConfigFeed
) -> None:
    sealing = new_sealing()
    seal(store, sealing, [key_of(add_group(store))])
    insert_sealed_applications(store, sealing, 10_000)
    loader = new_loader(feed)
    collections: list[object] = []
    gc.callbacks.append(lambda phase, _info: collections.append(phase))
    try:
        longest = longest_pause_while(loader.load)
    finally:
        gc.callbacks.pop()
    assert collections == []
    assert len(loader.load().applications) == 10_000
    # An enrolment takes a millisecond; the interpreter gives way every 5 ms. Generous, for a busy machine.
    assert longest < 0.25
    with store.transaction() as transaction:
        transaction.update("application", 77, {"enabled": False})
        seal_within(transaction, sealing, [Key("application", 77)])
    began = time.perf_counter()
    snapshot = loader.refresh()
    assert time.perf_counter() - began < 0.25
    assert snapshot is not None
    assert not snapshot.applications_by_id[77].enabled


def new_loader(feed: DjangoConfigFeed) -> SnapshotLoader:
    gate = RecordGate(trust(), new_high_water())
    return SnapshotLoader(
        TrustedFeed(feed, gate, lambda seen: None), lambda name: None, "http://status.example"
    )


def seal(store: DjangoRecordStore, sealing: Sealing, keys: Iterable[Key]) -> None:
    with store.transaction() as transaction:
        seal_within(transaction, sealing, keys)


def seal_within(transaction: RecordTransaction, sealing: Sealing, keys: Iterable[Key]) -> None:
    sealing.high_water.rise(seal_changes(transaction, keys, open_gate(transaction, sealing), sealing, NOW))


def insert_sealed_applications(store: DjangoRecordStore, sealing: Sealing, count: int) -> None:
    from certuary.store.models import Application

    rule = "CN=dev-*,O=Acme; dns=.plant.example"
    signed = sign_rows(
        [
            Record(
                kind="application",
                id=number,
                revision=0,
                values={"created_at": NOW, **application_values(f"a{number}", subject_rule=rule)},
            )
            for number in range(1, count + 1)
        ],
        store,
        sealing,
        NOW,
    )
    with store.transaction() as transaction:
        for part in signed.parts:
            transaction.put_manifest_part(part)
        transaction.put_manifest(signed.head)
        Application.objects.bulk_create(
            Application(id=row.id, revision=2, version=row.version, seal=row.seal, **row.values)
            for row in signed.records
        )


def longest_pause_while(act: Callable[[], object]) -> float:
    """The longest that another thread of this process had to wait for the interpreter."""
    longest, done = [0.0], threading.Event()

    def tick() -> None:
        before = time.perf_counter()
        while not done.is_set():
            time.sleep(0.0005)
            now = time.perf_counter()
            longest[0] = max(longest[0], now - before)
            before = now

    ticker = threading.Thread(target=tick)
    ticker.start()
    try:
        act()
    finally:
        done.set()
        ticker.join()
    return longest[0]
