"""A server whose records are worth attacking, and what an attacker and its clients can do to it.

plant     may enrol, also under the label "plant"      off      disabled
far       may come from 10.9.9.0/24 only               expired  its credential has ended
narrow    may ask for names that begin with "narrow-"  gone     removed
rotated   was given a new password                     users    anna, an auditor; bert, whose key is compromised
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from certuary.core.values import serial_to_text
from certuary.server.config import load_settings
from tests.command import Commands
from tests.est_session import BASE, EstSession, quickstart_credentials
from tests.fault.ledger import execute, query
from tests.fault.processes import until
from tests.request_maker import usual_request
from tests.running_server import RunningServer, running_server

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


class Held(NamedTuple):
    """What a client holds."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def serial(self) -> str:
        return serial_to_text(self.certificate.serial_number)


class Slowest:
    """The longest times that were measured, by what was waited for."""

    def __init__(self) -> None:
        self._longest: dict[str, tuple[float, str]] = {}

    def time(self, what: str, attack: str, seconds: float) -> None:
        assert seconds <= FOUND_WITHIN_SECONDS, f"{what} after {seconds:.2f} s: {attack}"
        self._longest[what] = max(self._longest.get(what, (0.0, "")), (seconds, attack))

    def lines(self) -> list[str]:
        return [f"slowest {what}: {time:.2f} s, {attack}" for what, (time, attack) in self._longest.items()]


SLOWEST = Slowest()


class Scene:
    """`server` is another one after `restarted`."""

    def __init__(self, home: Path, work: Path) -> None:
        self.home = home
        self.commands = Commands(home, work)
        self.passwords: dict[str, str] = {}
        self._work = work
        self._server: RunningServer | None = None
        self._cleanup = ExitStack()

    @property
    def server(self) -> RunningServer:
        assert self._server is not None
        return self._server

    def start(self, *, until_status: int = 200) -> None:
        self._server = self._cleanup.enter_context(running_server(self.home, until_status=until_status))
        username, self.passwords["quickstart"] = quickstart_credentials(self._server)
        assert username == "quickstart"

    def stop(self) -> None:
        self._cleanup.close()

    def execute(self, *scripts: str) -> None:
        execute(self.home, "\n".join(scripts))

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        return query(self.home, statement)

    @property
    def is_sqlite(self) -> bool:
        return load_settings(self.home).database.startswith("sqlite")

    def prepare(self) -> None:
        """Make the records, before the server starts."""
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

    def enrol_new(self, common_name: str) -> Held:
        """A certificate of the quickstart application, with its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        credentials = "quickstart", self.passwords["quickstart"]
        with EstSession(self.server, credentials=credentials) as session:
            return Held(session.enrol(usual_request(key, common_name=common_name)).certificate, key)

    def renew(self, held: Held) -> int:
        """The status that the certificate alone gets."""
        (common_name,) = held.certificate.subject
        request = usual_request(held.key, common_name=str(common_name.value))
        with EstSession(self.server, certificate=held, work=self._work) as session:
            return session.reenrol(request).status

    def refuses_user(self, name: str, password_of: str) -> bool:
        """Whether a change is refused to that user because the user's record cannot be believed."""
        password = self._work / f"{password_of}-password"
        who = "--admin", name, "--admin-password-file", password
        self.commands.run("group", "add", "captured", *who, expect=77)
        (detail,) = self.query(
            f"SELECT detail FROM audit_events WHERE kind = 'user.refused' AND target = 'user:{name}'"
            " ORDER BY id DESC LIMIT 1"
        )[0]
        return "cannot be believed" in detail

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

    def findings(self) -> dict[str, str]:
        """What `certuary seal verify` finds: subject and reason."""
        done = self.commands.run("--json", "seal", "verify", expect=65)
        return {
            f"{found['kind']} {found['name']}": without_times(found["reason"])
            for found in json.loads(done.stdout)
        }

    def listed(self, kind: str) -> dict[str, str]:
        """Each record of the kind's list by its subject, with what the column of seals says."""
        command = "ca" if kind == "authority" else kind
        return {
            f"{kind} {item['code'] if kind == 'group' else item['name']}": without_times(item["seal"])
            for item in self.commands.json(command, "list")
        }

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
    """The same on every day and after any number of changes."""
    text = re.sub(r"\b[0-9a-f]{30,}\b", "SERIAL", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "DATE", text)
    return re.sub(r"\bnumber \d+", "number N", text)
