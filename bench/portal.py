"""What the portal's pages cost when the database is full: each list and the dashboard, with few and with many."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.fill_postgresql import fill_postgresql
from bench.plan import Plan
from bench.report import Results
from certuary.keystore.file import UnlockedKeys
from tests.postgres import PostgresServer

if TYPE_CHECKING:
    from tests.wire.portal.pages import Portal, PortalClient

# Every list page, and the dashboard. One that is not there is noted, and measured when it is.
PAGES = (
    "/",
    "/applications/",
    "/certificates/",
    "/profiles/",
    "/labels/",
    "/users/",
    "/groups/",
    "/properties/",
    "/authorities/",
    "/audit/",
    "/refusals/",
    "/seals/",
    "/account/tokens/",
)
FEW = 1_000
_LOOKS = 80
_WARM_UP = 3
_MOST_GROWTH = 2.0


def portal(plan: Plan, results: Results) -> None:
    """In this process, through all of the portal's middleware. Two databases take turns, so that a slow moment of the
    machine is both's."""
    with PostgresServer.start(settings={"shared_buffers": "512MB"}) as postgres:
        sites = [
            _site(plan.directory / name, postgres.create_database(name), count)
            for name, count in (("few", FEW), ("many", plan.stored_certificates))
        ]
        results.note(
            f"The dashboard's counts took {sites[1].seconds:.1f} s for {plan.stored_certificates:,} certificates."
        )
        times: dict[tuple[str, int], list[float]] = {(path, place): [] for path in PAGES for place in (0, 1)}
        for _ in range(plan.turns):
            for place, site in enumerate(sites):
                _look_at_all(site, place, times, looks=_LOOKS // plan.turns)
    for path in PAGES:
        _judge(results, path, times[path, 0], times[path, 1], plan.stored_certificates)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Site:
    home: Path
    keys: UnlockedKeys
    seconds: float


def _site(home: Path, url: str, count: int) -> _Site:
    """A home whose database holds so many certificates, all of them counted."""
    # Django can be imported only once it is configured, which this import does.
    from tests.wire.portal.pages import Portal, unlock

    _initialise(home, url)
    fill_postgresql(home, url, count)
    keys = unlock(home)
    return _Site(home=home, keys=keys, seconds=_count(Portal.open(home, keys)))


def _look_at_all(site: _Site, place: int, times: dict[tuple[str, int], list[float]], *, looks: int) -> None:
    from tests.wire.portal.pages import PASSWORD, Portal, PortalClient

    Portal.open(site.home, site.keys)
    client = PortalClient()
    assert client.sign_in("admin", PASSWORD).status_code == 302, "the administrator signs in"
    for path in PAGES:
        times[path, place] += _times(client, path, looks)


def _initialise(home: Path, url: str) -> None:
    from tests.wire.portal.pages import PASSWORD

    password = home.parent / "password"
    password.write_text(PASSWORD + "\n")
    command = [sys.executable, "-m", "certuary", "init", "--home", str(home), "--hostname", "localhost"]
    more = ["--database-url", url, "--admin-password-file", str(password)]
    subprocess.run([*command, *more], check=True, capture_output=True, env=dict(os.environ))


def _count(opened: Portal) -> float:
    """What the status process does a slice a tick, at once; in seconds."""
    from certuary.server.count_job import SLICE
    from certuary.store.counts import DjangoCounts

    counts = DjangoCounts(opened.deps.clock)
    began = time.perf_counter()
    settled = counts.newest_rows()
    while not counts.count_slice(settled, size=SLICE):
        pass
    return time.perf_counter() - began


def _times(client: PortalClient, path: str, looks: int) -> list[float]:
    """Milliseconds of each look; none where there is no such page."""
    if client.get(path).status_code == 404:
        return []
    for _ in range(_WARM_UP):
        client.get(path)
    times = []
    for _ in range(looks):
        began = time.perf_counter()
        answer = client.get(path)
        times.append((time.perf_counter() - began) * 1000)
        assert answer.status_code == 200, f"{path} answers {answer.status_code}"
    return times


def _judge(results: Results, path: str, few: list[float], many: list[float], count: int) -> None:
    if not few or not many:
        results.note(f"portal {path}: there is no such page yet.")
        return
    before, after = _p95(few), _p95(many)
    results.judge(
        f"portal {path} with {count:,} certificates in PostgreSQL: p95 at most twice that with {FEW:,}",
        f"{after / before:.2f} x ({before:.1f} -> {after:.1f} ms)",
        after <= _MOST_GROWTH * before,
    )


def _p95(times: list[float]) -> float:
    return sorted(times)[int(0.95 * len(times))]
