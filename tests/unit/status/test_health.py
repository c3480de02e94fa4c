from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from certuary.services.process_report import ProcessReport
from certuary.status.health import CrlFacts, NodeFacts, assess, detail

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
WORKER = ProcessReport(role="est", pid=7, started_at=0, steady_at=99, revision=4, database_ok=True)
CRL = CrlFacts(
    authority="issuing",
    number=3,
    this_update=NOW - timedelta(hours=6),
    next_update=NOW + timedelta(hours=18),
    lifetime_seconds=24 * 3600,
)
WELL = NodeFacts(
    now=NOW,
    steady_now=100,
    started_at=NOW,
    reports=(WORKER,),
    expected_workers=1,
    database_problem=None,
    clock_problem=None,
    passphrase_beside_keys=False,
    blocklist_entries=3,
    crls=(CRL,),
    tls_not_after=NOW + timedelta(days=60),
    certificate_expiries=(("issuing", NOW + timedelta(days=3000)),),
)


def test_a_node_that_is_well_is_ready_without_a_warning() -> None:
    health = assess(WELL)
    assert health.ready
    assert health.warnings == ()


def _with_worker(**changes: object) -> NodeFacts:
    return replace(WELL, reports=(replace(WORKER, **changes),))  # type: ignore[arg-type]  # a table of fields


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (replace(WELL, reports=()), "no EST worker answers"),
        (_with_worker(steady_at=90), "no EST worker answers"),
        (_with_worker(role="status"), "no EST worker answers"),
        (
            _with_worker(disabled_reason="property est.ca.server.group.id is missing or not Active"),
            "property est.ca.server.group.id is missing or not Active",
        ),
        (_with_worker(database_ok=False), "no EST worker can write"),
        (replace(WELL, database_problem="the database cannot be used"), "the database cannot be used"),
        (replace(WELL, clock_problem="the clock jumped"), "the clock jumped"),
    ],
)
def test_what_keeps_enrolment_from_working_makes_the_node_not_ready(facts: NodeFacts, reason: str) -> None:
    health = assess(facts)
    assert not health.ready
    assert any(reason in text for text in health.reasons)


@pytest.mark.parametrize(
    ("facts", "warning"),
    [
        (replace(WELL, expected_workers=2), "1 of 2 EST workers answer"),
        (replace(WELL, passphrase_beside_keys=True), "passphrase lies beside the keys"),
        (replace(WELL, blocklist_entries=0), "blocklist of compromised keys is empty"),
        (replace(WELL, tls_not_after=None), "cannot be read"),
        (replace(WELL, tls_not_after=NOW - timedelta(days=1)), "has expired"),
        (replace(WELL, tls_not_after=NOW + timedelta(days=5)), "expires in 5 days"),
        (replace(WELL, crls=(replace(CRL, next_update=None),)), "authority issuing has published no CRL"),
        (
            replace(WELL, crls=(replace(CRL, next_update=NOW - timedelta(hours=3)),)),
            "out of date since 3 hours",
        ),
        (replace(WELL, crls=(replace(CRL, next_update=NOW + timedelta(hours=5)),)), "runs out in 5 hours"),
        (
            replace(WELL, crls=(replace(CRL, next_update=NOW + timedelta(minutes=5)),)),
            "runs out in 5 minutes",
        ),
        (
            replace(WELL, certificate_expiries=(("root", NOW + timedelta(days=30)),)),
            "authority root expires on 2026-12-23",
        ),
        (replace(WELL, problems=("the jobs failed",)), "the jobs failed"),
        (_with_worker(problems=("profile x does not parse",)), "profile x does not parse"),
    ],
)
def test_what_an_operator_should_see_to_is_a_warning_and_no_more(facts: NodeFacts, warning: str) -> None:
    health = assess(facts)
    assert health.ready
    assert any(warning in text for text in health.warnings)


def test_one_worker_that_can_enrol_keeps_the_node_ready_with_a_warning() -> None:
    out = replace(WORKER, pid=8, disabled_reason="the database is away")
    health = assess(replace(WELL, reports=(WORKER, out), expected_workers=2))
    assert health.ready
    assert health.warnings == ("1 of 2 EST workers cannot enrol",)


def test_the_same_problem_of_two_workers_is_one_warning() -> None:
    worker = replace(WORKER, problems=("profile x does not parse",))
    health = assess(replace(WELL, reports=(worker, worker), expected_workers=2))
    assert health.warnings == ("profile x does not parse",)


def test_a_crl_is_warned_about_before_it_is_out_of_date() -> None:
    for left in (timedelta(hours=6), timedelta(hours=5, minutes=59)):
        crl = replace(CRL, next_update=NOW + left)
        warned = bool(assess(replace(WELL, crls=(crl,))).warnings)
        assert warned == (left < timedelta(hours=6))


def test_the_detail_is_json_and_names_every_part() -> None:
    told = json.loads(json.dumps(detail(WELL, assess(WELL))))
    assert told["ready"] is True
    assert told["est"] == {"enabled": True, "workers_expected": 1, "workers_alive": 1}
    assert told["tls"]["days_left"] == 60
    assert told["crls"][0]["age_seconds"] == 6 * 3600
    assert told["processes"][0]["revision"] == 4
    assert {"database", "clock", "key_store", "blocklist"} <= set(told)


def test_the_detail_of_a_node_that_knows_nothing_yet_is_still_json() -> None:
    empty = replace(
        WELL,
        reports=(),
        crls=(replace(CRL, number=None, this_update=None, next_update=None),),
        tls_not_after=None,
    )
    told = json.loads(json.dumps(detail(empty, assess(empty))))
    assert told["est"]["enabled"] is False
    assert told["tls"] == {"not_after": None, "days_left": None}
