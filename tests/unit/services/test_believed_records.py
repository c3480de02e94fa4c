from __future__ import annotations

from dataclasses import replace

import pytest

from certuary.errors import InvalidSeal
from certuary.services.believed_records import BelievedRecords
from certuary.services.change_record import change_records
from certuary.services.ports import Subject
from certuary.services.register_application import remove_application
from tests.memory_records import INSTANCE
from tests.unit.services.attacks import LINE_1, LINE_2, Victim, application_values, victim
from tests.unit.services.change_fixtures import ROOT_USER
from tests.unit.services.sealing import gate_of


def believed(at: Victim) -> BelievedRecords:
    return BelievedRecords(at.records, gate_of(at.records, at.deps))


def test_what_holds_is_found_and_listed() -> None:
    at = victim()
    records = believed(at)
    assert records.find("application", name="line-1") == at.row(LINE_1)
    assert records.find("application", name="nothing") is None
    assert records.find_ever("application", 1) == at.row(LINE_1)
    assert records.all("application") == (at.row(LINE_1), at.row(LINE_2))


def test_a_look_up_that_finds_an_altered_record_is_refused_and_a_listing_leaves_it_out() -> None:
    at = victim()
    records = believed(at)
    at.set_column(LINE_1, enabled=False)
    with pytest.raises(InvalidSeal, match="application 'line-1' cannot be believed: enabled"):
        records.find("application", name="line-1")
    with pytest.raises(InvalidSeal):
        records.find_ever("application", 1)
    assert records.all("application") == (at.row(LINE_2),)


def test_a_complete_listing_is_what_the_manifest_lists_or_is_refused() -> None:
    at = victim()
    records = believed(at)
    at.records.create("application", application_values("nobody-signed-it"))
    assert records.complete("application") == (at.row(LINE_1), at.row(LINE_2))
    at.set_column(LINE_1, enabled=False)
    with pytest.raises(InvalidSeal, match="enabled: not what"):
        records.complete("application")
    del at.records.rows[LINE_1]
    with pytest.raises(InvalidSeal, match="application 'line-1' is missing"):
        records.complete("application")


def test_a_list_without_its_part_of_the_manifest_is_not_complete() -> None:
    at = victim()
    del at.records.parts["application", 0]
    with pytest.raises(InvalidSeal, match="the manifest's list of every application was altered"):
        believed(at).complete("application")


def test_a_change_that_is_committed_meanwhile_takes_no_complete_listing_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at = victim()
    records = believed(at)
    before = [at.records.all("application")]
    with change_records(ROOT_USER, at.deps) as changes:
        changes.update(at.row(LINE_1), {"enabled": False})
    now = at.records.all
    monkeypatch.setattr(at.records, "all", lambda kind: before.pop() if before else now(kind))
    assert records.complete("application") == (at.row(LINE_1), at.row(LINE_2))
    assert before == []


def test_a_retired_record_stands_for_itself() -> None:
    at = victim()
    records = believed(at)
    with change_records(ROOT_USER, at.deps) as changes:
        changes.retire(at.row(LINE_1))
    assert records.find_ever("application", 1) == at.records.gone[LINE_1]
    assert records.retired("application") == (at.records.gone[LINE_1],)
    gone = at.records.gone[LINE_1]
    at.records.gone[LINE_1] = replace(gone, values={**gone.values, "group_id": 2})
    with pytest.raises(InvalidSeal, match="counter-signed"):
        records.find_ever("application", 1)


def test_the_manifest_is_read_before_each_look_up() -> None:
    at = victim()
    records = believed(at)
    with change_records(ROOT_USER, at.deps) as changes:
        changes.update(at.row(LINE_1), {"enabled": False})
    found = records.find("application", name="line-1")
    assert found is not None
    assert found.values["enabled"] is False
    at.records.head = None
    with pytest.raises(InvalidSeal):
        records.find("application", name="line-1")
    with pytest.raises(InvalidSeal):
        records.all("application")


def test_a_property_passes_as_it_is() -> None:
    at = victim()
    at.records.create("property", {"property_key": "a.b", "property_value": "v", "status": "Active"})
    records = believed(at)
    at.records.head = None
    assert records.find("property", property_key="a.b") is not None
    assert len(records.all("property")) == 1


def test_the_rest_is_that_of_the_store() -> None:
    at = victim()
    records = believed(at)
    at.records.put_problem(Subject("user", "olga"), "why", at.deps.clock.now())
    assert records.instance() == INSTANCE
    assert records.problems_told() == {Subject("user", "olga"): "why"}
    assert records.manifest() is at.records.head
    assert records.manifest_part("application", 0) == at.records.manifest_part("application", 0)


def test_a_command_changes_through_it() -> None:
    at = victim()
    remove_application(ROOT_USER, "line-1", replace(at.deps, records=believed(at)))
    assert [record.values["name"] for record in at.records.all("application")] == ["line-2"]
