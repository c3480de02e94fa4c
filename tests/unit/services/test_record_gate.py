"""Which records pass the gate, and which do not, and why."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from certuary.core import seal as seals
from certuary.core.manifest import Entry, Head, PartName, part_of
from certuary.core.seal import Seal
from certuary.errors import InvalidSeal
from certuary.services.change_deps import ChangeDeps
from certuary.services.change_record import change_records
from certuary.services.entitlement import Actor
from certuary.services.manage_user import declare_key_compromised
from certuary.services.ports import Record
from certuary.services.record_gate import RecordGate, key_of
from certuary.services.seal_changes import write_manifest
from tests.memory_records import NOW, FixedClock, MemoryRecords
from tests.unit.services.attacks import ATTACKS, HEAD_ATTACKS, LINE_1, LINE_2, Attack, HeadAttack, victim
from tests.unit.services.change_fixtures import ADMIN_1, AUDITOR_1, OFFICER_1, ROOT_USER, installation
from tests.unit.services.sealing import (
    certificate_for,
    gate_of,
    make_operator,
    new_high_water,
    new_sealing,
    put,
    put_user,
    seal_as_they_are,
    sealing_of,
    signed_by,
    signer,
    signing_key,
    trust,
)

MISSING = "its row is gone"


def judged(records: MemoryRecords, gate: RecordGate) -> dict[tuple[str, int], str]:
    found: dict[tuple[str, int], str] = {}
    for record in records.rows.values():
        try:
            gate.check(record)
        except InvalidSeal as problem:
            key = key_of(record)
            found[key.kind, key.id] = problem.detail
    return found


def test_what_somebody_entitled_signed_passes_and_says_who_and_when() -> None:
    at = victim()
    gate = gate_of(at.records, at.deps)
    assert judged(at.records, gate) == {}
    signed = gate.check(at.row(LINE_1))
    assert (signed.signer, signed.at) == ("admin-1", NOW)
    assert signed.fingerprint == seals.fingerprint(signer(ADMIN_1).certificate)
    assert gate.check(at.row(LINE_1)) == signed


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_a_row_that_was_attacked_does_not_pass_and_every_other_does(attack: Attack) -> None:
    at = victim()
    attack.do(at)
    found = judged(at.records, gate_of(at.records, at.deps))
    expected = {key: reason for key, reason in attack.broken.items() if reason != MISSING}
    assert found.keys() == expected.keys()
    for key, reason in expected.items():
        assert reason in found[key]


@pytest.mark.parametrize("attack", HEAD_ATTACKS, ids=lambda attack: attack.name)
def test_a_manifest_that_was_attacked_is_not_believed(attack: HeadAttack) -> None:
    at = victim()
    attack.do(at)
    with pytest.raises(InvalidSeal, match=attack.reason):
        gate_of(at.records, at.deps)


def test_a_gate_that_lost_its_manifest_lets_nothing_through() -> None:
    at = victim()
    gate = gate_of(at.records, at.deps)
    with pytest.raises(InvalidSeal):
        gate.take_head(None, None)
    with pytest.raises(InvalidSeal):
        gate.check(at.row(LINE_1))


@pytest.mark.parametrize("kind_of_trust", ["another instance", "other keys"])
def test_the_records_of_another_installation_are_not_believed(kind_of_trust: str) -> None:
    at = victim()
    other = trust() if kind_of_trust == "another instance" else make_operator().trust
    believed = replace(other, instance="another") if kind_of_trust == "another instance" else other
    with pytest.raises(InvalidSeal):
        RecordGate.open(at.records, believed, new_high_water())


@pytest.mark.parametrize(
    ("actor", "values"),
    [
        (OFFICER_1, {"group_id": 1}),
        (AUDITOR_1, {"group_id": 1}),
        (ADMIN_1, {"group_id": 2}),
        (Actor(name="nobody", role="no-role"), {"group_id": 1}),
    ],
    ids=["an officer", "an auditor", "an administrator of another group", "a role that is none"],
)
def test_a_seal_of_somebody_who_was_not_entitled_does_not_pass(
    actor: Actor, values: dict[str, object]
) -> None:
    """Even with the server's word for it: a server that was tricked, or an older one with a fault."""
    records, deps = installation()
    row = put(records, signed_by(actor, deps), "application", {"name": "line-1", "username": "x", **values})
    with pytest.raises(InvalidSeal, match="its signer was not entitled to it"):
        gate_of(records, deps).check(row)
    with pytest.raises(InvalidSeal, match="its signer was not entitled to it"):
        gate_of(records, deps).check_alone(row)


