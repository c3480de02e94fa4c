"""A home with people, applications and a full database, for the portal's pages to be measured on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from psycopg import sql

from bench.portal_rows import Fleet, Row
from certuary.keystore.file import UnlockedKeys
from tests.wire.portal.pages import ADMIN, PASSWORD, Portal, PortalClient, unlock

# Who looks: someone who sees everything, and officers of the group with most certificates and of that with a few.
EVERYTHING, MOST, FEW, FEW_AUDITOR = "admin", "officer-most", "officer-few", "auditor-few"
_GROUPS = {"most": "GRP_001", "some": "GRP_002", "few": "GRP_003"}
_ROLES = {MOST: ("officer", "GRP_001"), FEW: ("officer", "GRP_003"), FEW_AUDITOR: ("auditor", "GRP_003")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    home: Path
    keys: UnlockedKeys
    fleet: Fleet
    tokens: Mapping[str, str]
    """For the API, of `EVERYTHING` and of `FEW`."""
    counted_seconds: float
    browsers: dict[str, PortalClient] = field(default_factory=dict)

    def open(self) -> dict[str, PortalClient]:
        """Serve its pages in this process; a browser for each of the people, signed in once: who signs in too often is
        told to wait."""
        Portal.open(self.home, self.keys)
        for name in (EVERYTHING, *_ROLES):
            if name not in self.browsers:
                self.browsers[name] = PortalClient()
                assert self.browsers[name].sign_in(name, PASSWORD).status_code == 302, f"{name} signs in"
        return self.browsers


def make_site(home: Path, url: str, count: int) -> Site:
    """On PostgreSQL."""
    initialise(home, url)
    keys = unlock(home)
    opened = Portal.open(home, keys)
    fleet, tokens = _settle(opened, count)
    fill_postgresql(url, fleet.tables())
    opened.execute("UPDATE config_revision SET value = %s", fleet.last_revision)
    return Site(home=home, keys=keys, fleet=fleet, tokens=tokens, counted_seconds=_count(opened))


def initialise(home: Path, url: str) -> None:
    home.parent.mkdir(parents=True, exist_ok=True)
    password = home.parent / "password"
    password.write_text(PASSWORD + "\n")
    command = [sys.executable, "-m", "certuary", "init", "--home", str(home), "--hostname", "localhost"]
    more = ["--database-url", url, "--admin-password-file", str(password)]
    subprocess.run([*command, *more], check=True, capture_output=True, env=dict(os.environ))


def _settle(opened: Portal, count: int) -> tuple[Fleet, Mapping[str, str]]:
    """Groups, applications, people, and tokens for the API."""
    # Django can be imported only once it is configured, which opening the portal has done.
    from certuary.portal.api.tokens import SCOPES, make_token
    from certuary.services.manage_group import add_group
    from certuary.services.manage_user import NewUser, add_user
    from certuary.services.register_application import Grants, NewApplication, register_application
    from certuary.store.certificates import list_certificates
    from certuary.store.models import ConfigRevision, ProfileVersion

    actor, deps = opened.changes_as(ADMIN)
    for name in ("Some", "Few"):
        add_group(actor, name, deps)
    applications = {}
    for name, group in _GROUPS.items():
        new = NewApplication(name=name, username=name, password=PASSWORD, grants=Grants(group=group))
        registered = register_application(actor, new, opened.deps.passwords, deps)
        applications[name] = (int(registered.record.id), name)
    for name, (role, group) in _ROLES.items():
        person = NewUser(name=name, role=role, groups=(group,), password=PASSWORD)
        add_user(actor, person, opened.deps.passwords, deps)
    tokens = {}
    for name in (EVERYTHING, FEW):
        user = opened.stores.records.find("user", name=name)
        assert user is not None
        _, tokens[name] = make_token(actor, user, "bench", tuple(SCOPES), 1, deps)
    version = ProfileVersion.objects.order_by("id").first()
    assert version is not None
    fleet = Fleet(
        **applications,
        count=count,
        until=datetime.now(UTC),
        profile_version_id=version.pk,
        revision=ConfigRevision.objects.get(id=1).value,
        sample=list_certificates(limit=1).certificates[0],
        marker=opened.deps.marker,
    )
    return fleet, tokens


def fill_postgresql(url: str, tables: Mapping[str, Iterator[Row]]) -> None:
    for table, rows in tables.items():
        with psycopg.connect(url) as connection:
            _copy(connection, table, rows)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def _copy(connection: psycopg.Connection[tuple[object, ...]], table: str, rows: Iterator[Row]) -> None:
    first = next(rows)
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, first))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write_row(list(first.values()))
        for row in rows:
            copy.write_row(list(row.values()))


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
