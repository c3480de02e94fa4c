"""What seals ask of the stores, on both databases: rows altered by plain SQL are found, whatever was written there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from certuary.services.change_deps import ChangeDeps
from certuary.services.change_record import change_records
from certuary.services.ports import SEALED_KINDS, ManifestPartRow, ManifestRow, RecordKind, Subject
from certuary.services.record_gate import Key, RecordGate, key_of
from certuary.services.seal_changes import Sealing, open_gate, seal_changes
from certuary.services.trusted_feed import TrustedFeed
from certuary.services.verify_seals import verify_seals
from certuary.services.watch_seals import SealWatch
from certuary.store import record_rows
from certuary.store.authenticators import digests
from certuary.store.feed import KINDS, DjangoConfigFeed
from certuary.store.records import DjangoRecordStore
from certuary.store.row_watch import DjangoRowWatch
from tests.contract.rows import NOW, application_values, new_store, sql
from tests.memory_records import MARKER, FixedClock
from tests.unit.services.sealing import ROOT_USER, new_sealing, password_hash, signing_key, trust

pytestmark = pytest.mark.usefixtures("database_url")

VALUES: list[tuple[RecordKind, dict[str, Any]]] = [
    (
        "authority",
        {
            "name": "root",
            "kind": "root",
            "issuer_id": None,
            "key_name": "root",
            "key_type": "ec-p256",
            "subject": "CN=Root",
            "serial": "01",
            "certificate_der": b"\x00\xff",
            "not_before": NOW,
            "not_after": NOW,
            "crl_lifetime_seconds": 60,
        },
    ),
    ("group", {"code": "GRP_001", "name": "Default"}),
    ("profile", {"name": "tls-device", "toml": "a = 1"}),
    ("label", {"name": "plant", "profile_id": 1}),
    ("application", application_values("line-1", expires_at=NOW + timedelta(days=3))),
    (
        "user",
        {
            "name": "olga",
            "role": "auditor",
            "group_ids": [1],
            "password_hash": password_hash(),
            "enabled": True,
            "compromised_keys": {"ab": "2026-11-23T12:00:00.000000+00:00"},
            "must_change_password": True,
            **signing_key("olga").columns,
        },
    ),
    ("switch", {"name": "two-persons.label", "enabled": True}),
    (
        "approval",
        {
            "name": "APR-0011aabb",
            "kind": "application",
            "change": "application-new",
            "title": "A new external application",
            "content": '{"name":"plant"}',
            "shown": '["A new external application", [], []]',
            "requester": "root-user",
            "requester_id": 1,
            "group_ids": [1],
            "least_role": "administrator",
            "expires_at": NOW + timedelta(days=7),
            "state": "waiting",
            "decided_by": "",
            "decided_at": NOW,
            "reason": "",
            "request_seal": "",
        },
    ),
]
# Another value for each column, as SQL.
OTHERS: dict[RecordKind, dict[str, str]] = {
    "authority": {
        "name": "'other'",
        "kind": "'issuing'",
        "issuer_id": "1",
        "key_name": "'other'",
        "key_type": "'ed25519'",
        "subject": "'CN=Other'",
        "serial": "'02'",
        "certificate_der": "BLOB",
        "not_before": "'2020-01-01 00:00:00+00:00'",
        "not_after": "'2040-01-01 00:00:00+00:00'",
        "crl_lifetime_seconds": "61",
    },
    "group": {"code": "'GRP_002'", "name": "'Other'"},
    "profile": {"name": "'other'", "current_version": "0"},
    "label": {"name": "'other'", "profile_id": "2"},
    "application": {
        "name": "'other'",
        "username": "'other'",
        "password_hash": "'other'",
        "group_id": "2",
        "networks": "'[]'",
        "profile_ids": "'[2]'",
        "labels": "'[]'",
        "subject_rule": "'CN=x'",
        "enabled": "FALSE",
        "expires_at": "NULL",
    },
    "user": {
        "name": "'other'",
        "role": "'ca-administrator'",
        "group_ids": "'[1, 2]'",
        "password_hash": "'other'",
        "enabled": "FALSE",
        "signing_key": "''",
        "signing_certificate": "''",
        "compromised_keys": "NULL",
        "authenticators": """'["other"]'""",
        "must_change_password": "FALSE",
        "identities": """'[{"kind": "certificate"}]'""",
    },
    "switch": {"name": "'two-persons.user'", "enabled": "FALSE"},
    "approval": {
        "name": "'APR-other'",
        "kind": "'profile'",
        "change": "'application-edit'",
        "title": "'Something harmless'",
        "content": "'{}'",
        "shown": "'[]'",
        "requester": "'other'",
        "requester_id": "2",
        "group_ids": "'[2]'",
        "least_role": "''",
        "expires_at": "'2040-01-01 00:00:00+00:00'",
        "state": "'approved'",
        "decided_by": "'other'",
        "decided_at": "'2020-01-01 00:00:00+00:00'",
        "reason": "'other'",
        "request_seal": "'other'",
    },
}
EVERY = {"created_at": "'2020-01-01 00:00:00+00:00'", "version": "9", "seal": "''"}
COLUMNS = [
    (kind, column, value) for kind in SEALED_KINDS for column, value in {**OTHERS[kind], **EVERY}.items()
]


@pytest.fixture
def store(database_url: str) -> DjangoRecordStore:
    return new_store()


@pytest.fixture
def sealing() -> Sealing:
    return new_sealing()


@pytest.fixture
def deps(store: DjangoRecordStore, sealing: Sealing) -> ChangeDeps:
    """One record of each kind is there, and a second profile and group to point at."""
    made = ChangeDeps(
        records=store, clock=FixedClock(), marker=lambda: MARKER, request_id="r1", sealing=sealing
    )
    with change_records(ROOT_USER, made) as changes:
        for kind, values in VALUES:
            changes.create(kind, values)
        changes.create("group", {"code": "GRP_003", "name": "Second"})
        changes.create("profile", {"name": "second", "toml": "a = 2"})
    return made


def alter(kind: RecordKind, column: str, value: str, where: str = "id = 1") -> None:
    sql(f"UPDATE {record_rows.MODELS[kind]._meta.db_table} SET {column} = {value} WHERE {where}")


def gate_of(store: DjangoRecordStore, sealing: Sealing) -> RecordGate:
    return RecordGate.open(store, trust(), sealing.high_water)


def found(store: DjangoRecordStore, sealing: Sealing) -> list[tuple[str, str]]:
    return [
        (one.kind, one.reason) for one in verify_seals(store, gate_of(store, sealing), lambda: None, digests)
    ]


def new_watch(sealing: Sealing) -> SealWatch:
    return SealWatch(DjangoRowWatch(), RecordGate(trust(), sealing.high_water))


def test_the_table_of_columns_is_complete() -> None:
    for kind in SEALED_KINDS:
        assert {*record_rows.columns(kind), "version", "seal"} == {*OTHERS[kind], *EVERY}


@pytest.mark.usefixtures("deps")
def test_every_kind_of_record_holds_as_the_database_gives_it_back(
    store: DjangoRecordStore, sealing: Sealing
) -> None:
    assert found(store, sealing) == []
    assert new_watch(sealing).look().broken == {}
    read = TrustedFeed(DjangoConfigFeed(), RecordGate(trust(), sealing.high_water), lambda seen: None).read(0)
    assert (read.blocked, read.distrusted) == (None, {})


@pytest.mark.usefixtures("deps")
@pytest.mark.parametrize(("kind", "column", "value"), COLUMNS)
def test_each_column_altered_by_sql_is_found_and_named(
    kind: RecordKind, column: str, value: str, store: DjangoRecordStore, sealing: Sealing
) -> None:
    watch = new_watch(sealing)
    watch.look()
    rows = DjangoRowWatch()
    before = rows.fingerprints(kind)
    alter(kind, column, value)
    ((found_kind, reason),) = found(store, sealing)
    assert found_kind == kind
    expected = {"version": "its version 9 was never signed", "seal": "its seal was removed"}
    assert expected.get(column, column) in reason
    assert {key for key, mark in rows.fingerprints(kind).items() if before[key] != mark} == {1}
    look = watch.look()
    assert len(look.broken) == 1
    assert look.quiet == (Key(kind, 1),)


@pytest.mark.usefixtures("deps")
@pytest.mark.parametrize("column", ["toml", "number", "profile_id"])
def test_the_text_of_a_profile_is_part_of_it(column: str, store: DjangoRecordStore, sealing: Sealing) -> None:
    watch = new_watch(sealing)
    watch.look()
    value = "'b = 1'" if column == "toml" else "7" if column == "number" else "2"
    if column == "profile_id":
        sql("UPDATE profile_versions SET number = 9 WHERE profile_id = 2")
    sql(f"UPDATE profile_versions SET {column} = {value} WHERE profile_id = 1")
    assert ("profile", "toml") in [
        (kind, reason.split(",")[0].split(":")[0]) for kind, reason in found(store, sealing)
    ]
    assert Subject("profile", "tls-device") in watch.look().broken


@pytest.mark.usefixtures("deps")
def test_a_revision_alone_changes_nothing(store: DjangoRecordStore, sealing: Sealing) -> None:
    rows = DjangoRowWatch()
    before = {kind: rows.fingerprints(kind) for kind in SEALED_KINDS}
    with store.transaction() as changes:
        for kind in SEALED_KINDS:
            changes.touch(kind, 1)
    assert {kind: rows.fingerprints(kind) for kind in SEALED_KINDS} == before
    assert found(store, sealing) == []


def test_a_row_that_is_touched_is_fed_again_and_nothing_else(
    store: DjangoRecordStore, deps: ChangeDeps
) -> None:
    feed = DjangoConfigFeed()
    revision = feed.read(0).revision
    with store.transaction() as changes:
        changes.touch("application", 1)
        changes.touch("application", 999)
    delta = feed.read(revision)
    assert [key_of(record) for record in delta.records] == [Key("application", 1)]
    assert delta.parts == ()


def test_a_manifest_that_is_touched_is_fed_with_all_its_parts(
    store: DjangoRecordStore, deps: ChangeDeps
) -> None:
    feed = DjangoConfigFeed()
    first = feed.read(0)
    with store.transaction() as changes:
        changes.touch_manifest()
    delta = feed.read(first.revision)
    assert delta.records == ()
    assert {(part.kind, part.number) for part in delta.parts} == {(kind, 0) for kind in SEALED_KINDS}
    assert set(delta.parts) == set(first.parts)
    assert delta.part_names == frozenset((kind, 0) for kind in SEALED_KINDS)


def test_a_change_is_fed_with_its_part_the_head_and_the_counts(deps: ChangeDeps) -> None:
    feed = DjangoConfigFeed()
    first = feed.read(0)
    with change_records(ROOT_USER, deps) as changes:
        changes.create("application", application_values("line-2"))
    delta = feed.read(first.revision)
    assert [(part.kind, part.number) for part in delta.parts] == [("application", 0)]
    assert delta.manifest != first.manifest
    assert (first.counts["application"], delta.counts["application"]) == (1, 2)
    assert "user" not in delta.counts


def test_manifest_and_parts_are_kept_and_replaced(store: DjangoRecordStore) -> None:
    assert store.manifest() is None
    assert store.manifest_part("application", 0) is None
    for body in ("first", "second \u00e4 \U0001f600"):
        with store.transaction() as changes:
            changes.put_manifest(ManifestRow(body=body, signature=b"\x00\xff"))
            changes.put_manifest_part(ManifestPartRow(kind="application", number=0, body=body))
            assert changes.manifest() == ManifestRow(body=body, signature=b"\x00\xff")
        assert store.manifest() == ManifestRow(body=body, signature=b"\x00\xff")
        assert store.manifest_part("application", 0) == ManifestPartRow(
            kind="application", number=0, body=body
        )
    assert store.manifest_part("application", 1) is None
    assert DjangoRowWatch().manifest_parts() == (store.manifest_part("application", 0),)


def _seal_and_fail(store: DjangoRecordStore, sealing: Sealing) -> None:
    with store.transaction() as changes:
        label = changes.create("label", {"name": "other", "profile_id": 1})
        seal_changes(changes, [key_of(label)], open_gate(changes, sealing), sealing, NOW)
        raise ZeroDivisionError


def test_a_change_that_is_undone_leaves_the_manifest_as_it_was(
    store: DjangoRecordStore, deps: ChangeDeps, sealing: Sealing
) -> None:
    before = store.manifest(), store.manifest_part("label", 0), sealing.high_water.newest()
    with pytest.raises(ZeroDivisionError):
        _seal_and_fail(store, sealing)
    assert (store.manifest(), store.manifest_part("label", 0), sealing.high_water.newest()) == before


def test_a_retired_record_is_sealed_found_by_number_and_listed(
    store: DjangoRecordStore, deps: ChangeDeps, sealing: Sealing
) -> None:
    application = store.find("application", name="line-1")
    assert application is not None
    with change_records(ROOT_USER, deps) as changes:
        changes.retire(application)
    (gone,) = store.retired("application")
    assert gone == store.find_ever("application", 1)
    assert (gone.version, gone.removed_at is None) == (2, False)
    gate_of(store, sealing).check_alone(gone)
    assert DjangoRowWatch().fingerprints("application") == {}
    assert found(store, sealing) == []
    with store.transaction() as changes_:
        assert changes_.find_ever("application", 1) == gone
        assert changes_.find_ever("application", 2) is None
    alter("application", "group_id", "2")
    assert [kind for kind, _ in found(store, sealing)] == ["application"]


def test_what_was_told_of_problems_is_kept(store: DjangoRecordStore) -> None:
    subject = Subject("application", "line-1")
    with store.transaction() as changes:
        changes.put_problem(subject, "first", NOW)
        changes.put_problem(subject, "second", NOW)
        changes.put_problem(Subject("user", "olga"), "third", NOW)
        assert changes.problems_told()[subject] == "second"
    with store.transaction() as changes:
        changes.remove_problem(Subject("user", "olga"))
        changes.remove_problem(Subject("user", "nobody"))
    assert store.problems_told() == {subject: "second"}


def test_an_event_of_a_problem_raises_no_revision(store: DjangoRecordStore) -> None:
    revision = DjangoConfigFeed().read(0).revision
    with store.transaction() as changes:
        changes.put_problem(Subject("application", "line-1"), "why", NOW)
    assert DjangoConfigFeed().read(0).revision == revision


def test_rows_are_read_by_their_numbers(store: DjangoRecordStore, deps: ChangeDeps) -> None:
    rows = DjangoRowWatch()
    assert [record.id for record in rows.by_ids("profile", [2, 1, 99])] == [2, 1]
    assert rows.by_ids("profile", []) == ()
    assert rows.by_ids("profile", [1])[0].values["toml"] == "a = 1"


# SQLite takes any value for any column; whoever writes such a one must be found like anybody else.
STRANGE = ["'garbage'", "BLOB", "9e999", "CAST(X'ff' AS TEXT)", "'2026-13-45 00:00:00'"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.usefixtures("deps")
@pytest.mark.parametrize("value", STRANGE)
@pytest.mark.parametrize(
    ("kind", "column"),
    [(kind, column) for kind, column, _ in COLUMNS] + [("application", "removed_at")],
)
def test_a_value_that_no_column_holds_breaks_its_own_record_only(
    kind: RecordKind, column: str, value: str, store: DjangoRecordStore, sealing: Sealing
) -> None:
    watch = new_watch(sealing)
    watch.look()
    try:
        with transaction.atomic():
            alter(kind, column, value)
    except DatabaseError:
        return  # a constraint holds it off
    reasons = found(store, sealing)
    assert {one for one, _ in reasons} == {kind}
    assert {subject.kind for subject in watch.look().broken} == {kind}
    read = TrustedFeed(DjangoConfigFeed(), RecordGate(trust(), sealing.high_water), lambda seen: None).read(0)
    assert read.blocked is None
    if kind in KINDS:
        assert {key.kind for key in read.distrusted} == {kind}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.usefixtures("deps")
@pytest.mark.parametrize("value", [*STRANGE, "7"])
@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("manifest", "body"),
        ("manifest", "signature"),
        ("manifest_parts", "body"),
        ("manifest_parts", "number"),
    ],
)
def test_a_strange_manifest_is_one_that_is_not_believed(
    table: str, column: str, value: str, store: DjangoRecordStore, sealing: Sealing
) -> None:
    watch = new_watch(sealing)
    watch.look()
    with transaction.atomic():
        sql(f"UPDATE {table} SET {column} = {value} WHERE id = 1")
    assert watch.look().broken
    read = TrustedFeed(DjangoConfigFeed(), RecordGate(trust(), sealing.high_water), lambda seen: None).read(0)
    assert read.blocked is not None or read.distrusted


def test_a_seal_covers_what_a_column_holds_and_not_how_the_database_writes_it(
    store: DjangoRecordStore, deps: ChangeDeps, sealing: Sealing
) -> None:
    """JSON with other blanks is the same value."""
    alter("application", "networks", "'[ \"192.0.2.0/24\" ]'")
    assert found(store, sealing) == []
