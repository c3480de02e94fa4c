"""Certificates' rows altered by plain SQL: who they belong to, and whether they are revoked."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

from cryptography import x509

from tests.fault.attacks.outcomes import Outcome, Outcomes
from tests.fault.attacks.scene import SLOWEST, Held, Scene, Stage, without_times
from tests.fault.processes import fetch_crl, process_ids, until, wait_for_successor

CRL_SECONDS = 5


def test_a_certificate_that_is_given_to_another_application_authenticates_nobody(
    stage: Stage, outcomes: Outcomes
) -> None:
    outcomes.add(stage.each(give_away))


def test_a_certificate_whose_names_are_altered_authenticates_nobody(stage: Stage, outcomes: Outcomes) -> None:
    outcomes.add(stage.each(rename))


def test_a_revocation_that_is_erased_stays(stage: Stage, outcomes: Outcomes) -> None:
    outcomes.add(
        stage.each(lambda scene: erase_revocation(scene, "A certificate's revocation is erased", erase))
    )


def test_a_revoked_certificate_whose_row_is_deleted_stays_revoked(stage: Stage, outcomes: Outcomes) -> None:
    outcomes.add(
        stage.each(lambda scene: erase_revocation(scene, "A revoked certificate's row is deleted", delete))
    )


def test_a_revocation_that_is_forged_is_not_published(stage: Stage, outcomes: Outcomes) -> None:
    outcomes.add(stage.each(forge_revocation))


def update(held: Held, assignments: str) -> str:
    return f"UPDATE certificates SET {assignments} WHERE serial = '{held.serial}';"


def delete(held: Held) -> str:
    return f"DELETE FROM certificates WHERE serial = '{held.serial}';"


def erase(held: Held) -> str:
    return update(held, "revoked_at = NULL, revocation_reason = NULL, revoked_revision = NULL")


def put_back(scene: Scene, held: Held) -> None:
    scene.execute(
        delete(held)
        + f"INSERT INTO certificates SELECT * FROM copy_certificates WHERE serial = '{held.serial}';"
    )


def give_away(scene: Scene) -> Outcome:
    return alter(
        scene,
        "A certificate is given to another application",
        "application_id = (SELECT id FROM applications WHERE name = 'narrow')",
    )


def rename(scene: Scene) -> Outcome:
    return alter(scene, "The subject that a certificate's row tells is altered", "subject_key = 'cn=other'")


def alter(scene: Scene, attack: str, assignments: str) -> Outcome:
    held = scene.enrol_new("held")
    scene.keep("copy", ("certificates",))
    scene.execute(update(held, assignments))
    replace_worker(scene)
    assert scene.renew(held) == 401
    reasons = {
        reason for subject, reason in scene.findings().items() if subject == f"certificate {held.serial}"
    }
    (reason,) = reasons
    put_back(scene, held)
    until(lambda: scene.renew(held) == 200, 2, "the certificate accepted again")
    return Outcome(
        attack=attack,
        refused="EST (401), `seal verify`",
        named=f"certificate SERIAL: {reason}",
        undone="by putting the row back",
    )


def replace_worker(scene: Scene) -> None:
    """One that has never seen the certificate."""
    (worker,) = process_ids(scene.server, "est")
    os.kill(worker, signal.SIGKILL)
    wait_for_successor(scene.server, "est", worker)


def erase_revocation(scene: Scene, attack: str, erasing: Callable[[Held], str]) -> Outcome:
    held = scene.enrol_new("revoked")
    scene.commands.run("cert", "revoke", held.serial)
    until(lambda: is_listed(scene, held), CRL_SECONDS, "the revocation on the CRL")
    scene.keep("copy", ("certificates",))
    scene.execute(erasing(held))
    named = wait_until_named(scene, held)
    assert is_listed(scene, held)
    assert scene.renew(held) == 401
    replace_worker(scene)
    assert scene.renew(held) == 401
    put_back(scene, held)
    until(lambda: not named_as(scene, held), 5, "no mention of the certificate")
    assert is_listed(scene, held)
    return Outcome(
        attack=attack,
        refused="the CRL keeps it, EST (401), `/readyz`",
        named=named,
        undone="by putting the row back",
    )


def forge_revocation(scene: Scene) -> Outcome:
    held = scene.enrol_new("not revoked")
    scene.keep("copy", ("certificates",))
    scene.execute(
        update(held, "revoked_at = issued_at, revocation_reason = 'superseded', revoked_revision = 1")
    )
    named = wait_until_named(scene, held)
    time.sleep(1)
    assert not is_listed(scene, held)
    put_back(scene, held)
    until(lambda: not named_as(scene, held), 5, "no mention of the certificate")
    return Outcome(
        attack="A certificate is revoked by SQL",
        refused="the CRL does not list it, `/readyz`",
        named=named,
        undone="by putting the row back",
    )


def wait_until_named(scene: Scene, held: Held) -> str:
    committed_at = time.monotonic()
    until(lambda: bool(named_as(scene, held)), 10, "the certificate named")
    SLOWEST.time("named", "certificate", time.monotonic() - committed_at)
    until(lambda: scene.events("certificate.altered", f"certificate:{held.serial}") == 1, 2, "an event")
    return without_times(named_as(scene, held))


def named_as(scene: Scene, held: Held) -> str:
    return "; ".join(sentence for sentence in scene.told() if held.serial in sentence)


def is_listed(scene: Scene, held: Held) -> bool:
    crl = x509.load_der_x509_crl(fetch_crl(scene.server))
    return crl.get_revoked_certificate_by_serial_number(held.certificate.serial_number) is not None