def test_a_users_own_seal_over_the_own_record_passes() -> None:
    records, deps = installation()
    row = put_user(records, signed_by(AUDITOR_1, deps), AUDITOR_1)
    assert gate_of(records, deps).check(row).signer == "auditor-1"


def test_a_users_seal_over_the_record_of_another_user_does_not_pass() -> None:
    records, deps = installation()
    row = put_user(records, signed_by(AUDITOR_1, deps), OFFICER_1)
    with pytest.raises(InvalidSeal, match="not entitled"):
        gate_of(records, deps).check(row)


def forged(records: MemoryRecords, deps: ChangeDeps, row: Record, **changes: object) -> Record:
    """The row with parts of its seal changed, listed in the manifest as if that were what was signed."""
    text = json.dumps({**json.loads(row.seal), **changes})
    sealing = sealing_of(deps)
    gate = gate_of(records, deps)
    statement = gate.statement(row)
    key = key_of(row)
    part = dict(gate.part(part_of(*key)) or {})
    part[key.id] = Entry(row.version, seals.entry_digest(statement, text), "forged")
    with records.transaction() as transaction:
        transaction.put_seal(row.kind, key.id, version=row.version, seal=text)
        seen = write_manifest(transaction, following(gate.head), {part_of(*key): part}, sealing)
    sealing.high_water.rise(seen)
    return records.rows[row.kind, row.id]


def following(head: Head) -> Head:
    return replace(head, sequence=head.sequence + 1)


def text_of(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"signature": text_of(b"another")}, "it is not what 'root-user' signed"),
        ({"signer": "admin-1"}, "the signer's certificate is not that of 'admin-1'"),
        ({"certificate": text_of(signing_key("admin-1").certificate)}, "is not that of 'root-user'"),
        ({"certificate": text_of(b"garbage")}, "is not one of the operator CA"),
        (
            {"certificate": text_of(certificate_for("root-user", signing_key("admin-1")))},
            "it is not what 'root-user' signed",
        ),
    ],
    ids=["signature", "signer", "certificate of another", "no certificate", "another key of the signer"],
)
def test_the_users_signature_is_verified_even_if_the_manifest_lists_the_seal(
    changes: dict[str, object], reason: str
) -> None:
    at = victim()
    row = forged(at.records, at.deps, at.row(LINE_2), **changes)
    with pytest.raises(InvalidSeal, match=reason):
        gate_of(at.records, at.deps).check(row)


@pytest.mark.parametrize(
    "changes",
    [{"role": "auditor"}, {"groups": [9]}, {"at": "2020-01-01T00:00:00.000000+00:00"}],
    ids=lambda changes: next(iter(changes)),
)
def test_a_seal_alone_is_believed_with_the_counter_signature_only(changes: dict[str, object]) -> None:
    at = victim()
    gate = gate_of(at.records, at.deps)
    gate.check_alone(at.row(LINE_2))
    row = replace(at.row(LINE_2), seal=json.dumps({**json.loads(at.row(LINE_2).seal), **changes}))
    with pytest.raises(InvalidSeal, match="counter-signed"):
        gate.check_alone(row)


@pytest.mark.parametrize(
    ("since", "believed"),
    [(-1, False), (0, False), (1, True)],
    ids=["signed after the moment", "signed at the moment", "signed before the moment"],
)
def test_a_compromised_key_is_void_from_a_moment_on(since: int, believed: bool) -> None:
    at = victim()
    deps = replace(at.deps, clock=FixedClock(NOW + timedelta(seconds=1)))
    declare_key_compromised(ROOT_USER, "admin-1", NOW + timedelta(seconds=since), deps)
    gate = gate_of(at.records, at.deps)
    assert gate.is_compromised(signer(ADMIN_1).certificate)
    assert not gate.is_compromised(signer(ROOT_USER).certificate)
    found = judged(at.records, gate)
    assert (found == {}) is believed
    if not believed:
        assert "with the key of 'admin-1', which counts as compromised since" in found["application", 1]
        assert len(found) == 1


