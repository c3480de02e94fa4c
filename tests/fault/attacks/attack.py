"""An attack by plain SQL on a running server: carried out, found, shown harmless, undone."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tests.fault.attacks.outcomes import Outcome
from tests.fault.attacks.scene import SLOWEST, Ask, Scene

CHANGED = "not what 'admin' signed on DATE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """`found` are subjects (such as `application far`) with the reason that is given for each.

    `asks` are enrolments with the status that they get before and after the attack, and that during it.
    `refused_user` is somebody who may change nothing during it, `password_of` whose password is tried.
    """

    name: str
    sql: str
    tables: tuple[str, ...]
    found: Mapping[str, str]
    asks: Mapping[Ask, tuple[int, int]] = field(default_factory=dict)
    refused_user: str = ""
    password_of: str = ""

    @property
    def before(self) -> Mapping[Ask, int]:
        return {ask: status for ask, (status, _) in self.asks.items()}

    @property
    def during(self) -> Mapping[Ask, int]:
        return {ask: status for ask, (_, status) in self.asks.items()}

    @property
    def sentences(self) -> tuple[str, ...]:
        """What `/readyz` says."""
        return tuple(sentence(subject, reason) for subject, reason in self.found.items())


def sentence(subject: str, reason: str) -> str:
    kind, _, name = subject.partition(" ")
    if kind != "manifest":
        return f"{kind} {name!r} is left out: {reason}"
    return reason if name == "head" else f"manifest part {name}: {reason}"


def target(subject: str) -> str:
    """As the audit event names it."""
    return subject.replace(" ", ":", 1)


def attack_and_mend(scene: Scene, attack: Attack) -> Outcome:
    """Found and refused in time; undone, served again and mended in time; one event of each kind."""
    events = {subject: broken_and_mended(scene, subject) for subject in attack.found}
    scene.wait_until_answered(attack.before, time.monotonic())
    scene.execute(attack.sql)
    committed_at = time.monotonic()
    try:
        SLOWEST.time("named", attack.name, scene.wait_until_told(attack.sentences, committed_at))
        SLOWEST.time("refused", attack.name, scene.wait_until_answered(attack.during, committed_at))
        check_user_refused(scene, attack)
        # A worker may have told /readyz before the watch looked, which tells the audit.
        scene.wait_until(
            lambda: all(
                broken_and_mended(scene, each)[0] == broken + 1 for each, (broken, _) in events.items()
            ),
            "the events of what is broken",
        )
    finally:
        scene.put_back(*attack.tables)
        undone_at = time.monotonic()
    SLOWEST.time("served again", attack.name, scene.wait_until_answered(attack.before, undone_at))
    scene.wait_until_untold(attack.sentences, undone_at)
    expected = {subject: (broken + 1, mended + 1) for subject, (broken, mended) in events.items()}
    scene.wait_until(
        lambda: {subject: broken_and_mended(scene, subject) for subject in events} == expected, "the events"
    )
    return outcome(attack)


def check_user_refused(scene: Scene, attack: Attack) -> None:
    if attack.refused_user:
        assert scene.refuses_user(attack.refused_user, attack.password_of or attack.refused_user)


def outcome(attack: Attack) -> Outcome:
    """What was just seen to hold, in words."""
    statuses = sorted({*attack.during.values()})
    refused = [f"EST ({', '.join(map(str, statuses))})"] if statuses else []
    if attack.refused_user:
        refused.append("commands (exit 77)")
    return Outcome(
        attack=attack.name,
        refused=", ".join([*refused, "`/readyz`"]),
        named="; ".join(attack.sentences),
        undone="by putting the row back",
    )


def broken_and_mended(scene: Scene, subject: str) -> tuple[int, int]:
    return scene.events("seal.broken", target(subject)), scene.events("seal.mended", target(subject))


def picked_apart(attacks: Iterable[Attack]) -> tuple[Attack, ...]:
    """Those that can be carried out at once: each names other records."""
    picked: list[Attack] = []
    taken: set[str] = set()
    for attack in attacks:
        if taken.isdisjoint(attack.found):
            picked.append(attack)
            taken |= attack.found.keys()
    return tuple(picked)
