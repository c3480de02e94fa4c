"""Two persons on both databases: a change is tried, undone and kept; the second signature makes it and ends the request
in one transaction."""

from __future__ import annotations

from dataclasses import replace

import pytest

from certuary.errors import InvalidSeal, SecondPersonNeeded
from certuary.services.approvals import Wanted, ask_for_approval, reject_approval
from certuary.services.change_deps import ChangeDeps
from certuary.services.change_record import change_records
from certuary.services.entitlement import CA_ADMINISTRATOR, Actor
from certuary.services.manage_group import add_group
from certuary.services.ports import Record
from certuary.services.record_gate import RecordGate
from certuary.services.switch_rule import switch_rule
from certuary.services.two_persons import Approved, as_requested, digest_of, rule_states
from certuary.services.verify_seals import verify_seals
from certuary.store.approvals import list_approvals
from certuary.store.records import DjangoRecordStore
from tests.contract.rows import new_store, sql
from tests.memory_records import MARKER, FixedClock
from tests.unit.services.sealing import (
    ROOT_USER,
    new_sealing,
    password_hash,
    signed_by,
    signing_key,
    trust,
)

SECOND = Actor(name="second", role=CA_ADMINISTRATOR)
WANTED = Wanted(
    change="group-new", title="A new group", content='{"name":"Plant"}', shown='["A new group", [], []]'
)


@pytest.fixture
def deps(database_url: str) -> ChangeDeps:
    """Changes of groups take two: root user and `second`."""
    made = ChangeDeps(
        records=new_store(),
        clock=FixedClock(),
        marker=lambda: MARKER,
        request_id="r1",
        sealing=new_sealing(),
    )
    with change_records(ROOT_USER, made) as changes:
        for actor in (ROOT_USER, SECOND):
            changes.create(
                "user",
                {
                    "name": actor.name,
                    "role": actor.role,
                    "group_ids": [],
                    "password_hash": password_hash(),
                    "enabled": True,
                    "compromised_keys": None,
                    **signing_key(actor.name).columns,
                },
            )
    switch_rule(ROOT_USER, "group", enabled=True, deps=made)
    return made


def gate_of(deps: ChangeDeps) -> RecordGate:
    assert deps.sealing is not None
    return RecordGate.open(deps.records, trust(), deps.sealing.high_water)


def ask(deps: ChangeDeps) -> Record:
    with pytest.raises(SecondPersonNeeded) as needed:
        add_group(ROOT_USER, "Plant", replace(deps, may_ask=True))
    ask_for_approval(ROOT_USER, WANTED, needed.value, deps)
    return list_approvals(waiting=True, before=None, limit=10)[0]


def approve(approval: Record, deps: ChangeDeps) -> None:
    approved = Approved(record=approval, digest=digest_of(approval))
    add_group(SECOND, "Plant", replace(signed_by(SECOND, deps), approval=approved))


def test_the_second_signature_makes_the_change_and_ends_the_request(deps: ChangeDeps) -> None:
    approval = ask(deps)
    assert deps.records.find("group", name="Plant") is None
    approve(approval, deps)
    assert deps.records.find("group", name="Plant") is not None
    assert list_approvals(waiting=True, before=None, limit=10) == ()
    (decided,) = list_approvals(waiting=False, before=None, limit=10)
    gate = gate_of(deps)
    assert gate.check_alone(decided).signer == "second"
    assert gate.check_alone(as_requested(decided)).signer == "root-user"
    assert list(verify_seals(deps.records, gate, lambda: None, dict)) == []


def add_and_fail(deps: ChangeDeps) -> None:
    with change_records(SECOND, deps) as changes:
        changes.create("group", {"code": "GRP_009", "name": "Plant"})
        raise ZeroDivisionError


def test_a_change_that_fails_leaves_the_request_waiting(deps: ChangeDeps) -> None:
    approval = ask(deps)
    approved = Approved(record=approval, digest=digest_of(approval))
    with pytest.raises(ZeroDivisionError):
        add_and_fail(replace(signed_by(SECOND, deps), approval=approved))
    assert [one.id for one in list_approvals(waiting=True, before=None, limit=10)] == [approval.id]
    approve(approval, deps)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE approvals SET content = '{}'",
        "UPDATE approvals SET group_ids = '[7]'",
        "UPDATE approvals SET requester = 'second'",
        "UPDATE approvals SET seal = ''",
        "DELETE FROM manifest_parts WHERE kind = 'approval'",
    ],
)
def test_a_request_that_was_altered_makes_nothing(statement: str, deps: ChangeDeps) -> None:
    ask(deps)
    sql(statement)
    with pytest.raises(InvalidSeal):
        approve(list_approvals(waiting=True, before=None, limit=10)[0], deps)
    assert deps.records.find("group", name="Plant") is None
    assert list(verify_seals(deps.records, gate_of(deps), lambda: None, dict))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE security_switches SET enabled = FALSE",
        "UPDATE security_switches SET name = 'another'",
        "UPDATE security_switches SET removed_at = created_at",
        "DELETE FROM security_switches",
        "DELETE FROM manifest_parts WHERE kind = 'switch'",
    ],
)
def test_a_switch_that_was_altered_counts_as_on(statement: str, deps: ChangeDeps) -> None:
    sql(statement)
    assert rule_states(deps.records, gate_of(deps))["group"].is_on
    with pytest.raises((SecondPersonNeeded, InvalidSeal)):
        add_group(ROOT_USER, "Plant", deps)
    assert list(verify_seals(deps.records, gate_of(deps), lambda: None, dict))


def test_pages_of_requests_go_by_their_number(deps: ChangeDeps) -> None:
    asked = [ask(deps) for _ in range(3)]
    assert isinstance(deps.records, DjangoRecordStore)
    reject_approval(SECOND, asked[1], "no", signed_by(SECOND, deps))
    assert [one.id for one in list_approvals(waiting=True, before=None, limit=10)] == [
        asked[2].id,
        asked[0].id,
    ]
    before = int(asked[2].id)
    assert [one.id for one in list_approvals(waiting=True, before=before, limit=10)] == [asked[0].id]
    assert [one.values["reason"] for one in list_approvals(waiting=False, before=None, limit=1)] == ["no"]
