"""Audit events edited, deleted, inserted and cut off by plain SQL: `certuary audit verify` tells which."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from tests.fault.attacks.outcomes import Outcome, Outcomes
from tests.fault.attacks.scene import Scene, Stage

TABLES = ("audit_events", "audit_streams", "audit_checkpoints")
COLUMNS = "previous, hash, at, kind, actor_kind, actor, target, request_id, address, detail"
ENDED = (
    "(SELECT closing.stream FROM audit_streams closing WHERE closing.process = 'est-0' AND closing.closed_by <> ''"
    " ORDER BY closing.opened_at LIMIT 1)"
)
UNDO = """
DELETE FROM audit_events WHERE id < 0 OR id IN (SELECT id FROM copy_audit_events);
INSERT INTO audit_events SELECT * FROM copy_audit_events;
DELETE FROM audit_checkpoints WHERE number IN (SELECT number FROM copy_audit_checkpoints);
INSERT INTO audit_checkpoints SELECT * FROM copy_audit_checkpoints;
DELETE FROM audit_streams WHERE stream IN (SELECT stream FROM copy_audit_streams);
INSERT INTO audit_streams SELECT * FROM copy_audit_streams;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditAttack:
    """`what` are the findings, by their short names."""

    name: str
    sql: str
    what: tuple[str, ...]
    named: str


ATTACKS = (
    AuditAttack(
        name="An audit event is edited",
        sql="UPDATE audit_events SET actor = 'somebody else' WHERE stream = 'commands' AND seq = 5;",
        what=("edited",),
        named="event 5 of stream commands",
    ),
    AuditAttack(
        name="An audit event is deleted",
        sql="DELETE FROM audit_events WHERE stream = 'commands' AND seq = 5;",
        what=("deleted",),
        named="stream commands: event 5 is missing",
    ),
    AuditAttack(
        name="An audit event is inserted at a stream's end",
        sql=f"INSERT INTO audit_events (id, stream, seq, {COLUMNS}) SELECT -1, stream, seq + 1, {COLUMNS}"
        " FROM audit_events WHERE stream = 'commands' ORDER BY seq DESC LIMIT 1;",
        what=("forged",),
        named="was not written under its stream's key: it was edited or inserted",
    ),
    AuditAttack(
        name="An audit event is inserted outside every stream",
        sql=f"INSERT INTO audit_events (id, stream, {COLUMNS}) SELECT -1, '', {COLUMNS}"
        " FROM audit_events WHERE stream = 'commands' AND seq = 5;",
        what=("unchained",),
        named="is in no chain: no process of ours writes such events",
    ),
    AuditAttack(
        name="Two audit events change places",
        sql="UPDATE audit_events SET seq = -1 WHERE stream = 'commands' AND seq = 5;"
        " UPDATE audit_events SET seq = 5 WHERE stream = 'commands' AND seq = 6;"
        " UPDATE audit_events SET seq = 6 WHERE stream = 'commands' AND seq = -1;",
        what=("forged", "forged"),
        named="event 5 of stream commands",
    ),
    AuditAttack(
        name="The tail of a stream is cut",
        sql=f"DELETE FROM audit_events WHERE stream = {ENDED} AND seq ="
        f" (SELECT max(other.seq) FROM audit_events other WHERE other.stream = {ENDED});",
        what=("tail-cut",),
        named="missing at its end",
    ),
    AuditAttack(
        name="A stream is removed, with every mention of it in the database but the closing event",
        sql=f"DELETE FROM audit_events WHERE stream = {ENDED};"
        " DELETE FROM audit_checkpoints;"
        f" DELETE FROM audit_streams WHERE stream = {ENDED};",
        what=("stream-removed",),
        named="it is gone, with all of its",
    ),
)


@pytest.fixture(scope="module")
def audited(stage: Stage) -> Stage:
    """Some streams have ended, and a checkpoint tells how far the others came."""

    def restart(scene: Scene) -> None:
        scene.stop()
        scene.start()
        scene.keep("copy", TABLES)

    stage.each(restart)
    return stage


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_what_was_done_to_the_events_is_named_and_can_be_undone(
    audited: Stage, outcomes: Outcomes, attack: AuditAttack
) -> None:
    outcomes.add(audited.each(lambda scene: damage(scene, attack)))


def damage(scene: Scene, attack: AuditAttack) -> Outcome:
    scene.execute(attack.sql)
    report = verify(scene, expect=65)
    scene.execute(UNDO)
    assert tuple(finding["what"] for finding in report["findings"]) == attack.what, report["findings"]
    assert attack.named in report["findings"][0]["detail"]
    return Outcome(
        attack=attack.name,
        refused="`audit verify` (exit 65)",
        named=f"{attack.what[0]}: {attack.named}",
        undone="by putting the rows back",
    )


def test_events_that_were_put_back_are_whole_again(audited: Stage) -> None:
    for report in audited.each(verify):
        assert report["findings"] == []


def verify(scene: Scene, expect: int = 0) -> Any:
    return json.loads(scene.commands.run("--json", "audit", "verify", expect=expect).stdout)
