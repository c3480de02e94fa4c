from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from certuary.core.manifest import Head
from certuary.core.seal import Seal
from certuary.errors import Conflict, InvalidSeal, NotFound, NotPermitted
from certuary.services.change_deps import ChangeDeps
from certuary.services.change_record import RecordChanges, change_records
from certuary.services.high_water import Seen
from certuary.services.ports import Record
from certuary.services.record_gate import Key
from certuary.services.seal_changes import open_gate
from tests.memory_records import MemoryRecords
from tests.unit.services.attacks import (
    ATTACKS,
    HEAD_ATTACKS,
    LINE_1,
    LINE_2,
    Attack,
    HeadAttack,
    Victim,
    application_values,
    victim,
)
from tests.unit.services.change_fixtures import (
    ADMIN_1,
    OFFICER_1,
    ROOT_USER,
    detail_of,
    installation,
    kinds_of,
)
from tests.unit.services.sealing import gate_of, new_high_water, new_sealing, sealing_of, signed_by


def head_of(records: MemoryRecords) -> Head:
    assert records.head is not None
    return Head.from_body(records.head.body)


def newest(deps: ChangeDeps) -> Seen:
    found = sealing_of(deps).high_water.newest()
    assert found is not None
    return found


def test_a_new_record_is_version_1_and_each_change_the_next() -> None:
    records, deps = installation()
    with change_records(ROOT_USER, deps) as changes:
        record = changes.create("application", application_values("line-1"))
    assert records.rows[LINE_1].version == 1
    for version in (2, 3):
        with change_records(ROOT_USER, deps) as changes:
            changes.update(record, {"enabled": version == 3})
        assert records.rows[LINE_1].version == version
        entry = gate_of(records, deps).entry(Key("application", 1))
        assert entry is not None
        assert (entry.version, entry.name) == (version, "line-1")


def test_several_changes_of_one_record_in_one_transaction_make_one_seal() -> None:
    records, deps = installation()
    sequence = head_of(records).sequence
    with change_records(ADMIN_1, signed_by(ADMIN_1, deps)) as changes:
        record = changes.create("application", application_values("line-1"))
        record = changes.update(record, {"enabled": False})
        changes.update(record, {"enabled": True})
    row = records.rows[LINE_1]
    assert row.version == 1
    assert head_of(records).sequence == sequence + 1
    assert gate_of(records, deps).check(row).signer == "admin-1"
    assert Seal.from_text(row.seal).group_ids == (1,)


def test_the_high_water_mark_rises_only_with_what_was_committed() -> None:
    records, deps = installation()
    before = newest(deps)
    records.fail_at_commit = Conflict("no")
    with pytest.raises(Conflict), change_records(ROOT_USER, deps) as changes:
        changes.create("application", application_values("line-1"))
    assert newest(deps) == before
    with change_records(ROOT_USER, deps) as changes:
        changes.create("application", application_values("line-1"))
    assert newest(deps).sequence == before.sequence + 1 == head_of(records).sequence


def test_a_removed_record_leaves_the_manifest_with_a_seal_of_its_own() -> None:
    at = victim()
    with change_records(ROOT_USER, at.deps) as changes:
        changes.retire(at.row(LINE_1))
    gate = gate_of(at.records, at.deps)
    assert gate.entry(Key("application", 1)) is None
    gone = at.records.gone[LINE_1]
    assert gone.version == 3
    assert gate.check_alone(gone).signer == "root-user"
    with pytest.raises(InvalidSeal):
        gate.check_alone(replace(gone, removed_at=None))


def _relabel(changes: RecordChanges, record: Record) -> None:
    changes.update(record, {"labels": ["plant"]})


def _change_and_delete(at: Victim) -> None:
    with change_records(ROOT_USER, at.deps) as changes:
        changes.update(at.row(LINE_1), {"enabled": False})
        del at.records.rows[LINE_1]


@pytest.mark.parametrize(
    "attack",
    [one for one in ATTACKS if LINE_1 in one.broken and "row is gone" not in one.broken[LINE_1]],
    ids=lambda attack: attack.name,
)
@pytest.mark.parametrize("change", [_relabel, RecordChanges.retire], ids=["update", "retire"])
def test_an_altered_record_is_not_changed_as_that_would_sign_the_alteration(
    attack: Attack, change: Callable[[RecordChanges, Record], object]
) -> None:
    at = victim()
    attack.do(at)
    before, head = dict(at.records.rows), at.records.head
    with (
        pytest.raises(InvalidSeal, match="is not changed while its seal does not hold"),
        change_records(ROOT_USER, at.deps) as changes,
    ):
        change(changes, at.row(LINE_1))
    assert (at.records.rows, at.records.head) == (before, head)
    assert at.records.audit == []


