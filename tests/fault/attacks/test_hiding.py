"""An alteration that is meant not to be noticed: counters, the lease or the list of what was told altered with it."""

from __future__ import annotations

import time

import pytest
from cryptography import x509

from tests.est_session import EstSession
from tests.fault.attacks.attack import (
    CHANGED,
    Attack,
    attack_and_mend,
    broken_and_mended,
)
from tests.fault.attacks.outcomes import Outcome, Outcomes
from tests.fault.attacks.revision_attacks import REVISIONS
from tests.fault.attacks.scene import KEY, SLOWEST, Ask, Scene, Stage
from tests.fault.processes import fetch_crl, until
from tests.request_maker import usual_request

OFF = "application off"
ENABLE = Attack(
    name="An application is altered",
    sql="UPDATE applications SET enabled = true WHERE name = 'off';",
    tables=("applications",),
    found={OFF: f"enabled: {CHANGED}"},
    asks={Ask(username="off"): (401, 401)},
)
INSISTS_WITHIN_SECONDS = 8.0


@pytest.mark.parametrize("attack", REVISIONS, ids=lambda attack: attack.name)
def test_counters_that_are_altered_too_hide_nothing(stage: Stage, outcomes: Outcomes, attack: Attack) -> None:
    outcomes.add(stage.each(lambda scene: attack_and_mend(scene, attack)))


def test_an_event_is_written_though_the_database_says_that_it_was(stage: Stage, outcomes: Outcomes) -> None:
    outcomes.add(stage.each(tell_beforehand))


def tell_beforehand(scene: Scene) -> Outcome:
    """The attacker has seen the very words before."""
    scene.execute(ENABLE.sql)
    scene.wait_until_told(ENABLE.sentences, time.monotonic())
    scene.wait_until(lambda: bool(scene.query("SELECT 1 FROM record_problems")), "what was told")
    scene.keep("told", ("record_problems",))
    scene.put_back("applications")
    scene.wait_until_untold(ENABLE.sentences, time.monotonic())
    scene.wait_until(lambda: not scene.query("SELECT 1 FROM record_problems"), "what was told, taken back")
    before = broken_and_mended(scene, OFF)
    scene.execute(ENABLE.sql, "INSERT INTO record_problems SELECT * FROM told_record_problems;")
    scene.wait_until(lambda: broken_and_mended(scene, OFF)[0] == before[0] + 1, "an event")
    scene.execute("DELETE FROM record_problems;")
    scene.put_back("applications")
    scene.wait_until(lambda: broken_and_mended(scene, OFF)[1] == before[1] + 1, "an event of its mending")
    scene.wait_until_untold(ENABLE.sentences, time.monotonic())
    return Outcome(
        attack="An application is altered, and the list of what was told already says so",
        refused="EST (401), `/readyz`, an audit event all the same",
        named=ENABLE.sentences[0],
        undone="by putting the row back",
    )


def test_a_lease_that_plain_sql_holds_delays_the_event_and_no_more(stage: Stage, outcomes: Outcomes) -> None:
    outcomes.add(stage.each(hold_lease))


def hold_lease(scene: Scene) -> Outcome:
    before = broken_and_mended(scene, OFF)
    scene.execute("DROP TABLE IF EXISTS lease_copy; CREATE TABLE lease_copy AS SELECT * FROM leases;")
    hold = "UPDATE leases SET holder = 'nobody', expires_at = (SELECT {end}) WHERE name = 'seals';"
    end = "datetime('now', '+19 seconds')" if scene.is_sqlite else "now() + interval '19 seconds'"
    scene.execute(ENABLE.sql, hold.format(end=end))
    committed_at = time.monotonic()
    SLOWEST.time("named", "lease held", scene.wait_until_told(ENABLE.sentences, committed_at))
    until(lambda: broken_and_mended(scene, OFF)[0] == before[0] + 1, INSISTS_WITHIN_SECONDS, "an event")
    scene.put_back("applications")
    undone_at = time.monotonic()
    scene.execute("DELETE FROM leases WHERE name = 'seals';")
    scene.wait_until_untold(ENABLE.sentences, undone_at)
    until(
        lambda: broken_and_mended(scene, OFF) == (before[0] + 1, before[1] + 1), 5, "an event of its mending"
    )
    return Outcome(
        attack="An application is altered, and the lease of who tells is taken",
        refused="EST (401), `/readyz`, an audit event some seconds later",
        named=ENABLE.sentences[0],
        undone="by putting the row back",
    )


def test_a_revocation_is_published_though_the_revision_was_set_back(stage: Stage, outcomes: Outcomes) -> None:
    outcomes.add(stage.each(revoke_at_a_low_revision))


def revoke_at_a_low_revision(scene: Scene) -> Outcome:
    credentials = "quickstart", scene.passwords["quickstart"]
    with EstSession(scene.server, credentials=credentials) as session:
        serial = session.enrol(usual_request(KEY, common_name="revoked")).certificate.serial_number
    scene.execute("UPDATE config_revision SET value = 1;")
    time.sleep(1)
    scene.commands.run("cert", "revoke", f"{serial:x}")
    until(lambda: is_revoked(scene, serial), 5, "the revocation in the CRL")
    return Outcome(
        attack="The configuration's revision is set to one before a revocation",
        refused="the revision rises again by itself",
        named="(nothing is lost)",
        undone="by itself: the CRL lists the certificate",
    )


def is_revoked(scene: Scene, serial: int) -> bool:
    crl = x509.load_der_x509_crl(fetch_crl(scene.server))
    return crl.get_revoked_certificate_by_serial_number(serial) is not None


def test_the_number_of_the_installation_is_believed_from_no_row(stage: Stage, outcomes: Outcomes) -> None:
    outcomes.add(stage.each(rename_installation))


def rename_installation(scene: Scene) -> Outcome:
    ((number,),) = scene.query("SELECT uuid FROM instance")
    scene.execute("UPDATE instance SET uuid = '00000000-0000-4000-8000-000000000000';")
    told = scene.told()
    scene.stop()
    scene.start()
    assert scene.enrol(Ask(username="quickstart")) == 200
    assert scene.told() == told
    scene.commands.run("seal", "verify")
    scene.execute(f"UPDATE instance SET uuid = '{number}';")
    return Outcome(
        attack="The installation's number is altered",
        refused="nothing reads it: the number that counts is pinned beside the keys",
        named="(nothing changes)",
        undone="not needed",
    )
