from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from certuary.errors import AlreadyExists, AlreadyRevoked, NotFound, NotPermitted
from certuary.services.believed_records import BelievedRecords
from certuary.services.change_deps import ChangeDeps
from certuary.services.change_record import add_audit_event, change_records, require_ca_administrator
from certuary.services.entitlement import Actor
from certuary.services.ports import CertificateRow, Record, RecordKind
from certuary.services.record_gate import name_of
from tests.memory_records import MARKER, NOW
from tests.unit.services.attacks import LINE_1, victim
from tests.unit.services.change_fixtures import (
    ADMIN_1,
    OFFICER_1,
    ROOT_USER,
    detail_of,
    installation,
    kinds_of,
)
from tests.unit.services.sealing import gate_of, put

APPLICATION = {
    "name": "plant",
    "username": "plant",
    "password_hash": "$argon2id$secret",
    "group_id": 1,
    "expires_at": datetime(2027, 1, 1, tzinfo=UTC),
}


def certificate(application_id: int | None) -> CertificateRow:
    return CertificateRow(
        authority_id=1, serial=7, profile_version_id=1, application_id=application_id, subject="CN=a",
        subject_key="cn=a", alternative_names="[]", key_hash="00", not_before=NOW, not_after=NOW, der=b"",
        source="est", replaces=None, issued_at=NOW, marker=MARKER,
    )  # fmt: skip


def change_twice(actor: Actor, deps: ChangeDeps, kind: RecordKind, values: dict[str, object]) -> None:
    """A change that is fine, then one that is not."""
    with change_records(actor, deps) as changes:
        changes.create("label", {"name": "fine", "profile_id": 1})
        changes.create(kind, values)


def test_a_change_is_audited_with_who_and_what() -> None:
    records, deps = installation()
    with change_records(ROOT_USER, deps) as changes:
        changes.create("application", APPLICATION)
    event = records.audit[0]
    assert (event.kind, event.target) == ("application.added", "application:plant")
    assert (event.actor_kind, event.actor, event.request_id) == ("user", "root-user", "r1")
    assert (event.at, event.address) == (NOW, "192.0.2.7")
    assert detail_of(records)["after"]["expires_at"] == "2027-01-01T00:00:00+00:00"


def test_an_update_is_audited_with_only_what_changed() -> None:
    records, deps = installation()
    application = put(records, deps, "application", APPLICATION)
    with change_records(ROOT_USER, deps) as changes:
        changes.update(application, {"username": "new", "name": "plant"})
    assert detail_of(records) == {"before": {"username": "plant"}, "after": {"username": "new"}}


def test_a_removal_is_audited_with_what_was_there() -> None:
    records, deps = installation()
    label = records.find("label", name="plant")
    assert label is not None
    with change_records(ROOT_USER, deps) as changes:
        changes.retire(label)
    assert kinds_of(records) == ["label.removed"]
    assert detail_of(records) == {"before": {"name": "plant", "profile_id": 2}}


def test_no_secret_reaches_the_audit() -> None:
    records, deps = installation()
    with change_records(ROOT_USER, deps) as changes:
        added = changes.create("application", APPLICATION)
        changes.update(added, {"password_hash": "$argon2id$other"})
        changes.retire(added)
    assert all("argon2id" not in event.detail for event in records.audit)
    assert detail_of(records, 1) == {
        "before": {"password_hash": "(secret)"},
        "after": {"password_hash": "(secret)"},
    }


def test_bytes_are_audited_as_their_digest() -> None:
    records, deps = installation()
    with change_records(ROOT_USER, deps) as changes:
        changes.create("authority", {"name": "root", "certificate_der": b"der"})
    assert detail_of(records)["after"]["certificate_der"].startswith("sha256:")


def test_a_refused_change_leaves_only_the_event_that_says_so() -> None:
    records, deps = installation()
    before = dict(records.rows)
    with pytest.raises(NotPermitted):
        change_twice(ADMIN_1, deps, "application", {**APPLICATION, "group_id": 2})
    assert records.rows == before
    assert kinds_of(records) == ["change.refused"]
    assert detail_of(records)["rule"] == "not-permitted"


def test_a_change_that_fails_for_another_reason_leaves_nothing() -> None:
    records, deps = installation()
    with pytest.raises(AlreadyExists):
        change_twice(ROOT_USER, deps, "label", {"name": "plant", "profile_id": 1})
    assert records.find("label", name="fine") is None
    assert records.audit == []


def test_a_record_that_was_removed_in_the_meantime_is_not_changed() -> None:
    records, deps = installation()
    label = records.find("label", name="plant")
    assert label is not None
    records.retire("label", label.id)
    with pytest.raises(NotFound, match="'plant' was removed"), change_records(ROOT_USER, deps) as changes:
        changes.update(label, {"profile_id": 1})


def test_an_application_is_not_moved_out_of_a_group_that_is_not_the_actors() -> None:
    records, deps = installation()
    application = put(records, deps, "application", {**APPLICATION, "group_id": 2})
    with pytest.raises(NotPermitted), change_records(ADMIN_1, deps) as changes:
        changes.update(application, {"group_id": 1})
    found = records.find("application", name="plant")
    assert found is not None
    assert found.values["group_id"] == 2


def test_the_state_before_is_read_anew_and_not_taken_from_the_caller() -> None:
    records, deps = installation()
    stale = put(records, deps, "application", APPLICATION)
    with change_records(ROOT_USER, deps) as changes:
        changes.update(stale, {"group_id": 2})
    with pytest.raises(NotPermitted), change_records(ADMIN_1, deps) as changes:
        changes.update(stale, {"enabled": False})


