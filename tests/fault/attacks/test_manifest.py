"""The manifest altered, cut and set back by plain SQL while a server runs."""

from __future__ import annotations

import pytest

from tests.fault.attacks.attack import Attack, attack_and_mend
from tests.fault.attacks.manifest_attacks import MANIFEST
from tests.fault.attacks.outcomes import Outcomes
from tests.fault.attacks.scene import Stage


@pytest.mark.parametrize("attack", MANIFEST, ids=lambda attack: attack.name)
def test_an_altered_manifest_stops_what_it_covers_until_it_is_put_back(
    stage: Stage, outcomes: Outcomes, attack: Attack
) -> None:
    outcomes.add(stage.each(lambda scene: attack_and_mend(scene, attack)))
