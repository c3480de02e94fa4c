"""After a backup was restored on purpose, or the manifest was lost."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from certuary.core.manifest import Head
from certuary.core.seal import fingerprint
from certuary.errors import Conflict, InvalidSeal, NotAuthenticated, NotPermitted
from certuary.services.accept_rollback import LoneGate, accept_rollback
from certuary.services.authenticate_user import authenticate_user
from certuary.services.manage_user import declare_key_compromised
from certuary.services.record_gate import Key, RecordGate
from tests.memory_records import NOW, MemoryRecords
from tests.unit.services.attacks import HEAD_ATTACKS, LINE_1, LINE_2, HeadAttack, Victim, victim
from tests.unit.services.change_fixtures import ADMIN_1, PASSWORDS, ROOT_USER
from tests.unit.services.sealing import PASSWORD, gate_of, put_user, sealing_of, signed_by, signer, trust


@pytest.fixture
def at() -> Victim:
    made = victim()
    put_user(made.records, made.deps, ROOT_USER)
    return made


def set_back(at: Victim) -> None:
    at.records.rows, at.records.head, at.records.parts = at.old_rows, at.old_head, at.old_parts


def head_of(records: MemoryRecords) -> Head:
    assert records.head is not None
    return Head.from_body(records.head.body)


def lone_gate(at: Victim) -> LoneGate:
    return LoneGate(at.records, trust(), sealing_of(at.deps).high_water)


@pytest.mark.parametrize("attack", HEAD_ATTACKS, ids=lambda attack: attack.name)
def test_what_is_there_is_believed_again_under_a_higher_number(attack: HeadAttack, at: Victim) -> None:
    before = sealing_of(at.deps).high_water.newest()
    assert before is not None
    attack.do(at)
    accepted = accept_rollback(ROOT_USER, at.deps)
    assert accepted.left_out == ()
    assert accepted.replaced == before.sequence
    assert accepted.sequence > before.sequence
    gate = gate_of(at.records, at.deps)
    for record in at.records.rows.values():
        gate.check(record)
    newest = sealing_of(at.deps).high_water.newest()
    assert newest is not None
    assert newest.sequence == accepted.sequence


def test_the_manifest_and_the_event_say_who_answers_for_it(at: Victim) -> None:
    set_back(at)
    accept_rollback(ROOT_USER, at.deps)
    event = at.records.audit[-1]
    assert (event.kind, event.actor) == ("seal.rollback_accepted", "root-user")
    assert head_of(at.records).accepted["by"] == "root-user"
    assert json.loads(event.detail)["by"] == "root-user"


def test_a_manifest_with_a_broken_part_can_be_replaced(at: Victim) -> None:
    at.set_part(("application", 0), "line-2", "line-9")
    accept_rollback(ROOT_USER, at.deps)
    assert gate_of(at.records, at.deps).entries("application").keys() == {1, 2}


def test_a_sound_manifest_is_not_replaced(at: Victim) -> None:
    with pytest.raises(Conflict, match="there is no rollback to accept"):
        accept_rollback(ROOT_USER, at.deps)


def test_what_nobody_signed_is_left_out_and_told(at: Victim) -> None:
    set_back(at)
    at.set_column(LINE_1, password_hash="$argon2id$mallory")
    at.set(LINE_2, seal="")
    accepted = accept_rollback(ROOT_USER, at.deps)
    assert [(one.kind, one.name) for one in accepted.left_out] == [
        ("application", "line-1"),
        ("application", "line-2"),
    ]
    with pytest.raises(InvalidSeal):
        gate_of(at.records, at.deps).check(at.row(LINE_1))
    assert json.loads(at.records.audit[-1].detail)["left_out"] == ["application:line-1", "application:line-2"]


def test_an_administrator_accepts_nothing(at: Victim) -> None:
    set_back(at)
    head = at.records.head
    with pytest.raises(NotPermitted):
        accept_rollback(ADMIN_1, signed_by(ADMIN_1, at.deps))
    assert at.records.head is head


def test_a_compromised_key_stays_compromised(at: Victim) -> None:
    declare_key_compromised(ROOT_USER, "admin-1", NOW, at.deps)
    at.records.head = None
    assert lone_gate(at).is_compromised(signer(ADMIN_1).certificate)
    assert not lone_gate(at).is_compromised(signer(ROOT_USER).certificate)
    accept_rollback(ROOT_USER, at.deps)
    gate = gate_of(at.records, at.deps)
    assert gate.is_compromised(signer(ADMIN_1).certificate)
    with pytest.raises(InvalidSeal, match="compromised"):
        gate.check(at.row(LINE_1))


def test_a_users_record_that_was_altered_says_nothing_of_compromised_keys(at: Victim) -> None:
    certificate = signer(ROOT_USER).certificate
    keys = {fingerprint(certificate): (NOW - timedelta(days=9)).isoformat()}
    at.set_column(Key("user", 1), compromised_keys=keys)
    assert not lone_gate(at).is_compromised(certificate)


def test_signing_in_needs_no_manifest_but_a_seal_that_holds(at: Victim) -> None:
    at.records.head = None
    with pytest.raises(InvalidSeal):
        RecordGate.open(at.records, trust(), sealing_of(at.deps).high_water)
    signed_in = authenticate_user("root-user", PASSWORD, PASSWORDS, lone_gate(at), at.deps)
    assert signed_in.actor == ROOT_USER
    at.set_column(Key("user", 1), role="ca-administrator")
    with pytest.raises(NotAuthenticated):
        authenticate_user("admin-1", PASSWORD, PASSWORDS, lone_gate(at), at.deps)


def test_the_number_is_above_that_of_another_nodes_manifest_too(at: Victim) -> None:
    """This node has seen less than the database holds, whose head is broken in another way."""
    newest = head_of(at.records).sequence
    at.records.parts.pop(("application", 0))
    assert accept_rollback(ROOT_USER, at.deps).sequence == newest + 1
