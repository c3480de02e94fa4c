from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from prometheus_client.parser import text_string_to_metric_families

from certuary.services.process_report import ProcessReport
from certuary.status.health import CrlFacts, NodeFacts
from certuary.status.metrics import exposition

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
FACTS = NodeFacts(
    now=NOW,
    steady_now=100,
    started_at=NOW,
    reports=(
        ProcessReport(
            role="est", pid=1, started_at=5, steady_at=99, revision=4,
            counters={"requests.refused.408": 2, "enrolments.issued": 9}, gauges={"connections_open": 3},
        ),
        ProcessReport(role="est", pid=2, started_at=5, steady_at=1, counters={"enrolments.issued": 1}),
    ),
    expected_workers=2,
    database_problem=None,
    clock_problem=None,
    passphrase_beside_keys=False,
    blocklist_entries=3,
    crls=(
        CrlFacts(authority="issuing", number=3, this_update=NOW, next_update=NOW, lifetime_seconds=60),
        CrlFacts(authority="root", number=None, this_update=None, next_update=None, lifetime_seconds=60),
    ),
    tls_not_after=NOW + timedelta(days=9),
    certificate_expiries=(("root", NOW),),
)  # fmt: skip


def _samples(facts: NodeFacts) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(exposition(facts).decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_a_worker_s_counters_are_exposed_by_process_and_event() -> None:
    samples = _samples(FACTS)
    assert samples["certuary_requests_total", (("event", "refused.408"), ("process", "est-0"))] == 2
    assert samples["certuary_enrolments_total", (("event", "issued"), ("process", "est-0"))] == 9
    assert samples["certuary_enrolments_total", (("event", "issued"), ("process", "est-1"))] == 1
    assert samples["certuary_connections_open", (("event", ""), ("process", "est-0"))] == 3


def test_a_process_that_stopped_reporting_is_down() -> None:
    samples = _samples(FACTS)
    assert samples["certuary_process_up", (("process", "est-0"),)] == 1
    assert samples["certuary_process_up", (("process", "est-1"),)] == 0


def test_dates_are_exposed_as_seconds_and_unknown_ones_left_out() -> None:
    samples = _samples(FACTS)
    assert samples["certuary_tls_not_after_seconds", ()] == (NOW + timedelta(days=9)).timestamp()
    assert samples["certuary_crl_next_update_seconds", (("authority", "issuing"),)] == NOW.timestamp()
    assert ("certuary_crl_next_update_seconds", (("authority", "root"),)) not in samples
    assert samples["certuary_crl_number", (("authority", "root"),)] == 0


def test_readiness_is_a_number_to_alarm_on() -> None:
    assert _samples(FACTS)["certuary_ready", ()] == 1
    assert _samples(replace(FACTS, reports=()))["certuary_ready", ()] == 0


def test_a_name_used_as_counter_and_gauge_is_exposed_once() -> None:
    twice = ProcessReport(
        role="est", pid=1, started_at=0, steady_at=99, counters={"x.a": 1}, gauges={"x.a": 2}
    )
    samples = _samples(replace(FACTS, reports=(twice,)))
    assert samples["certuary_x_total", (("event", "a"), ("process", "est-0"))] == 1


def test_an_unknown_listener_certificate_has_no_expiry() -> None:
    assert ("certuary_tls_not_after_seconds", ()) not in _samples(replace(FACTS, tls_not_after=None))