def test_a_record_that_passed_before_its_signers_key_was_compromised_passes_no_more() -> None:
    at = victim()
    gate = gate_of(at.records, at.deps)
    gate.check(at.row(LINE_1))
    declare_key_compromised(ROOT_USER, "admin-1", NOW, at.deps)
    gate.take_head(at.records.head, gate.newest_seen())
    with pytest.raises(InvalidSeal, match="compromised"):
        gate.check(at.row(LINE_1))


def test_a_gate_without_a_source_knows_the_parts_that_it_was_given() -> None:
    at = victim()
    gate = RecordGate(trust(), new_high_water())
    gate.take_head(at.records.head, gate.newest_seen())
    assert gate.broken_parts(["application", "label"]) == (("application", 0), ("label", 0))
    gate.take_all_parts(at.records.manifest_parts())
    assert gate.broken_parts(["application", "label"]) == ()
    assert set(gate.entries("application")) == {1, 2}
    gate.take_all_parts(())
    assert gate.entries("application") == {}
    assert gate.part(PartName("nothing", 0)) == {}


def test_what_was_found_good_is_forgotten_when_it_becomes_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("certuary.services.record_gate._KEPT_RESULTS", 1)
    monkeypatch.setattr("certuary.services.record_gate._KEPT_KEYS", 1)
    at = victim()
    gate = gate_of(at.records, at.deps)
    for _ in range(2):
        assert judged(at.records, gate) == {}


def test_a_later_change_by_the_same_signer_at_a_later_time_is_believed() -> None:
    records, deps = installation()
    sealing = new_sealing(high_water=sealing_of(deps).high_water)
    later = FixedClock(NOW + timedelta(days=400))
    with change_records(ROOT_USER, replace(deps, clock=later, sealing=sealing)) as changes:
        record = changes.create("label", {"name": "later", "profile_id": 1})
    assert gate_of(records, deps).check(records.rows["label", record.id]).at == later.moment


def test_the_seal_of_a_row_is_what_the_manifest_lists_and_not_what_a_second_signing_made() -> None:
    records, deps = installation()
    row = put(records, deps, "label", {"name": "x", "profile_id": 1})
    first = Seal.from_text(row.seal)
    seal_as_they_are(records, sealing_of(deps), [key_of(row)])
    newer = records.rows["label", row.id]
    assert Seal.from_text(newer.seal).signature != first.signature
    with pytest.raises(InvalidSeal):
        gate_of(records, deps).check(replace(newer, seal=row.seal))


def test_signatures_beyond_the_allowance_are_verified_later() -> None:
    at = victim()
    seal_as_they_are(at.records, new_sealing(OFFICER_1), [LINE_2])
    gate = gate_of(at.records, at.deps)
    gate.verify_at_once(0)
    assert judged(at.records, gate) == {}
    failed = gate.verify_postponed(1000)
    assert set(failed) == {LINE_2}
    assert "was not entitled" in failed[LINE_2]
    assert gate.verify_postponed(1000) == {}
    assert set(judged(at.records, gate)) == {LINE_2}


def test_content_is_compared_at_once_however_many_signatures_wait() -> None:
    at = victim()
    gate = gate_of(at.records, at.deps)
    gate.verify_at_once(0)
    altered = replace(at.row(LINE_1), values={**at.row(LINE_1).values, "enabled": False})
    with pytest.raises(InvalidSeal, match="enabled"):
        gate.check(altered)


def test_an_allowance_is_used_up_one_by_one() -> None:
    at = victim()
    gate = gate_of(at.records, at.deps)
    gate.verify_at_once(1)
    gate.check(at.row(LINE_1))
    gate.check(at.row(LINE_2))
    assert gate.check(at.row(LINE_1)).signer == "admin-1"
    assert gate.check(at.row(LINE_2)).signer == ""
    gate.verify_postponed(1000)
    assert gate.check(at.row(LINE_2)).signer == "root-user"


def test_what_was_changed_while_its_signature_waited_is_passed_over() -> None:
    at = victim()
    gate = gate_of(at.records, at.deps)
    gate.verify_at_once(0)
    gate.check(at.row(LINE_1))
    seal_as_they_are(at.records, new_sealing(), [LINE_1])
    gate.take_head(at.records.manifest(), gate.newest_seen())
    assert gate.verify_postponed(1000) == {}
