"""What the portal costs when the database is full: each list, its filters and pages, and the dashboard."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bench.plan import Plan
from bench.report import MOST_GROWTH, Growth, Results
from tests.postgres import PostgresServer

if TYPE_CHECKING:
    from bench.portal_looks import Look
    from bench.portal_site import Site
    from tests.wire.portal.pages import PortalClient

FEW = 1_000
_LOOKS = 16
_MORE_LOOKS = 80
"""At what seemed to grow: among a few looks, one slow moment of the machine passes for growth."""
_Times = dict[str, tuple[list[float], list[float]]]


def portal(plan: Plan, results: Results) -> None:
    """In this process, through all of the portal's middleware. Two databases take turns, so that a slow moment of the
    machine is both's."""
    from bench.portal_site import make_site

    count = plan.stored_certificates
    with PostgresServer.start(settings={"shared_buffers": "512MB"}) as postgres:
        sites = [
            make_site(plan.directory / name, postgres.create_database(name), number)
            for name, number in (("few", FEW), ("many", count))
        ]
        results.note(
            f"The dashboard's counts took {sites[1].counted_seconds:.1f} s for {count:,} certificates."
        )
        times = look_at(sites, turns=plan.turns)
    judge(times, count, results)


def look_at(sites: list[Site], *, turns: int) -> _Times:
    """Milliseconds of each look at the first site and at the second."""
    times: _Times = {}
    for _ in range(turns):
        for place, site in enumerate(sites):
            _look_at_all(site, place, times, looks=_LOOKS // turns)
    doubtful = {name for name, (few, many) in times.items() if p95(many) > MOST_GROWTH * p95(few)}
    for _ in range(turns if doubtful else 0):
        for place, site in enumerate(sites):
            _look_at_all(site, place, times, looks=_MORE_LOOKS // turns, only=doubtful)
    return times


def judge(times: _Times, count: int, results: Results) -> None:
    for name, (few, many) in times.items():
        results.add_growth(Growth(name=name, few=p95(few), many=p95(many)))
    grown = [growth for growth in results.growths if growth.word != "met"]
    worst = max(results.growths, key=lambda growth: growth.factor)
    results.judge(
        f"portal, {len(times)} pages with {count:,} certificates in PostgreSQL: "
        f"p95 of each at most twice that with {FEW:,}",
        f"{len(grown)} above; at most {worst.factor:.2f} x ({worst.name}: {worst.few:.1f} -> {worst.many:.1f} ms)",
        not grown,
    )


def _look_at_all(site: Site, place: int, times: _Times, *, looks: int, only: set[str] | None = None) -> None:
    from bench.portal_looks import looks as looks_of

    browsers = site.open()
    for look in looks_of(site):
        if only is None or look.name in only:
            of_both = times.setdefault(look.name, ([], []))
            of_both[place].extend(_times(browsers[look.who], look, looks))


def _times(browser: PortalClient, look: Look, looks: int) -> list[float]:
    """Milliseconds of each look but the first."""
    headers = {"authorization": f"Bearer {look.token}"} if look.token else {}
    times = []
    for _ in range(looks + 1):
        began = time.perf_counter()
        answer = browser.get(look.url, headers=headers)
        times.append((time.perf_counter() - began) * 1000)
        if answer.status_code not in (200, 302):
            raise SystemExit(f"{look.name}: {look.url} answers {answer.status_code}")
    return times[1:]


def p95(times: list[float]) -> float:
    return sorted(times)[int(0.95 * len(times))]
