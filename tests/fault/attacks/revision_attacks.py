"""Attacks that also alter the counters by which processes find out what changed: they hide nothing."""

from __future__ import annotations

from tests.fault.attacks.attack import CHANGED, Attack
from tests.fault.attacks.scene import Ask

_ALTER = "UPDATE applications SET enabled = true WHERE name = 'off';"
_STOP = (
    "UPDATE applications SET group_id = (SELECT id FROM groups WHERE name = 'second') WHERE name = 'narrow';"
)
_COUNTERS = (
    (
        "Applications are altered, and the configuration's revision is lowered by one",
        "UPDATE config_revision SET value = value - 1;",
    ),
    (
        "Applications are altered, and the configuration's revision is set to one",
        "UPDATE config_revision SET value = 1;",
    ),
    (
        "Applications are altered, and the configuration's revision is raised",
        "UPDATE config_revision SET value = value + 1000;",
    ),
    (
        "Applications are altered, and their own revisions lowered",
        "UPDATE applications SET revision = 0 WHERE name IN ('narrow', 'off');",
    ),
    (
        "Applications are altered, and their own revisions raised",
        "UPDATE applications SET revision = 9000000 WHERE name IN ('narrow', 'off');",
    ),
    (
        "Applications are altered, and every row's revision set to zero",
        "UPDATE applications SET revision = 0; UPDATE manifest_parts SET revision = 0;",
    ),
)

REVISIONS = tuple(
    Attack(
        name=name,
        sql=_ALTER + _STOP + sql,
        tables=("applications",),
        found={"application off": f"enabled: {CHANGED}", "application narrow": f"group_id: {CHANGED}"},
        asks={Ask(username="off"): (401, 401), Ask(username="narrow", common_name="narrow-1"): (200, 401)},
    )
    for name, sql in _COUNTERS
)
