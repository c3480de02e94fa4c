"""Changes of records on every record store: both databases, and the one in memory that unit tests use."""

from __future__ import annotations

import pytest

from certuary.errors import AlreadyExists, AlreadyRevoked, NotFound, NotPermitted
from certuary.services.change_deps import ChangeDeps
from certuary.services.change_record import change_records
from certuary.services.entitlement import ADMINISTRATOR, CA_ADMINISTRATOR, Actor
from certuary.services.ports import Record, RecordKind, RecordStore
from tests.contract.rows import application_values, certificate_row, new_store
from tests.memory_records import MARKER, FixedClock, MemoryRecords
from tests.unit.services.sealing import new_sealing

ACTOR = Actor(name="admin", role=CA_ADMINISTRATOR)


@pytest.fixture
def deps(records: RecordStore) -> ChangeDeps:
    return ChangeDeps(
        records=records,
        clock=FixedClock(),
        marker=lambda: MARKER,
        request_id="r1",
        sealing=new_sealing(ACTOR),
    )


def add_application(deps: ChangeDeps) -> Record:
    with change_records(ACTOR, deps) as changes:
        changes.create("group", {"code": "GRP_001", "name": "Default"})
        changes.create("application", application_values("line-1"))
    return existing(deps.records, "application", "line-1")


def existing(records: RecordStore, kind: RecordKind, name: str) -> Record:
    found = records.find(kind, name=name)
    assert found is not None
    return found


class _Contract:
    def test_a_profile_has_the_text_of_its_newest_version(
        self, records: RecordStore, deps: ChangeDeps
    ) -> None:
        with change_records(ACTOR, deps) as changes:
            first = changes.create("profile", {"name": "sensor", "toml": "a = 1"})
            second = changes.update(first, {"toml": "a = 2"})
        assert (first.values["current_version"], first.values["toml"]) == (1, "a = 1")
        assert (second.values["current_version"], second.values["toml"]) == (2, "a = 2")
        assert existing(records, "profile", "sensor").values == second.values
        with change_records(ACTOR, deps) as changes:
            third = changes.update(second, {"toml": "a = 3"})
        assert existing(records, "profile", "sensor").values == third.values

    def test_a_property_is_found_by_its_key_changed_and_removed(
        self, records: RecordStore, deps: ChangeDeps
    ) -> None:
        with change_records(ACTOR, deps) as changes:
            row = changes.create(
                "property", {"property_key": "a.b", "property_value": "1", "status": "Active"}
            )
            assert changes.update(row, {"property_value": "2"}).values["property_value"] == "2"
        with change_records(ACTOR, deps) as changes:
            changes.retire(row)
        assert records.find("property", property_key="a.b") is None

    def test_a_removed_record_is_found_by_number_alone(self, records: RecordStore, deps: ChangeDeps) -> None:
        application = add_application(deps)
        assert isinstance(application.id, int)
        with change_records(ACTOR, deps) as changes:
            changes.retire(application)
        assert records.find("application", name="line-1") is None
        found = records.find_ever("application", application.id)
        assert found is not None
        assert found.values["name"] == "line-1"
        assert records.find_ever("application", application.id + 1) is None
        with pytest.raises(NotFound), change_records(ACTOR, deps) as changes:
            changes.update(application, {"enabled": False})

    def test_the_name_of_a_removed_application_is_free_again(
        self, records: RecordStore, deps: ChangeDeps
    ) -> None:
        application = add_application(deps)
        with pytest.raises(AlreadyExists), change_records(ACTOR, deps) as changes:
            changes.create("application", application_values("line-1"))
        with change_records(ACTOR, deps) as changes:
            changes.retire(application)
            again = changes.create("application", application_values("line-1"))
        assert again.id != application.id

    def test_a_refused_change_is_undone(self, records: RecordStore, deps: ChangeDeps) -> None:
        application = add_application(deps)
        stranger = Actor(name="stranger", role=ADMINISTRATOR, group_ids=frozenset({999}))
        with pytest.raises(NotPermitted), change_records(stranger, deps) as changes:
            changes.update(application, {"enabled": False})
        assert records.find("application", name="line-1") == application

    def test_a_certificate_is_revoked_once(self, records: RecordStore, deps: ChangeDeps) -> None:
        row = certificate_row(serial=7)
        with records.transaction() as transaction:
            transaction.add_certificate(row)
        with change_records(ACTOR, deps) as changes:
            assert changes.revoke(row, "superseded").revocation_reason == "superseded"
        with pytest.raises(AlreadyRevoked), change_records(ACTOR, deps) as changes:
            changes.revoke(row, "keyCompromise")


class TestInMemory(_Contract):
    @pytest.fixture
    def records(self) -> RecordStore:
        return MemoryRecords()


class TestOnBothDatabases(_Contract):
    @pytest.fixture
    def records(self, database_url: str) -> RecordStore:
        return new_store()
