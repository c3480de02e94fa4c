"""The dashboard: how much is issued and refused, what expires, and what needs somebody's hand.

Everybody sees the authorities and the counts of their own groups; nodes are shown to CA Administrators and auditors.
"""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from certuary.portal.access import may_see_nodes
from certuary.portal.deps import deps_of
from certuary.portal.figures import (
    authority_lines,
    broken_records,
    expiring_chart,
    issued_chart,
    node_lines,
    refused_reasons,
    windows_of,
)
from certuary.portal.scope import Scope
from certuary.store.dashboard import counting_state

_MOST_BROKEN: Final = 10


def dashboard(request: HttpRequest) -> HttpResponse:
    deps = deps_of(request)
    now = deps.clock.now()
    scope = Scope.of(request)
    groups = None if scope.group_ids is None else tuple(scope.group_ids)
    expiring = expiring_chart(now.date(), groups)
    refused = refused_reasons(now.date(), groups)
    broken = broken_records(deps.records, groups)
    context = {
        "counting": counting_state(),
        "issued": issued_chart(now.date(), groups),
        "windows": windows_of(expiring),
        "expiring": expiring,
        "reasons": refused,
        "refused_total": sum(reason.count for reason in refused),
        "authorities": authority_lines(deps.records.all("authority"), now),
        "nodes": node_lines(now) if may_see_nodes(scope.role) else None,
        "broken": broken[:_MOST_BROKEN],
        "broken_total": len(broken),
        "broken_words": f"{len(broken):,} not believed",
        "is_scoped": not scope.sees_everything,
        "may_see_seals": scope.sees_everything,
    }
    return render(request, "portal/dashboard.html", context)
