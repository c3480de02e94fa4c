"""The whole database set back to an earlier copy, as a whole and validly signed."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from pathlib import Path

import psycopg
import pytest

from certuary.server.config import load_settings
from tests.fault.attacks.attack import sentence
from tests.fault.attacks.manifest_attacks import SET_BACK
from tests.fault.attacks.outcomes import Outcome, Outcomes
from tests.fault.attacks.scene import SLOWEST, Ask, Scene, Stage

TABLES = b"SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
REFUSED = sentence("manifest head", SET_BACK)
YESTERDAY, TODAY = "yesterday", "today"


def take_copy(scene: Scene, name: str, work: Path) -> None:
    """All rows of all tables."""
    database = load_settings(scene.home).database
    if database.startswith("sqlite:///"):
        with (
            contextlib.closing(sqlite3.connect(database.removeprefix("sqlite:///"))) as source,
            contextlib.closing(sqlite3.connect(work / name)) as target,
        ):
            source.backup(target)
        return
    with psycopg.connect(database) as connection:
        connection.execute(f"CREATE SCHEMA {name}".encode())
        for (table,) in connection.execute(TABLES).fetchall():
            connection.execute(f"CREATE TABLE {name}.{table} AS SELECT * FROM {table}".encode())


def set_back(scene: Scene, name: str, work: Path) -> None:
    """The rows of that copy and no others, beneath the running server."""
    database = load_settings(scene.home).database
    if database.startswith("sqlite:///"):
        with (
            contextlib.closing(sqlite3.connect(work / name)) as source,
            contextlib.closing(sqlite3.connect(database.removeprefix("sqlite:///"), timeout=30)) as target,
        ):
            source.backup(target)
        return
    with psycopg.connect(database) as connection:
        connection.execute(b"SET session_replication_role = replica")
        tables = [table for (table,) in connection.execute(TABLES).fetchall()]
        for table in tables:
            connection.execute(f"DELETE FROM {table}".encode())
            connection.execute(f"INSERT INTO {table} SELECT * FROM {name}.{table}".encode())


@pytest.fixture
def work(tmp_path: Path, stage: Stage) -> dict[Scene, Path]:
    """A directory for each database's copies, which are taken: yesterday's, and today's after some changes."""
    directories = {scene: tmp_path / str(number) for number, scene in enumerate(stage.scenes)}
    for directory in directories.values():
        directory.mkdir()

    def prepare(scene: Scene) -> None:
        scene.commands.run("application", "enable", "off")
        take_copy(scene, YESTERDAY, directories[scene])
        scene.commands.run("application", "disable", "off")
        take_copy(scene, TODAY, directories[scene])

    stage.each(prepare)
    return directories


def test_a_database_that_was_set_back_is_refused_until_it_is_put_back_or_accepted(
    stage: Stage, outcomes: Outcomes, work: dict[Scene, Path]
) -> None:
    outcomes.add(stage.each(lambda scene: set_back_and_put_back(scene, work[scene])))
    outcomes.add(stage.each(lambda scene: set_back_and_accept(scene, work[scene])))


def set_back_and_put_back(scene: Scene, work: Path) -> Outcome:
    set_back_and_see(scene, work)
    scene.commands.run("application", "disable", "narrow", expect=65)
    set_back(scene, TODAY, work)
    put_back_at = time.monotonic()
    served = {Ask(username="quickstart"): 200, Ask(username="off"): 401}
    SLOWEST.time("served again", "set back", scene.wait_until_answered(served, put_back_at))
    scene.wait_until_untold((REFUSED,), put_back_at)
    return Outcome(
        attack="The whole database is set back to yesterday's copy",
        refused="EST (503), `/readyz`, changes by command (exit 65)",
        named=REFUSED,
        undone="by putting the newer copy back",
    )


def set_back_and_accept(scene: Scene, work: Path) -> Outcome:
    set_back_and_see(scene, work)
    scene.commands.run("seal", "accept-rollback")
    accepted_at = time.monotonic()
    served = {Ask(username="quickstart"): 200, Ask(username="off"): 200}
    SLOWEST.time("served again", "accepted", scene.wait_until_answered(served, accepted_at))
    scene.wait_until_untold((REFUSED,), accepted_at)
    assert scene.events("seal.rollback_accepted", "manifest:head") == 1
    scene.commands.run("seal", "verify")
    scene.commands.run("application", "disable", "off")
    scene.keep("copy")
    return Outcome(
        attack="The whole database is set back to yesterday's copy on purpose",
        refused="EST (503), `/readyz`",
        named=REFUSED,
        undone="by `certuary seal accept-rollback`, with an audit event",
    )


def set_back_and_see(scene: Scene, work: Path) -> None:
    set_back(scene, YESTERDAY, work)
    committed_at = time.monotonic()
    SLOWEST.time("named", "set back", scene.wait_until_told((REFUSED,), committed_at))
    refused = {Ask(username="quickstart"): 503, Ask(username="off"): 503}
    SLOWEST.time("refused", "set back", scene.wait_until_answered(refused, committed_at))
