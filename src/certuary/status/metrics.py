"""The Prometheus exposition of a node: what its processes count, and the dates that an alarm should watch.

A process counts under dotted names; `requests.refused.408` of an EST worker in slot 2 is exposed as
`certuary_requests_total{event="refused.408",process="est-2"}`. The process stays a label, so that one
restarted worker resets its own series and not a sum.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from certuary.services.process_report import ProcessReport
from certuary.status.health import STALE_SECONDS, NodeFacts, assess

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9_]")


def exposition(facts: NodeFacts) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_NodeCollector(facts))
    return generate_latest(registry)


class _NodeCollector(Collector):
    def __init__(self, facts: NodeFacts) -> None:
        self._facts = facts

    def collect(self) -> Iterator[Metric]:
        yield from _node_metrics(self._facts)
        yield from _date_metrics(self._facts)
        yield from _process_metrics(self._facts)
        yield from _counted(self._facts)


def _node_metrics(facts: NodeFacts) -> Iterator[Metric]:
    health = assess(facts)
    yield GaugeMetricFamily("certuary_ready", "Whether /readyz answers 200", value=float(health.ready))
    yield GaugeMetricFamily(
        "certuary_warnings", "How many warnings /readyz shows", value=len(health.warnings)
    )
    yield GaugeMetricFamily(
        "certuary_est_workers_expected", "EST workers that should run", value=facts.expected_workers
    )
    yield GaugeMetricFamily(
        "certuary_blocklist_entries", "Compromised keys known", value=facts.blocklist_entries
    )
    yield GaugeMetricFamily(
        "certuary_database_up",
        "Whether the status process reaches the database",
        value=float(facts.database_problem is None),
    )


def _date_metrics(facts: NodeFacts) -> Iterator[Metric]:
    if facts.tls_not_after is not None:
        yield GaugeMetricFamily(
            "certuary_tls_not_after_seconds",
            "When the EST listener's certificate expires",
            value=facts.tls_not_after.timestamp(),
        )
    yield _by_authority(
        "certuary_authority_not_after_seconds", "When an authority expires", facts.certificate_expiries
    )
    yield _by_authority(
        "certuary_crl_this_update_seconds",
        "When an authority's newest CRL was made",
        ((crl.authority, crl.this_update) for crl in facts.crls),
    )
    yield _by_authority(
        "certuary_crl_next_update_seconds",
        "Until when an authority's newest CRL is good",
        ((crl.authority, crl.next_update) for crl in facts.crls),
    )
    numbers = GaugeMetricFamily("certuary_crl_number", "An authority's newest CRL", labels=["authority"])
    for crl in facts.crls:
        numbers.add_metric([crl.authority], float(crl.number or 0))
    yield numbers


def _by_authority(name: str, help_text: str, dates: Iterable[tuple[str, datetime | None]]) -> Metric:
    family = GaugeMetricFamily(name, help_text, labels=["authority"])
    for authority, moment in dates:
        if moment is not None:
            family.add_metric([authority], moment.timestamp())
    return family


def _process_metrics(facts: NodeFacts) -> Iterator[Metric]:
    alive = GaugeMetricFamily("certuary_process_up", "Whether a process reports", labels=["process"])
    started = GaugeMetricFamily("certuary_process_start_seconds", "When it started", labels=["process"])
    revision = GaugeMetricFamily(
        "certuary_configuration_revision", "The configuration it works with", labels=["process"]
    )
    for process, report in _named(facts.reports):
        alive.add_metric([process], float(report.age_seconds(facts.steady_now) <= STALE_SECONDS))
        started.add_metric([process], report.started_at)
        if report.revision:  # the status process works with none
            revision.add_metric([process], report.revision)
    yield from (alive, started, revision)


def _counted(facts: NodeFacts) -> Iterator[Metric]:
    families: dict[str, Metric] = {}
    for process, report in _named(facts.reports):
        _add(families, CounterMetricFamily, process, report.counters)
        _add(families, GaugeMetricFamily, process, report.gauges)
    yield from (families[name] for name in sorted(families))


def _add(
    families: dict[str, Metric],
    family_type: type[CounterMetricFamily] | type[GaugeMetricFamily],
    process: str,
    values: Mapping[str, float],
) -> None:
    for dotted, value in sorted(values.items()):
        subject, _, event = dotted.partition(".")
        name = "certuary_" + _NOT_IN_A_NAME.sub("_", subject)
        family = families.get(name)
        if family is None:
            family = family_type(name, f"What a process counts of {subject}", labels=["process", "event"])
            families[name] = family
        # A name that is a counter in one process and a gauge in another cannot be exposed as both.
        if isinstance(family, family_type):
            family.add_metric([process, event], value)


def _named(reports: Iterable[ProcessReport]) -> Iterator[tuple[str, ProcessReport]]:
    """Each report under a name that a restart keeps: the role, and its place among those of that role."""
    places: dict[str, int] = {}
    for report in reports:
        place = places.get(report.role, 0)
        places[report.role] = place + 1
        yield f"{report.role}-{place}", report
