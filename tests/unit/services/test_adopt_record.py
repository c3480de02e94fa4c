from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest

from certuary.errors import Conflict, InvalidSeal, NotFound
from certuary.services.adopt_record import Shown, adopt_record, forget_record, parse_kind, show_record
from certuary.services.change_record import change_records
from certuary.services.record_gate import Key
from certuary.services.verify_seals import verify_seals
from tests.unit.services.attacks import ATTACKS, LINE_1, Attack, Victim, victim
from tests.unit.services.change_fixtures import ROOT_USER
from tests.unit.services.sealing import gate_of


def show(at: Victim, name: str = "line-1") -> Shown:
    return show_record(at.records, gate_of(at.records, at.deps), "application", name)


def findings(at: Victim) -> list[tuple[str, str]]:
    counted: list[None] = []
    found = verify_seals(at.records, gate_of(at.records, at.deps), lambda: counted.append(None), dict)
    result = [(one.kind, one.name) for one in found]
    assert len(counted) == sum(key[0] != "property" for key in at.records.rows) + len(
        [row for row in at.records.gone.values() if row.version > 2]
    )
    return result


def test_a_record_that_holds_is_shown_with_who_signed_it() -> None:
    at = victim()
    shown = show(at)
    assert shown.problem is None
    assert shown.seal is not None
    assert shown.seal.signer == "admin-1"
    assert json.loads(shown.statement)["columns"]["networks"] == ["10.0.0.0/8"]
    assert shown.digest == hashlib.sha256(shown.statement).hexdigest()


def test_a_record_that_does_not_hold_is_shown_as_it_stands() -> None:
    at = victim()
    at.set_column(LINE_1, enabled=False)
    shown = show(at)
    assert "enabled: not what" in str(shown.problem)
    assert json.loads(shown.statement)["columns"]["enabled"] is False
    at.set(LINE_1, seal="{")
    assert show(at).seal is None


def test_the_record_that_was_shown_is_signed() -> None:
    at = victim()
    at.set_column(LINE_1, enabled=False)
    shown = show(at)
    adopt_record(ROOT_USER, shown, shown.digest, at.deps)
    assert findings(at) == []


def test_a_record_that_was_changed_since_it_was_shown_is_not_signed() -> None:
    at = victim()
    at.set_column(LINE_1, enabled=False)
    digest = show(at).digest
    at.set_column(LINE_1, password_hash="$argon2id$mallory")
    with pytest.raises(Conflict, match="not the one that was shown"):
        adopt_record(ROOT_USER, show(at), digest, at.deps)
    assert findings(at) == [("application", "line-1")]


def test_a_record_that_changes_between_the_look_and_the_signature_is_not_signed() -> None:
    at = victim()
    at.set_column(LINE_1, enabled=False)
    shown = show(at)
    at.set_column(LINE_1, password_hash="$argon2id$mallory")
    with pytest.raises(Conflict):
        adopt_record(ROOT_USER, shown, shown.digest, at.deps)
    assert findings(at) == [("application", "line-1")]


def test_a_row_that_is_gone_is_forgotten() -> None:
    at = victim()
    del at.records.rows[LINE_1]
    assert findings(at) == [("application", "line-1")]
    forget_record(ROOT_USER, "application", "line-1", at.deps)
    assert findings(at) == []


@pytest.mark.parametrize("name", ["GRP_001", "Default"])
def test_a_group_is_shown_by_code_or_name(name: str) -> None:
    at = victim()
    shown = show_record(at.records, gate_of(at.records, at.deps), "group", name)
    assert shown.record.values["code"] == "GRP_001"


def test_a_kind_is_read_as_people_type_it() -> None:
    assert parse_kind("Application") == "application"
    with pytest.raises(NotFound, match="did you mean 'application'"):
        parse_kind("aplication")
    with pytest.raises(NotFound):
        parse_kind("property")


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_verifying_finds_every_attack(attack: Attack) -> None:
    at = victim()
    assert findings(at) == []
    attack.do(at)
    gate = gate_of(at.records, at.deps)
    found = list(verify_seals(at.records, gate, lambda: None, dict))
    records = [one for one in found if one.kind != "manifest"]
    assert len([one for one in records if "(removed)" not in one.name]) == len(attack.broken)
    for reason in attack.broken.values():
        assert any(reason in one.reason for one in records)
    assert ("manifest" in attack.name) is any(one.kind == "manifest" for one in found)


def test_a_retired_record_that_was_altered_is_found() -> None:
    at = victim()
    with change_records(ROOT_USER, at.deps) as changes:
        changes.retire(at.row(LINE_1))
    assert findings(at) == []
    gone = at.records.gone[LINE_1]
    at.records.gone[LINE_1] = replace(gone, values={**gone.values, "group_id": 2})
    assert findings(at) == [("application", "line-1 (removed)")]


@pytest.mark.parametrize("since", [5, "yesterday"])
def test_a_user_whose_compromised_keys_are_no_times_is_not_signed(since: object) -> None:
    at = victim()
    user = Key("user", 1)
    at.set_column(user, compromised_keys={"ab": since})
    shown = show_record(at.records, gate_of(at.records, at.deps), "user", str(at.row(user).values["name"]))
    with pytest.raises(InvalidSeal, match="its compromised keys cannot be read; put the row back"):
        adopt_record(ROOT_USER, shown, shown.digest, at.deps)
