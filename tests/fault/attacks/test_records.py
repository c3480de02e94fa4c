"""Sealed records that plain SQL alters while a server runs: refused, found within two seconds, named, mended."""

from __future__ import annotations

import pytest

from tests.fault.attacks.attack import Attack, attack_and_mend
from tests.fault.attacks.outcomes import Outcomes
from tests.fault.attacks.record_attacks import APPLICATIONS, OTHER_RECORDS
from tests.fault.attacks.scene import Stage


@pytest.mark.parametrize("attack", [*APPLICATIONS, *OTHER_RECORDS], ids=lambda attack: attack.name)
def test_an_altered_record_is_left_out_named_and_used_again_once_it_is_put_back(
    stage: Stage, outcomes: Outcomes, attack: Attack
) -> None:
    outcomes.add(stage.each(lambda scene: attack_and_mend(scene, attack)))
