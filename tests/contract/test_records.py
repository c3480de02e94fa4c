"""The contract of `RecordStore`, and of the triggers that audit plain SQL, on both databases."""

from __future__ import annotations

import itertools
import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from certuary.errors import AlreadyExists, AlreadyRevoked, NotFound
from certuary.services.audit_property_changes import audit_property_changes
from certuary.services.ports import AuditRow, RecordKind
from certuary.store.audit import list_events
from certuary.store.certificates import DjangoCertificateReader
from certuary.store.database import time_parameter
from certuary.store.event_stream import EventStream
from certuary.store.feed import DjangoConfigFeed
from certuary.store.property_changes import DjangoPropertyChangeStore
from certuary.store.records import DjangoRecordStore
from tests.contract.rows import (
    NOW,
    add_group,
    application_values,
    audit_row,
    certificate_row,
    new_chain,
    new_store,
    profile_version_row,
    sql,
)
from tests.memory_records import MARKER, FixedClock

pytestmark = pytest.mark.usefixtures("database_url")


@pytest.fixture
def store() -> DjangoRecordStore:
    return new_store()


def current_revision() -> int:
    return DjangoConfigFeed().read(0).revision


def test_a_created_record_is_found_with_all_its_values(store: DjangoRecordStore) -> None:
    add_group(store)
    values = application_values("gateways", expires_at=NOW + timedelta(days=3), networks=["::1/128"])
    with store.transaction() as transaction:
        created = transaction.create("application", values)
    found = store.find("application", username="gateways-user")
    assert found == created
    assert {key: found.values[key] for key in values} == values


def test_every_kind_of_record_can_be_created_and_listed_by_name(store: DjangoRecordStore) -> None:
    authority = {
        "name": "root", "kind": "root", "issuer_id": None, "key_name": "root", "key_type": "ec-p256",
        "subject": "CN=Root", "serial": "01", "certificate_der": b"\x00\xff", "not_before": NOW,
        "not_after": NOW, "crl_lifetime_seconds": 60,
    }  # fmt: skip
    user = {"name": "alice", "role": "auditor", "group_ids": [1], "password_hash": "x", "enabled": False}
    wanted: list[tuple[RecordKind, dict[str, Any]]] = [
        ("authority", authority),
        ("group", {"code": "GRP_002", "name": "plant"}),
        ("profile", {"name": "tls-device"}),
        ("label", {"name": "plant", "profile_id": 1}),
        ("application", application_values("gateways")),
        ("user", user),
        ("property", {"property_key": "some.key", "property_value": "7", "status": "Inactive"}),
    ]
    with store.transaction() as transaction:
        for kind, values in wanted:
            transaction.create(kind, values)
    for kind, values in wanted:
        (record,) = store.all(kind)
        assert {key: record.values[key] for key in values} == values, kind


def test_records_are_listed_by_name(store: DjangoRecordStore) -> None:
    add_group(store)
    with store.transaction() as transaction:
        for name in ("pear", "apple", "quince"):
            transaction.create("application", application_values(name))
    assert [record.values["name"] for record in store.all("application")] == ["apple", "pear", "quince"]


def test_an_exception_undoes_the_whole_transaction(store: DjangoRecordStore) -> None:
    before = current_revision()

    def change_and_fail() -> None:
        with store.transaction() as transaction:
            transaction.create("group", {"code": "GRP_001", "name": "plant"})
            transaction.add_audit(audit_row())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        change_and_fail()
    assert store.all("group") == ()
    assert list_events() == ()
    assert current_revision() == before


def test_a_transaction_takes_one_new_revision(store: DjangoRecordStore) -> None:
    before = current_revision()
    with store.transaction() as transaction:
        first = transaction.create("group", {"code": "GRP_001", "name": "plant"})
        second = transaction.create("group", {"code": "GRP_002", "name": "lab"})
        transaction.update("group", first.id, {"name": "works"})
    assert first.revision == second.revision == before + 1 == current_revision()


def test_an_audit_event_alone_takes_no_revision(store: DjangoRecordStore) -> None:
    before = current_revision()
    with store.transaction() as transaction:
        transaction.add_audit(audit_row(kind="user.signed-in"))
    assert current_revision() == before
    assert [each.event for each in list_events()] == [audit_row(kind="user.signed-in")]


def test_transactions_of_two_threads_follow_one_another(store: DjangoRecordStore) -> None:
    opened, finish = threading.Event(), threading.Event()
    second: list[int] = []

    def hold_a_transaction() -> None:
        with store.transaction() as transaction:
            transaction.create("group", {"code": "GRP_001", "name": "plant"})
            opened.set()
            finish.wait(5)
        connection.close()

    def change_too() -> None:
        second.append(add_group(store, "GRP_002").revision)
        connection.close()

    threads = [threading.Thread(target=act) for act in (hold_a_transaction, change_too)]
    threads[0].start()
    assert opened.wait(5)
    threads[1].start()
    threads[1].join(0.2)
    assert second == []
    finish.set()
    for thread in threads:
        thread.join()
    revisions = {each.values["code"]: each.revision for each in store.all("group")}
    assert revisions == {"GRP_001": 2, "GRP_002": 3}


