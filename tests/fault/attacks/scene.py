"""A server whose records are worth attacking, and what an attacker and its clients can do to it.

plant     may enrol, also under the label "plant"      off      disabled
far       may come from 10.9.9.0/24 only               expired  its credential has ended
narrow    may ask for names that begin with "narrow-"  gone     removed
rotated   was given a new password                     users    anna, an auditor; bert, whose key is compromised
"""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from cryptography.hazmat.primitives.asymmetric import ec

from certuary.server.config import load_settings
from tests.command import Commands
from tests.est_session import BASE, EstSession, quickstart_credentials
from tests.fault.ledger import execute, query
from tests.fault.processes import until
from tests.request_maker import usual_request
from tests.running_server import CERTUARY, RunningServer, running_server

FOUND_WITHIN_SECONDS = 2.0
T = TypeVar("T")
KEY = ec.generate_private_key(ec.SECP256R1())
SEALED_TABLES = (
    "applications",
    "profiles",
    "profile_versions",
    "labels",
    "groups",
    "users",
    "authorities",
    "manifest",
    "manifest_parts",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """An enrolment: as whom, with whose password, for which name, under which label."""

    username: str
    password_of: str = ""
    common_name: str = "dev-1"
    label: str = ""


class Scene:
    """`server` is another one after `restarted`."""

    def __init__(self, home: Path, work: Path) -> None:
        self.home = home
        self.commands = Commands(home, work)
        self.passwords: dict[str, str] = {}
        self.slowest = ("", 0.0)
        self._work = work
        self._server: RunningServer | None = None

    @property
    def server(self) -> RunningServer:
        assert self._server is not None
        return self._server

    @contextmanager
    def serving(self) -> Iterator[None]:
        with running_server(self.home) as self._server:
            username, password = quickstart_credentials(self._server)
            assert username == "quickstart"
            self.passwords["quickstart"] = password
            yield

    def execute(self, *scripts: str) -> None:
        execute(self.home, "\n".join(scripts))

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        return query(self.home, statement)

    @property
    def is_sqlite(self) -> bool:
        return load_settings(self.home).database.startswith("sqlite")

    def prepare(self) -> None:
        self._add_application("far", "--ip", "10.9.9.0/24")
        self._add_application("narrow", "--subject-rule", "CN=narrow-*")
        for name in ("off", "gone", "rotated"):
            self._add_application(name)
        self._add_application("expired", "--expires", "2020-01-01")
        self._add_user("anna")
        self._add_user("bert")
        self.commands.run("group", "add", "second")
        self.commands.run("label", "add", "plant", "--profile", "tls-device")
        self.keep("older")
        self._add_application("plant", "--label", "plant", "--profile", "tls-device")
        self.commands.run("application", "disable", "off")
        self.commands.run("application", "remove", "gone")
        self._rotate("rotated")
        self.commands.run("user", "compromised", "bert")
        self.keep("copy")

    def keep(self, name: str, tables: Sequence[str] = SEALED_TABLES) -> None:
        """Copy the tables, for `put_back`."""
        for table in tables:
            self.execute(
                f"DROP TABLE IF EXISTS {name}_{table}; CREATE TABLE {name}_{table} AS SELECT * FROM {table};"
            )

    def put_back(self, *tables: str, name: str = "copy") -> None:
        """The rows as they were kept, their revisions included; nobody is told."""
        self.execute(put_back_sql(tables, name))

    def enrol(self, ask: Ask) -> int:
        """The status that the client gets."""
        password = self.passwords[ask.password_of or ask.username]
        path = f"{BASE}/{ask.label}/simpleenroll" if ask.label else f"{BASE}/simpleenroll"
        with EstSession(self.server, credentials=(ask.username, password)) as session:
            answer = session.enrol(usual_request(KEY, common_name=ask.common_name), path=path)
        return answer.status

    def as_user(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                CERTUARY,
                "--home",
                self.home,
                *arguments,
                "--admin",
                name,
                "--admin-password-file",
                self._work / f"{name}-password",
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def told(self) -> tuple[str, ...]:
        """What `/readyz` says needs attention."""
        status, detail = self.server.readiness()
        assert status in (200, 503), detail
        found: list[str] = []
        for part in ("reasons", "warnings"):
            sentences = detail[part]
            assert isinstance(sentences, list)
            found += sentences
        return tuple(found)

    def wait_until_told(self, wanted: Iterable[str], since: float) -> float:
        """Until `/readyz` says all of it; seconds since the commit."""
        missing = set(wanted)
        while True:
            asked_at = time.monotonic()
            missing -= {without_times(sentence) for sentence in self.told()}
            if not missing:
                return time.monotonic() - since
            assert asked_at - since < 10, f"not named: {sorted(missing)}; {self.told()}"
            time.sleep(0.02)

    def wait_until_untold(self, unwanted: Iterable[str], since: float) -> float:
        """Until no process says any of it, those that report once a second included."""
        while True:
            asked_at = time.monotonic()
            left = set(unwanted) & {without_times(sentence) for sentence in self.told()}
            if not left:
                return time.monotonic() - since
            assert asked_at - since < 10, f"not mended: {sorted(left)}"
            time.sleep(0.02)

    def wait_until_answered(self, statuses: Mapping[Ask, int], since: float) -> float:
        """Until each enrolment gets its status, on whichever worker; seconds since then."""
        for ask, wanted in statuses.items():
            while (got := self.enrol(ask)) != wanted:
                assert time.monotonic() - since < 10, f"{ask} gets {got} rather than {wanted}"
                time.sleep(0.03)
        return time.monotonic() - since

    def events(self, kind: str, target: str) -> int:
        return len(self.query(f"SELECT 1 FROM audit_events WHERE kind = '{kind}' AND target = '{target}'"))

    def wait_until(self, holds: Callable[[], bool], what: str) -> None:
        until(holds, 3, what)

    def time(self, what: str, seconds: float) -> None:
        assert seconds <= FOUND_WITHIN_SECONDS, f"{what}: {seconds:.2f} s"
        self.slowest = max(self.slowest, (what, seconds), key=lambda one: one[1])

    def findings(self) -> list[tuple[str, str]]:
        """What `certuary seal verify` finds: `kind name` and reason."""
        done = self.commands.run("--json", "seal", "verify", expect=65)
        return [
            (f"{found['kind']} {found['name']}", without_times(found["reason"]))
            for found in json.loads(done.stdout)
        ]

    def _add_application(self, name: str, *options: str) -> None:
        _, self.passwords[name] = self.commands.add_application(name, *options)

    def _add_user(self, name: str) -> None:
        self._write_password(name, f"secret of {name}, which nobody guesses")
        path = self._work / f"{name}-password"
        self.commands.run(
            "user", "add", name, "--role", "auditor", "--group", "GRP_001", "--password-file", path
        )

    def _rotate(self, name: str) -> None:
        self.passwords[f"old {name}"] = self.passwords[name]
        self.passwords[name] = f"another secret of {name}"
        path = self._write_password(f"new-{name}", self.passwords[name])
        self.commands.run("application", "rotate", name, "--password-file", path)

    def _write_password(self, name: str, password: str) -> Path:
        path = self._work / f"{name}-password"
        path.write_text(password)
        path.chmod(0o600)
        return path


@dataclass(frozen=True, slots=True)
class Stage:
    """The same scene on each database. What is done is done on all of them side by side."""

    scenes: tuple[Scene, ...]

    def each(self, act: Callable[[Scene], T]) -> tuple[T, ...]:
        with ThreadPoolExecutor(max_workers=len(self.scenes)) as pool:
            return tuple(pool.map(act, self.scenes))


def put_back_sql(tables: Iterable[str], name: str = "copy") -> str:
    return "\n".join(
        f"DELETE FROM {table}; INSERT INTO {table} SELECT * FROM {name}_{table};" for table in tables
    )


def without_times(text: str) -> str:
    """The same on every day."""
    return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "DATE", text)


def set_back_whole(home: Path, backup: Path | None, name: str) -> None:
    """All rows of all tables as they were, in one transaction of a running server's database."""
    database = load_settings(home).database
    if backup is not None:
        with (
            contextlib.closing(sqlite3.connect(backup)) as source,
            contextlib.closing(sqlite3.connect(database.removeprefix("sqlite:///"), timeout=30)) as target,
        ):
            source.backup(target)
        return
    with psycopg.connect(database) as connection:
        connection.execute(f"SELECT set_config('session_replication_role', 'replica', true)".encode())
        for (table,) in connection.execute(ALL_TABLES).fetchall():
            connection.execute(
                f"TRUNCATE {table} CASCADE; INSERT INTO {table} SELECT * FROM {name}.{table}".encode()
            )


ALL_TABLES = b"SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
