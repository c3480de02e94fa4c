"""A value that cannot be read takes its own record out, and no other."""

from __future__ import annotations

import pytest

from tests.fault.attacks.attack import Attack, attack_and_mend
from tests.fault.attacks.outcomes import Outcomes
from tests.fault.attacks.scene import Stage
from tests.fault.attacks.unreadable_attacks import POSTGRESQL, SQLITE


@pytest.mark.parametrize("attack", [*SQLITE, *POSTGRESQL], ids=lambda attack: attack.name)
def test_an_unreadable_record_is_left_out_and_named(stage: Stage, outcomes: Outcomes, attack: Attack) -> None:
    (scene,) = [scene for scene in stage.scenes if scene.is_sqlite is (attack in SQLITE)]
    outcomes.add([attack_and_mend(scene, attack)])


def test_commands_name_what_cannot_be_read(stage: Stage) -> None:
    for scene in stage.scenes:
        attack = (SQLITE if scene.is_sqlite else POSTGRESQL)[0]
        scene.execute(attack.sql)
        assert scene.findings() == attack.found
        (subject,) = attack.found
        assert scene.listed("application")[subject] == f"broken: {attack.found[subject]}"
        scene.put_back(*attack.tables)