@pytest.mark.parametrize("taken", [{"name": "gateways"}, {"username": "gateways-user"}])
def test_a_taken_name_is_refused_and_named(store: DjangoRecordStore, taken: dict[str, str]) -> None:
    add_group(store)
    with store.transaction() as transaction:
        transaction.create("application", application_values("gateways"))
    with pytest.raises(AlreadyExists, match=next(iter(taken.values()))), store.transaction() as transaction:
        transaction.create("application", application_values("other") | taken)


def test_an_update_cannot_take_another_records_name(store: DjangoRecordStore) -> None:
    add_group(store)
    lab = add_group(store, "GRP_002")
    with pytest.raises(AlreadyExists), store.transaction() as transaction:
        transaction.update("group", lab.id, {"code": "GRP_001"})


def test_a_record_keeps_its_own_name_in_an_update(store: DjangoRecordStore) -> None:
    group = add_group(store)
    with store.transaction() as transaction:
        updated = transaction.update("group", group.id, {"code": "GRP_001", "name": "works"})
    assert updated.values["name"] == "works"


def test_a_retired_record_is_gone_and_its_name_free(store: DjangoRecordStore) -> None:
    add_group(store)
    with store.transaction() as transaction:
        record = transaction.create("application", application_values("gateways"))
    with store.transaction() as transaction:
        transaction.retire("application", record.id)
    assert store.find("application", name="gateways") is None
    assert store.all("application") == ()
    with store.transaction() as transaction:
        again = transaction.create("application", application_values("gateways"))
    assert again.id != record.id


def test_a_record_that_is_not_there_cannot_be_changed(store: DjangoRecordStore) -> None:
    with pytest.raises(NotFound), store.transaction() as transaction:
        transaction.update("group", 99, {"name": "x"})


def test_a_record_that_is_not_there_cannot_be_retired(store: DjangoRecordStore) -> None:
    with pytest.raises(NotFound), store.transaction() as transaction:
        transaction.retire("group", 99)


def test_a_column_that_does_not_exist_is_a_mistake(store: DjangoRecordStore) -> None:
    with pytest.raises(ValueError, match="colour"), store.transaction() as transaction:
        transaction.create("group", {"code": "GRP_001", "name": "plant", "colour": "red"})


def test_a_profile_shows_its_current_version_and_keeps_the_others(store: DjangoRecordStore) -> None:
    with store.transaction() as transaction:
        profile = transaction.create("profile", {"name": "tls-device"})
        assert isinstance(profile.id, int)
        first = transaction.add_profile_version(
            profile_version_row(profile.id, number=1, toml="one", created_by="alice")
        )
        second = transaction.add_profile_version(
            profile_version_row(profile.id, number=2, toml="two", created_by="bob")
        )
    found = store.find("profile", name="tls-device")
    assert found is not None
    assert (found.values["toml"], found.values["version_id"], found.values["current_version"]) == (
        "two",
        second,
        2,
    )
    assert first != second


def test_a_profile_version_number_is_taken_once(store: DjangoRecordStore) -> None:
    with store.transaction() as transaction:
        profile = transaction.create("profile", {"name": "tls-device"})
        assert isinstance(profile.id, int)
        transaction.add_profile_version(
            profile_version_row(profile.id, number=1, toml="one", created_by="alice")
        )
    with pytest.raises(AlreadyExists), store.transaction() as transaction:
        transaction.add_profile_version(
            profile_version_row(profile.id, number=1, toml="two", created_by="alice")
        )


def test_revoking_marks_the_certificate_and_takes_a_revision(store: DjangoRecordStore) -> None:
    row = certificate_row()
    with store.transaction() as transaction:
        transaction.add_certificate(row)
    before = current_revision()
    with store.transaction() as transaction:
        revoked = transaction.revoke_certificate(2, row.serial, at=NOW, reason="keyCompromise", marker=MARKER)
    assert (revoked.revoked_at, revoked.revocation_reason) == (NOW, "keyCompromise")
    assert DjangoCertificateReader().by_serial(2, row.serial) == revoked
    assert DjangoConfigFeed().read(before).revoked == ((2, row.serial),)


def test_revoking_twice_is_refused_and_writes_nothing(store: DjangoRecordStore) -> None:
    row = certificate_row()
    with store.transaction() as transaction:
        transaction.add_certificate(row)
        transaction.revoke_certificate(2, row.serial, at=NOW, reason="superseded", marker=MARKER)
    with pytest.raises(AlreadyRevoked), store.transaction() as transaction:
        transaction.revoke_certificate(
            2, row.serial, at=NOW + timedelta(hours=1), reason="keyCompromise", marker=MARKER
        )
    found = DjangoCertificateReader().by_serial(2, row.serial)
    assert found is not None
    assert (found.revoked_at, found.revocation_reason) == (NOW, "superseded")


