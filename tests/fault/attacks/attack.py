"""An attack by plain SQL on a running server: carried out, found, shown harmless, undone."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.fault.attacks.scene import Ask, Scene

CHANGED = "not what 'admin' signed on DATE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """`found` are subjects (such as `application far`) with the reason that is given for each.

    `asks` are enrolments with the status that they get before and after the attack, and that during it.
    `refused_user` is somebody whose sign-in is refused during it.
    """

    name: str
    sql: str
    tables: tuple[str, ...]
    found: Mapping[str, str]
    asks: Mapping[Ask, tuple[int, int]] = field(default_factory=dict)
    refused_user: str = ""

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


def attack_and_mend(scene: Scene, attack: Attack) -> None:
    """Found and refused in time; undone, served again and mended in time; one event of each kind."""
    before = {ask: status for ask, (status, _) in attack.asks.items()}
    during = {ask: status for ask, (_, status) in attack.asks.items()}
    events = {subject: broken_and_mended(scene, subject) for subject in attack.found}
    scene.wait_until_answered(before, time.monotonic())
    scene.execute(attack.sql)
    committed_at = time.monotonic()
    try:
        scene.time(f"named: {attack.name}", scene.wait_until_told(attack.sentences, committed_at))
        scene.time(f"refused: {attack.name}", scene.wait_until_answered(during, committed_at))
    finally:
        scene.put_back(*attack.tables)
        undone_at = time.monotonic()
    scene.time(f"served again: {attack.name}", scene.wait_until_answered(before, undone_at))
    scene.wait_until_untold(attack.sentences, undone_at)
    for subject, (broken, mended) in events.items():
        assert broken_and_mended(scene, subject) == (broken + 1, mended + 1), subject


def broken_and_mended(scene: Scene, subject: str) -> tuple[int, int]:
    return scene.events("seal.broken", target(subject)), scene.events("seal.mended", target(subject))
