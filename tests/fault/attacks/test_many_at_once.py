"""Many records altered at once: what commands say, and that a restart comes to the same as a server that runs."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.fault.attacks.attack import broken_and_mended, picked_apart
from tests.fault.attacks.outcomes import Outcome, Outcomes
from tests.fault.attacks.record_attacks import APPLICATIONS, OTHER_RECORDS
from tests.fault.attacks.scene import SLOWEST, Ask, Scene, Stage
from tests.fault.processes import process_ids, wait_for_successor

ATTACKS = picked_apart((*APPLICATIONS, *OTHER_RECORDS))
KINDS = ("application", "profile", "label", "group", "user", "authority")
TABLES = sorted({table for attack in ATTACKS for table in attack.tables})
LATER_SECONDS = 3.0
FOUND = {subject: reason for attack in ATTACKS for subject, reason in attack.found.items()}
SENTENCES = tuple(sentence for attack in ATTACKS for sentence in attack.sentences)

Events = dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Siege:
    """`before` counts the events of each subject, by database."""

    stage: Stage
    before: dict[Scene, Events]

    def counted(self, scene: Scene) -> Events:
        now = events(scene)
        return {
            subject: (now[subject][0] - broken, now[subject][1] - mended)
            for subject, (broken, mended) in self.before[scene].items()
        }


def events(scene: Scene) -> Events:
    return {subject: broken_and_mended(scene, subject) for subject in FOUND}


@pytest.fixture(scope="module")
def siege(stage: Stage) -> Iterator[Siege]:
    siege = Siege(stage, {scene: events(scene) for scene in stage.scenes})
    stage.each(attack)
    yield siege
    stage.each(lambda scene: scene.put_back(*TABLES))


def attack(scene: Scene) -> None:
    scene.execute(*(attack.sql for attack in ATTACKS))
    committed_at = time.monotonic()
    SLOWEST.time("named", "many at once", scene.wait_until_told(SENTENCES, committed_at))
    wait_until_refused(scene, committed_at)


def wait_until_refused(scene: Scene, since: float) -> None:
    off = {Ask(username="quickstart"): 503}
    SLOWEST.time("refused", "many at once", scene.wait_until_answered(off, since))
    scene.wait_until_answered(refusals(), time.monotonic())


def refusals() -> dict[Ask, int]:
    """EST as a whole is off, whoever asks: the default profile and its authority are among what was altered."""
    return {ask: 503 for one in ATTACKS for ask in one.asks if not ask.label}


def test_each_record_and_nothing_else_is_named_by_the_command(siege: Siege) -> None:
    for found in siege.stage.each(Scene.findings):
        versions = {subject for subject in found if subject.startswith("profile-version")}
        assert len(versions) == 1  # the profile's text is marked, too
        assert {subject: reason for subject, reason in found.items() if subject not in versions} == FOUND


@pytest.mark.parametrize("kind", KINDS)
def test_lists_show_which_seals_are_broken(siege: Siege, kind: str) -> None:
    broken = {subject: f"broken: {reason}" for subject, reason in FOUND.items() if subject.startswith(kind)}
    for listed in siege.stage.each(lambda scene: scene.listed(kind)):
        assert {subject: seal for subject, seal in listed.items() if seal != "holds"} == broken


def test_one_event_is_written_for_each_record_also_after_some_time(siege: Siege) -> None:
    time.sleep(LATER_SECONDS)
    for scene in siege.stage.scenes:
        assert set(siege.counted(scene).values()) == {(1, 0)}


def test_a_worker_that_starts_comes_to_the_same(siege: Siege, outcomes: Outcomes) -> None:
    outcomes.add(siege.stage.each(replace_worker))


def replace_worker(scene: Scene) -> Outcome:
    (worker,) = process_ids(scene.server, "est")
    os.kill(worker, signal.SIGKILL)
    wait_for_successor(scene.server, "est", worker)
    scene.wait_until_answered(refusals(), time.monotonic())
    scene.wait_until_told(SENTENCES, time.monotonic())
    return Outcome(
        attack="A record of each kind is altered, and the EST worker is killed and comes again",
        refused="EST (503), `/readyz`",
        named="each as above",
        undone="by putting the rows back",
    )


def test_a_server_that_starts_comes_to_the_same(siege: Siege, outcomes: Outcomes) -> None:
    outcomes.add(siege.stage.each(restart))
    for scene in siege.stage.scenes:
        assert set(siege.counted(scene).values()) == {(1, 0)}


def restart(scene: Scene) -> Outcome:
    scene.stop()
    scene.start(until_status=503)
    started_at = time.monotonic()
    scene.wait_until_told(SENTENCES, started_at)
    wait_until_refused(scene, started_at)
    return Outcome(
        attack="A record of each kind is altered, and the server is started again",
        refused="EST (503), `/readyz`, `seal verify`, the column `seal` of lists",
        named="each as above",
        undone="by putting the rows back",
    )


def test_all_of_it_is_used_again_once_it_is_put_back(siege: Siege) -> None:
    siege.stage.each(mend)
    for scene in siege.stage.scenes:
        assert set(siege.counted(scene).values()) == {(1, 1)}
        scene.commands.run("seal", "verify")


def mend(scene: Scene) -> None:
    scene.put_back(*TABLES)
    undone_at = time.monotonic()
    served = {Ask(username="quickstart"): 200}
    SLOWEST.time("served again", "many at once", scene.wait_until_answered(served, undone_at))
    before = {ask: status for one in ATTACKS for ask, status in one.before.items()}
    scene.wait_until_answered(before, time.monotonic())
    scene.wait_until_untold(SENTENCES, undone_at)


def test_what_was_altered_while_the_server_was_down_is_found_when_it_starts(
    stage: Stage, outcomes: Outcomes
) -> None:
    outcomes.add(stage.each(alter_while_down))


def alter_while_down(scene: Scene) -> Outcome:
    before = events(scene)
    scene.stop()
    scene.execute(*(attack.sql for attack in ATTACKS))
    scene.start(until_status=503)
    started_at = time.monotonic()
    SLOWEST.time("named", "many while down", scene.wait_until_told(SENTENCES, started_at))
    wait_until_refused(scene, started_at)
    mend(scene)
    assert events(scene) == {subject: (b + 1, m + 1) for subject, (b, m) in before.items()}
    return Outcome(
        attack="A record of each kind is altered while the server is down",
        refused="EST (503), `/readyz`",
        named="each as above",
        undone="by putting the rows back",
    )