def test_a_serial_of_another_authority_cannot_be_revoked(store: DjangoRecordStore) -> None:
    row = certificate_row()
    with store.transaction() as transaction:
        transaction.add_certificate(row)
    with pytest.raises(NotFound), store.transaction() as transaction:
        transaction.revoke_certificate(3, row.serial, at=NOW, reason="superseded", marker=MARKER)


_nodes = itertools.count(1)
INSERT = "INSERT INTO api_properties (property_key, property_value) VALUES ('some.key', '7')"


def audited() -> tuple[AuditRow, ...]:
    """The events, newest first, once a node of its own has turned what the triggers recorded into events."""
    node = EventStream(lambda: new_chain(f"node-{next(_nodes)}"))
    changes = DjangoPropertyChangeStore(node)
    audit_property_changes(changes, FixedClock())
    return tuple(each.event for each in list_events())


def test_a_property_typed_in_sql_is_active_and_audited_once(store: DjangoRecordStore) -> None:
    sql(INSERT)
    found = store.find("property", property_key="some.key")
    assert found is not None
    assert found.values == {"property_key": "some.key", "property_value": "7", "status": "Active"}
    (event,) = audited()
    assert (event.kind, event.actor_kind, event.actor) == ("property.added", "sql", "direct SQL")
    assert event.target == "property:some.key"
    detail = json.loads(event.detail)
    assert detail["after"] == {"property_value": "7", "status": "Active"}
    changed_at = datetime.fromisoformat(detail["at"])
    assert abs(changed_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert ("database_user" in detail) == (connection.vendor == "postgresql")
    assert len(audited()) == 1


def test_changing_and_deleting_a_property_in_sql_is_audited(store: DjangoRecordStore) -> None:
    sql(INSERT)
    sql("UPDATE api_properties SET status = 'Inactive'")
    sql("DELETE FROM api_properties")
    removed, changed, _ = audited()
    assert (changed.kind, removed.kind) == ("property.changed", "property.removed")
    detail = json.loads(changed.detail)
    assert (detail["before"]["status"], detail["after"]["status"]) == ("Active", "Inactive")
    assert json.loads(removed.detail)["after"] is None


def test_each_change_has_one_event_however_many_nodes_look(store: DjangoRecordStore) -> None:
    for number in range(30):
        sql(f"INSERT INTO api_properties (property_key, property_value) VALUES ('key.{number}', '7')")
    together = threading.Barrier(3)
    found: list[int] = []

    def look() -> None:
        together.wait()
        found.append(len(audited()))
        connection.close()

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    targets = [event.target for event in audited()]
    assert sorted(targets) == sorted(f"property:key.{number}" for number in range(30))


def test_a_property_changed_by_a_command_is_not_taken_for_sql(store: DjangoRecordStore) -> None:
    with store.transaction() as transaction:
        values = {"property_key": "some.key", "property_value": "7", "status": "Active"}
        transaction.create("property", values)
        transaction.update("property", "some.key", {"property_value": "8"})
        transaction.retire("property", "some.key")
    assert audited() == ()
    assert store.all("property") == ()
    sql(INSERT)
    assert len(audited()) == 1


def test_silenced_triggers_are_found_and_record_again(store: DjangoRecordStore) -> None:
    sql("UPDATE config_revision SET service_is_writing = '1'")
    with store.transaction() as transaction:  # which does not end the silence unseen
        transaction.create("property", {"property_key": "other", "property_value": "7", "status": "Active"})
    (event,) = audited()
    assert (event.kind, event.actor_kind) == ("property.recording_silenced", "sql")
    sql(INSERT)
    assert [event.kind for event in audited()] == ["property.added", "property.recording_silenced"]


@pytest.mark.parametrize("written", ["no JSON", "[" * 100_000, "7", '"\\ud800"'])
def test_whatever_was_written_among_the_changes_becomes_an_event(written: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO property_changes (at, operation, property_key, after, database_user)"
            " VALUES (%s, 'invented', 'some.key', %s, '')",
            [str(time_parameter(NOW)), written],
        )
    (event,) = audited()
    assert event.kind == "property.changed"


def test_properties_are_found_by_key_and_refused_twice(store: DjangoRecordStore) -> None:
    values = {"property_key": "some.key", "property_value": "7", "status": "Active"}
    with store.transaction() as transaction:
        created = transaction.create("property", values)
    assert created.id == "some.key"
    assert store.find("property", property_key="some.key") == created
    with pytest.raises(AlreadyExists), store.transaction() as transaction:
        transaction.create("property", values)
    with pytest.raises(NotFound), store.transaction() as transaction:
        transaction.update("property", "other.key", {"property_value": "8"})


def test_the_rows_of_second_factors_of_one_user_are_dropped(store: DjangoRecordStore) -> None:
    """Their table is the portal's; who has none of it is not kept from recovering a user."""
    with store.transaction() as transaction:
        transaction.drop_authenticators(1)
