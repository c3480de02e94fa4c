"""The watch sees what tells no one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from certuary.services.change_record import change_records
from certuary.services.entitlement import Actor
from certuary.services.manage_user import declare_key_compromised
from certuary.services.ports import Subject
from certuary.services.record_gate import Key, RecordGate
from certuary.services.trusted_feed import TrustedFeed
from certuary.services.watch_seals import MANIFEST, SealWatch, sentence
from tests.memory_records import NOW, MemoryFeed, MemoryRowWatch
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
from tests.unit.services.change_fixtures import ROOT_USER
from tests.unit.services.sealing import put_user, sealing_of, trust

ROW_ATTACKS = [one for one in ATTACKS if "manifest" not in one.name]
PART_ATTACKS = [one for one in ATTACKS if "manifest" in one.name]


def new_watch(at: Victim) -> SealWatch:
    return SealWatch(MemoryRowWatch(at.records), RecordGate(trust(), sealing_of(at.deps).high_water))


def names(at: Victim, attack: Attack) -> set[str]:
    """What the attacked records are called, before or after."""
    found = set()
    for key in attack.broken:
        for row in (at.records.rows.get(key), at.records.gone.get(key), at.old_rows.get(key)):
            if row is not None:
                found.add(str(row.values.get("code", row.values.get("name"))))
    return found


def test_nothing_is_found_where_nothing_was_done() -> None:
    at = victim()
    watch = new_watch(at)
    for _ in range(2):
        look = watch.look()
        assert (look.broken, look.quiet, look.quiet_manifest) == ({}, (), False)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_a_quiet_attack_is_found_by_a_watch_that_runs_and_by_one_that_starts(attack: Attack) -> None:
    at = victim()
    running = new_watch(at)
    running.look()
    attack.do(at)
    look = running.look()
    assert look.broken == new_watch(at).look().broken == running.look().broken
    subjects = {subject for subject in look.broken if subject.kind != "manifest"}
    assert {subject.name for subject in subjects} <= names(at, attack)
    assert len(subjects) == len(attack.broken)


@pytest.mark.parametrize("attack", ROW_ATTACKS, ids=lambda attack: attack.name)
def test_a_row_that_changed_quietly_is_named_once_to_be_read_again(attack: Attack) -> None:
    at = victim()
    running = new_watch(at)
    running.look()
    attack.do(at)
    assert set(running.look().quiet) == set(attack.broken)
    assert running.look().quiet == ()


@pytest.mark.parametrize("attack", PART_ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_on_the_manifest_names_the_part(attack: Attack) -> None:
    at = victim()
    running = new_watch(at)
    running.look()
    attack.do(at)
    look = running.look()
    assert Subject("manifest", "application/0") in look.broken
    assert look.quiet_manifest


@pytest.mark.parametrize("attack", HEAD_ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_on_the_whole_manifest_is_one_finding(attack: HeadAttack) -> None:
    at = victim()
    running = new_watch(at)
    running.look()
    attack.do(at)
    look = running.look()
    assert look.broken.keys() == {MANIFEST}
    assert attack.reason in look.broken[MANIFEST]
    assert look.quiet_manifest
    assert not running.look().quiet_manifest


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_what_was_put_back_is_no_finding_any_more(attack: Attack) -> None:
    at = victim()
    running = new_watch(at)
    rows, gone, parts = dict(at.records.rows), dict(at.records.gone), dict(at.records.parts)
    running.look()
    attack.do(at)
    assert running.look().broken
    at.records.rows, at.records.gone, at.records.parts = rows, gone, parts
    assert running.look().broken == {}


def test_a_change_by_the_proper_way_is_not_quiet() -> None:
    at = victim()
    watch = new_watch(at)
    watch.look()
    with change_records(ROOT_USER, at.deps) as changes:
        changes.update(at.row(LINE_1), {"enabled": False})
        changes.create("application", application_values("line-3"))
        changes.retire(at.row(LINE_2))
    look = watch.look()
    assert (look.broken, look.quiet, look.quiet_manifest) == ({}, (), False)


def test_what_is_broken_when_the_watch_starts_is_to_be_read_again() -> None:
    at = victim()
    at.set_column(LINE_1, enabled=False)
    assert new_watch(at).look().quiet == (Key("application", 1),)


def test_a_user_is_watched_though_no_process_reads_users() -> None:
    at = victim()
    at.set_column(Key("user", 1), role="ca-administrator")
    assert new_watch(at).look().broken.keys() == {Subject("user", "admin-1")}


def test_a_key_that_is_declared_compromised_breaks_what_it_signed_and_touches_nothing_else() -> None:
    at = victim()
    watch = new_watch(at)
    watch.look()
    declare_key_compromised(ROOT_USER, "admin-1", NOW, at.deps)
    look = watch.look()
    assert look.broken == new_watch(at).look().broken
    assert look.broken.keys() == {Subject("application", "line-1")}
    assert (look.quiet, look.quiet_manifest) == ((), False)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_a_finding_reads_as_the_feed_tells_it(attack: Attack) -> None:
    at = victim()
    attack.do(at)
    look = new_watch(at).look()
    gate = RecordGate(trust(), sealing_of(at.deps).high_water)
    told = TrustedFeed(MemoryFeed(at.records), gate, lambda seen: None).read(0).distrusted.values()
    sentences = {sentence(subject, reason) for subject, reason in look.broken.items()}
    assert len(told) == len(attack.broken)
    assert set(told) <= sentences


def test_a_finding_about_the_manifest_is_a_sentence() -> None:
    assert sentence(MANIFEST, "it is gone") == "it is gone"
    assert sentence(Subject("manifest", "user/0"), "altered") == "manifest part user/0: altered"


def test_a_row_that_replaced_another_of_the_same_number_is_seen() -> None:
    at = victim()
    watch = new_watch(at)
    watch.look()
    at.records.rows[LINE_1] = replace(at.row(LINE_2), id=1)
    assert watch.look().broken


def test_a_finding_about_a_switch_or_second_factors_says_what_follows() -> None:
    switch = sentence(Subject("switch", "two-persons.user"), "its row is gone")
    assert switch == "switch 'two-persons.user' counts as on: its row is gone"
    factors = sentence(Subject("second-factors", "olga"), "altered")
    assert factors == "user 'olga' cannot sign in to the portal: altered"


def test_second_factors_are_compared_with_what_the_users_record_lists() -> None:
    at = victim()
    user = put_user(at.records, at.deps, Actor(name="olga", role="auditor", group_ids=frozenset({1})))
    with change_records(ROOT_USER, at.deps) as changes:
        changes.update(user, {"authenticators": ["a", "b"]})
    running = new_watch(at)
    finding = Subject("second-factors", "olga")
    assert running.look().broken.keys() == {finding}
    at.records.factor_digests = {int(user.id): ("b", "a")}
    assert running.look().broken == {}
    at.records.factor_digests = {int(user.id): ("b", "a", "c")}
    assert running.look().broken.keys() == {finding}
    # Of a user whose record is altered that is the finding.
    at.records.update("user", user.id, {"role": "officer"})
    assert running.look().broken.keys() == {Subject("user", "olga")}
