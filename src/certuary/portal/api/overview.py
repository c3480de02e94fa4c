"""The dashboard's numbers, the nodes, and the search over everything, over the API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final

from django.http import HttpRequest
from ninja import Query, Router
from pydantic import Field

from certuary.portal.access import EVERYBODY, may_see_nodes
from certuary.portal.api import answers
from certuary.portal.api.callers import caller_of, needs
from certuary.portal.api.pages import KnownQuery
from certuary.portal.charts import Chart
from certuary.portal.deps import deps_of
from certuary.portal.figures import (
    AuthorityLine,
    NodeLine,
    authority_lines,
    broken_records,
    expiring_chart,
    issued_chart,
    node_lines,
    refused_reasons,
    windows_of,
)
from certuary.portal.scope import Scope
from certuary.portal.search_all import search_all
from certuary.store.dashboard import counting_state

statistics = Router(tags=["Overview"])
nodes = Router(tags=["Overview"])
search = Router(tags=["Overview"])

_OPENED_BY: Final = {
    "Certificates": "certificates:read",
    "Applications": "applications:read",
    "Profiles": "profiles:read",
    "Labels": "profiles:read",
    "Groups": "groups:read",
    "Users": "users:read",
    "Properties": "properties:read",
}


class SearchQuery(KnownQuery):
    q: str = Field(max_length=200, min_length=1, description="a name, a serial number, a fingerprint")


@statistics.get(
    "", response=answers.Statistics, summary="The dashboard's numbers", **needs("statistics:read", EVERYBODY)
)
def get_statistics(request: HttpRequest) -> answers.Statistics:
    deps = deps_of(request)
    now, own = deps.clock.now(), Scope.of(request).group_ids
    groups = None if own is None else tuple(own)
    expiring, counting = expiring_chart(now.date(), groups), counting_state()
    return answers.Statistics(
        is_complete=counting.is_complete,
        counted_at=counting.counted_at,
        issued=list(_counts(issued_chart(now.date(), groups))),
        expiring=[
            answers.ExpiryWindow(days=window.days, count=window.count) for window in windows_of(expiring)
        ],
        expiring_by_day=list(_counts(expiring)),
        refused=[
            answers.ReasonCount(rule=reason.name, count=reason.count)
            for reason in refused_reasons(now.date(), groups)
        ],
        authorities=[_authority(line) for line in authority_lines(deps.records.all("authority"), now)],
        broken=[
            answers.SealProblem(kind=one.kind, id=None, name=one.name, reason=one.reason)
            for one in broken_records(deps.records, groups)
        ],
    )


@nodes.get(
    "", response=answers.Nodes, summary="The nodes and their health", **needs("nodes:read", may_see_nodes)
)
def list_nodes(request: HttpRequest) -> answers.Nodes:
    """For CA Administrators and auditors."""
    return answers.Nodes(items=[_node(line) for line in node_lines(deps_of(request).clock.now())])


@search.get("", response=answers.Found, summary="Search everything", **needs("search:read", EVERYBODY))
def find_anything(request: HttpRequest, query: Annotated[SearchQuery, Query()]) -> answers.Found:
    scopes = caller_of(request).scopes
    return answers.Found(
        groups=[
            answers.HitGroup(
                title=group.title,
                hits=[
                    answers.Hit(title=hit.title, text=hit.text, page=hit.url, is_exact=hit.is_exact)
                    for hit in group.hits
                ],
            )
            for group in search_all(request, query.q.strip())
            if _OPENED_BY[group.title] in scopes
        ]
    )


def _counts(chart: Chart) -> Iterable[answers.DayCount]:
    for series in chart.series:
        for day, count in zip(chart.days, series.values, strict=True):
            if count:
                yield answers.DayCount(day=day, name=series.name, count=count)


def _authority(line: AuthorityLine) -> answers.AuthorityAge:
    return answers.AuthorityAge(
        name=line.name,
        kind=line.kind,
        not_after=line.not_after,
        days_left=line.days_left,
        crl=line.crl_words,
        crl_next_update=None if line.crl is None else line.crl.next_update,
    )


def _node(line: NodeLine) -> answers.Node:
    node = line.node
    return answers.Node(
        name=node.name,
        hostname=node.hostname,
        version=node.version,
        state=line.words,
        ready=node.ready,
        reasons=list(node.reasons),
        warnings=list(node.warnings),
        started_at=node.started_at,
        seen_at=node.seen_at,
    )