def test_a_new_profile_has_version_1_and_its_text_is_audited_by_digest() -> None:
    records, deps = installation()
    with change_records(ROOT_USER, deps) as changes:
        record = changes.create("profile", {"name": "new", "toml": "a = 1"})
    assert (record.values["current_version"], record.values["toml"]) == (1, "a = 1")
    assert detail_of(records)["after"]["toml"].startswith("sha256:")


def test_a_changed_profile_has_the_next_version() -> None:
    records, deps = installation()
    profile = records.find("profile", name="tls-device")
    assert profile is not None
    with change_records(ROOT_USER, deps) as changes:
        record = changes.update(profile, {"toml": "a = 2"})
    assert (record.values["current_version"], record.values["toml"]) == (2, "a = 2")
    assert detail_of(records)["before"]["current_version"] == 1
    assert detail_of(records)["after"]["current_version"] == 2


@pytest.mark.parametrize("kind", ["application", "user", "label"])
def test_who_has_not_signed_in_changes_no_sealed_record(kind: RecordKind) -> None:
    records, deps = installation()
    before = dict(records.rows)
    with (
        pytest.raises(NotPermitted, match="by a user who has signed in"),
        change_records(ROOT_USER, replace(deps, sealing=None)) as changes,
    ):
        changes.create(kind, {"name": "new"})
    assert records.rows == before


def test_a_property_needs_no_seal() -> None:
    records, deps = installation()
    head = records.head
    with change_records(ROOT_USER, replace(deps, sealing=None)) as changes:
        changes.create("property", {"property_key": "a.b", "property_value": "v", "status": "Active"})
    assert records.head is head


def test_a_long_target_is_cut_to_what_the_table_holds() -> None:
    records, deps = installation()
    with change_records(ROOT_USER, deps) as changes:
        changes.create("property", {"property_key": "k" * 128, "property_value": "v", "status": "Active"})
    assert records.audit[-1].target == ("property:" + "k" * 128)[:128]


def test_an_officer_revokes_a_certificate_of_an_application_that_was_removed() -> None:
    records, deps = installation()
    application = records.create("application", APPLICATION)
    assert isinstance(application.id, int)
    row = certificate(application.id)
    records.add_certificate(row)
    records.retire("application", application.id)
    with change_records(OFFICER_1, deps) as changes:
        revoked = changes.revoke(row, "keyCompromise")
    assert revoked.revocation_reason == "keyCompromise"
    assert kinds_of(records) == ["certificate.revoked"]
    assert (records.audit[0].actor, records.audit[0].request_id) == ("officer-1", "r1")


@pytest.mark.parametrize("application_id", [None, 99])
def test_an_officer_does_not_revoke_a_certificate_of_no_application(application_id: int | None) -> None:
    records, deps = installation()
    row = certificate(application_id)
    records.add_certificate(row)
    with pytest.raises(NotPermitted), change_records(OFFICER_1, deps) as changes:
        changes.revoke(row, "keyCompromise")
    assert records.certificates[0].revoked_at is None


@pytest.mark.parametrize("actor", [ROOT_USER, OFFICER_1], ids=lambda actor: actor.name)
def test_a_certificate_of_an_altered_application_is_revoked_by_a_ca_administrator_alone(actor: Actor) -> None:
    """Its group is what was altered, perhaps."""
    at = victim()
    row = certificate(LINE_1.id)
    at.records.add_certificate(row)
    at.set_column(LINE_1, group_id=1, enabled=False)
    believed = replace(at.deps, records=BelievedRecords(at.records, gate_of(at.records, at.deps)))
    if actor is ROOT_USER:
        with change_records(actor, believed) as changes:
            assert changes.revoke(row, "keyCompromise").revocation_reason == "keyCompromise"
        return
    with pytest.raises(NotPermitted), change_records(actor, believed) as changes:
        changes.revoke(row, "keyCompromise")
    assert at.records.certificates[0].revoked_at is None


def test_a_second_revocation_is_refused_and_leaves_no_event() -> None:
    records, deps = installation()
    row = certificate(None)
    records.add_certificate(row)
    with change_records(ROOT_USER, deps) as changes:
        changes.revoke(row, "superseded")
    with pytest.raises(AlreadyRevoked), change_records(ROOT_USER, deps) as changes:
        changes.revoke(row, "keyCompromise")
    assert records.certificates[0].revocation_reason == "superseded"
    assert len(records.audit) == 1


def test_an_event_without_a_record_is_committed_on_its_own() -> None:
    records, deps = installation()
    add_audit_event(ROOT_USER, "keystore.passphrase", "keystore", {"source": "file x"}, deps)
    assert (records.audit[0].kind, records.audit[0].detail) == ("keystore.passphrase", '{"source":"file x"}')


@pytest.mark.parametrize(
    ("kind", "values", "name"),
    [
        ("group", {"code": "GRP_001", "name": "Default"}, "GRP_001"),
        ("property", {"property_key": "a.b"}, "a.b"),
        ("user", {"name": "olga"}, "olga"),
        ("user", {}, "5"),
    ],
)
def test_a_record_is_called_what_people_call_it(kind: str, values: dict[str, object], name: str) -> None:
    record = Record(kind=kind, id=5, revision=1, values=values)  # type: ignore[arg-type]  # a table of cases
    assert name_of(record) == name


def test_what_takes_a_ca_administrator_is_refused_to_others_and_audited() -> None:
    records, deps = installation()
    require_ca_administrator(ROOT_USER, "this", deps)
    assert records.audit == []
    with pytest.raises(NotPermitted):
        require_ca_administrator(OFFICER_1, "this", deps)
    assert kinds_of(records) == ["change.refused"]