@pytest.mark.parametrize("attack", HEAD_ATTACKS, ids=lambda attack: attack.name)
def test_nothing_is_signed_over_a_manifest_that_is_not_believed(attack: HeadAttack) -> None:
    at = victim()
    attack.do(at)
    head = at.records.head
    with pytest.raises(InvalidSeal, match=attack.reason), change_records(ROOT_USER, at.deps) as changes:
        changes.create("application", application_values("line-3"))
    assert at.records.head is head


def test_nothing_is_signed_into_a_part_that_was_altered() -> None:
    at = victim()
    at.set_part(("application", 0), "line-2", "line-9")
    with (
        pytest.raises(InvalidSeal, match="part application/0 of the manifest was altered") as refused,
        change_records(ROOT_USER, at.deps) as changes,
    ):
        changes.create("application", application_values("line-3"))
    assert refused.value.rule == "manifest"
    with change_records(ROOT_USER, at.deps) as changes:
        changes.create("label", {"name": "other", "profile_id": 1})


def test_the_first_change_of_an_installation_begins_its_manifest() -> None:
    records, sealing = MemoryRecords(), new_sealing()
    gate = open_gate(records, sealing)
    assert gate.head.sequence == 0


def test_a_database_that_lost_its_manifest_does_not_begin_a_new_one() -> None:
    at = victim()
    at.records.head = None
    with pytest.raises(InvalidSeal, match="holds no manifest"):
        open_gate(at.records, sealing_of(at.deps))
    # A node that has seen none cannot tell.
    fresh = replace(sealing_of(at.deps), high_water=new_high_water())
    assert open_gate(at.records, fresh).head.sequence == 0


def test_a_version_follows_the_higher_of_row_and_manifest() -> None:
    at = victim()
    at.set(LINE_1, version=7)
    with change_records(ROOT_USER, at.deps) as changes:
        changes.adopt(at.row(LINE_1))
    assert at.row(LINE_1).version == 8
    at.set(LINE_1, version=2)
    with change_records(ROOT_USER, at.deps) as changes:
        changes.adopt(at.row(LINE_1))
    assert at.row(LINE_1).version == 9


def test_a_record_whose_row_vanishes_within_the_transaction_is_not_signed() -> None:
    at = victim()
    with pytest.raises(NotFound, match="is gone"):
        _change_and_delete(at)


# Adopting and forgetting.


def test_a_record_is_adopted_as_it_stands() -> None:
    at = victim()
    at.set_column(LINE_1, enabled=False)
    with change_records(ROOT_USER, at.deps) as changes:
        changes.adopt(at.row(LINE_1))
    assert gate_of(at.records, at.deps).check(at.row(LINE_1)).signer == "root-user"
    assert at.row(LINE_1).values["enabled"] is False
    assert kinds_of(at.records) == ["application.adopted"]


def test_an_inserted_row_can_be_adopted() -> None:
    at = victim()
    at.records.create("application", application_values("line-3"))
    with change_records(ROOT_USER, at.deps) as changes:
        changes.adopt(at.records.rows["application", 3])
    gate_of(at.records, at.deps).check(at.records.rows["application", 3])


def test_a_row_that_is_gone_is_forgotten_by_name() -> None:
    at = victim()
    del at.records.rows[LINE_2]
    with change_records(ROOT_USER, at.deps) as changes:
        changes.forget("application", "line-2")
    assert gate_of(at.records, at.deps).entries("application").keys() == {1}
    assert kinds_of(at.records) == ["application.forgotten"]
    assert detail_of(at.records) == {"id": 2, "version": 1}


@pytest.mark.parametrize("name", ["line-1", "nothing"])
def test_what_is_there_or_never_was_is_not_forgotten(name: str) -> None:
    at = victim()
    with pytest.raises(NotFound, match="is missing"), change_records(ROOT_USER, at.deps) as changes:
        changes.forget("application", name)


@pytest.mark.parametrize("actor", [ADMIN_1, OFFICER_1], ids=lambda actor: actor.role)
def test_only_a_ca_administrator_adopts_and_forgets(actor: object) -> None:
    at = victim()
    assert isinstance(actor, type(ADMIN_1))
    deps = signed_by(actor, at.deps)
    with pytest.raises(NotPermitted), change_records(actor, deps) as changes:
        changes.adopt(at.row(LINE_1))
    with pytest.raises(NotPermitted), change_records(actor, deps) as changes:
        changes.forget("application", "line-1")
    assert json.loads(at.records.audit[0].detail)["rule"] == "not-permitted"
