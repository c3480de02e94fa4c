"""A private PostgreSQL for tests: its own directory, a Unix socket in it, no TCP port, an unprivileged user.

    with PostgresServer.start() as server:
        url = server.create_database("certuary")

PostgreSQL refuses to run as root; then it runs as the user that Debian's package made for it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import psycopg
from psycopg import sql

SUPERUSER = "certuary"

# Tests of the schema and of queries need no disk; a benchmark asks for `durable`.
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True, slots=True)
class PostgresServer:
    directory: Path
    runs_as: str | None

    @classmethod
    def start(cls, *, durable: bool = False, settings: Mapping[str, str] | None = None) -> PostgresServer:
        """Make a cluster in a new directory of /tmp and wait until it answers."""
        directory = Path(tempfile.mkdtemp(prefix="certuary-pg-"))
        server = cls(directory, _unprivileged_user())
        if server.runs_as is not None:
            user = pwd.getpwnam(server.runs_as)
            os.chown(directory, user.pw_uid, user.pw_gid)
        try:
            server._run(
                "initdb", "-D", f"{directory}/data", "-U", SUPERUSER, "-A", "trust", "-N", "-E", "UTF8"
            )
            server._write_configuration({**({} if durable else _FAST), **(settings or {})})
            server.run_again()
        except BaseException:
            shutil.rmtree(directory)
            raise
        return server

    def run_again(self) -> None:
        """Start the server, after `start` or `crash`."""
        self._run(
            "pg_ctl", "-D", f"{self.directory}/data", "-l", f"{self.directory}/log", "-w", "-t", "30", "start"
        )

    def crash(self) -> None:
        """Stop as a power cut would: no checkpoint, every connection dropped."""
        self._run("pg_ctl", "-D", f"{self.directory}/data", "-m", "immediate", "-w", "stop")

    def stop(self) -> None:
        try:
            if self.is_running:
                self.crash()
        finally:
            shutil.rmtree(self.directory)

    @property
    def is_running(self) -> bool:
        return (self.directory / "data" / "postmaster.pid").exists()

    @property
    def process_id(self) -> int:
        """The postmaster's; its children serve the connections."""
        return int((self.directory / "data" / "postmaster.pid").read_text().split("\n", 1)[0])

    def url(self, database: str) -> str:
        return f"postgresql://{SUPERUSER}@/{database}?host={self.directory}"

    def create_database(self, name: str, *, template: str = "template0") -> str:
        """Make a database and return its URL."""
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
            sql.Identifier(name), sql.Identifier(template)
        )
        self._execute(statement)
        return self.url(name)

    def drop_database(self, name: str) -> None:
        self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)

    def _write_configuration(self, settings: Mapping[str, str]) -> None:
        lines = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.directory),
            "max_connections": "60",
            "shared_buffers": "128MB",
            **settings,
        }
        text = "".join(f"{key} = '{value}'\n" for key, value in lines.items())
        with (self.directory / "data" / "postgresql.conf").open("a") as configuration:
            configuration.write(text)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(_programs() / program), *arguments]
        if self.runs_as is not None:
            command = ["runuser", "-u", self.runs_as, "--", *command]
        # The server keeps the standard streams it is started with: not ours, which a test may be capturing.
        with (self.directory / "output").open("a+") as output:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.directory,
                check=False,
            )
            if done.returncode != 0:
                output.seek(0)
                raise RuntimeError(f"{program} failed: {output.read()[-2000:]}")

    def __enter__(self) -> PostgresServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _unprivileged_user() -> str | None:
    return "postgres" if os.geteuid() == 0 else None


def _programs() -> Path:
    """Debian keeps the server's programs out of PATH, by version."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not versions:
        raise RuntimeError("PostgreSQL's server is not installed: apt-get install postgresql")
    return versions[-1]
