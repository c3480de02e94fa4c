"""Second factors altered by SQL are a finding: in the watch that /readyz shows, among the seals, and by command."""

from __future__ import annotations

import itertools
import json
from typing import Final

import pytest

from certuary.server.lease import Lease
from certuary.server.seal_job import LEASE, SealJob, SealJobDeps
from certuary.services.ports import Subject
from certuary.services.record_gate import RecordGate
from certuary.services.watch_seals import SealWatch
from certuary.store.leases import DjangoLeaseStore
from tests.wire.cli_process import new_shell
from tests.wire.portal.pages import ADMIN, Confirm, Portal, PortalClient, text_of
from tests.wire.portal.test_account import ALTERED, PLANTED, set_up_totp

MINUTE: Final = 60.0
FINDING: Final = Subject("second-factors", ADMIN)
CHANGES: Final = [
    "DELETE FROM mfa_authenticator",
    "UPDATE mfa_authenticator SET data = '{\"secret\": \"x\"}' WHERE type = 'totp'",
    "UPDATE mfa_authenticator SET created_at = 'garbage' WHERE type = 'totp'",
    PLANTED,
]


def watch_of(portal: Portal) -> SealWatch:
    return SealWatch(portal.stores.rows, RecordGate(portal.deps.trust, portal.deps.high_water))


def job_of(portal: Portal) -> SealJob:
    gate = RecordGate(portal.deps.trust, portal.deps.high_water)
    return SealJob(
        SealJobDeps(
            watch=SealWatch(portal.stores.rows, gate),
            gate=gate,
            high_water=portal.deps.high_water,
            records=portal.stores.records,
            lease=Lease(DjangoLeaseStore(), LEASE, "node"),
            clock=portal.deps.clock,
            steady=itertools.count(0.0, MINUTE).__next__,
            core_seconds=lambda: 0.0,
        )
    )


@pytest.mark.parametrize("sql", CHANGES)
def test_altered_factors_are_found_while_the_server_runs_and_after_a_restart(
    sql: str, client: PortalClient, confirm: Confirm, portal: Portal
) -> None:
    set_up_totp(client, confirm)
    running = watch_of(portal)
    assert running.look().broken == {}
    portal.execute(sql)
    assert running.look().broken == watch_of(portal).look().broken == {FINDING: ALTERED}


@pytest.mark.parametrize("sql", CHANGES)
def test_altered_factors_are_named_on_the_page_of_seals_and_by_the_command(
    sql: str, client: PortalClient, confirm: Confirm, portal: Portal, boss: PortalClient
) -> None:
    set_up_totp(client, confirm)
    assert "Every seal holds" in text_of(boss.get("/seals/"))
    portal.execute(sql)
    assert ALTERED in text_of(boss.get("/seals/"))
    done = new_shell(portal.home.parent).run("seal", "verify", "--json")
    assert done.code == 65
    assert json.loads(done.stdout) == [{"kind": "second-factors", "name": ADMIN, "reason": ALTERED}]


def test_factors_that_were_signed_are_no_finding(
    client: PortalClient, confirm: Confirm, portal: Portal, boss: PortalClient
) -> None:
    running = watch_of(portal)
    assert running.look().broken == {}
    set_up_totp(client, confirm)
    assert running.look().broken == {}
    assert "Every seal holds" in text_of(boss.get("/seals/"))
    assert new_shell(portal.home.parent).run("seal", "verify").code == 0


def test_one_event_tells_of_it_and_one_of_its_end(
    client: PortalClient, confirm: Confirm, portal: Portal
) -> None:
    set_up_totp(client, confirm)
    job = job_of(portal)
    job.tick()
    portal.execute("UPDATE mfa_authenticator SET type = 'other' WHERE type = 'totp'")
    look_twice(job)
    assert job.problems == (f"user {ADMIN!r} cannot sign in to the portal: {ALTERED}",)
    portal.execute("UPDATE mfa_authenticator SET type = 'totp' WHERE type = 'other'")
    look_twice(job)
    assert not job.problems
    assert events("seal.broken") == events("seal.mended") == [str(FINDING)]


def look_twice(job: SealJob) -> None:
    for _ in range(2):
        job.tick()


def events(kind: str) -> list[str]:
    from certuary.store.models import AuditEvent

    return list(AuditEvent.objects.filter(kind=kind).values_list("target", flat=True))


@pytest.fixture
def boss(portal: Portal) -> PortalClient:
    from tests.wire.portal.test_approvals import add_boss

    return add_boss(portal)
