"""When a checkpoint is signed, which streams it lists, and what reaches the node's file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from certuary.core.audit_chain import COMMANDS_STREAM, Head
from certuary.core.checkpoint import SignedCheckpoint, open_checkpoint
from certuary.errors import AlreadyExists
from certuary.server.checkpoint_job import EVERY_EVENTS, EVERY_SECONDS, CheckpointJob, CheckpointJobDeps
from certuary.server.lease import Lease
from certuary.services.checkpoint_file import CheckpointFile, checkpoints_path, read_checkpoints
from tests.memory_records import FixedClock

KEY = ec.generate_private_key(ec.SECP256R1())


class Database:
    """Heads, checkpoints and the lease, in memory."""

    def __init__(self) -> None:
        self.streams: dict[str, int] = {}
        self.closed: set[str] = set()
        self.checkpoints: list[SignedCheckpoint] = []
        self.holder: str | None = None

    def newest_event(self) -> int:
        return sum(self.streams.values())

    def streams_since(self, number: int) -> frozenset[str]:
        return frozenset(self.streams)

    def open_streams(self) -> frozenset[str]:
        return frozenset(self.streams) - self.closed - {COMMANDS_STREAM}

    def heads(self, streams: Iterable[str]) -> Mapping[str, Head]:
        return {name: Head(self.streams[name], b"h" * 32) for name in streams if name in self.streams}

    def latest(self) -> SignedCheckpoint | None:
        return self.checkpoints[-1] if self.checkpoints else None

    def after(self, number: int) -> tuple[SignedCheckpoint, ...]:
        return tuple(one for one in self.checkpoints if one.number > number)

    def all(self) -> tuple[SignedCheckpoint, ...]:
        return tuple(self.checkpoints)

    def add(self, checkpoint: SignedCheckpoint) -> None:
        if any(one.number == checkpoint.number for one in self.checkpoints):
            raise AlreadyExists("it is there")
        self.checkpoints.append(checkpoint)

    def acquire(self, name: str, holder: str, *, seconds: int) -> bool:
        self.holder = self.holder or holder
        return self.holder == holder

    def release(self, name: str, holder: str) -> None:
        self.holder = None


class Node:
    def __init__(self, database: Database, home: Path) -> None:
        home.mkdir()
        self.now = 0.0
        self.path = checkpoints_path(home)
        self.job = CheckpointJob(
            CheckpointJobDeps(
                checkpoints=database,
                lease=Lease(database, "jobs", str(home)),
                key=KEY,
                instance="i",
                file=CheckpointFile(self.path),
                clock=FixedClock(),
                steady=lambda: self.now,
            )
        )

    def tick(self, seconds: float = 1.0) -> None:
        self.now += seconds
        self.job.tick()

    def numbers(self) -> list[int]:
        found = read_checkpoints(self.path)
        return [one.number for _, one in found if isinstance(one, SignedCheckpoint)]


def problems(node: Node) -> tuple[str, ...]:
    return node.job.problems


def listed(database: Database) -> dict[str, int]:
    checkpoint = open_checkpoint(database.checkpoints[-1], KEY.public_key())
    return {stream: head.seq for stream, head in checkpoint.streams.items()}


def test_one_is_signed_after_a_minute_or_a_thousand_events_and_none_when_nothing_happened(
    tmp_path: Path,
) -> None:
    database = Database()
    node = Node(database, tmp_path / "home")
    node.tick()
    assert database.checkpoints == []
    database.streams["a"] = 1
    node.tick()
    assert len(database.checkpoints) == 1
    database.streams["a"] = EVERY_EVENTS
    node.tick()
    assert len(database.checkpoints) == 1
    database.streams["a"] = EVERY_EVENTS + 1
    node.tick()
    assert listed(database) == {"a": EVERY_EVENTS + 1}
    database.streams["a"] += 1
    node.tick(EVERY_SECONDS)
    node.tick(EVERY_SECONDS)
    assert node.numbers() == [1, 2, 3]
    first, second, _ = database.checkpoints
    assert open_checkpoint(second, KEY.public_key()).previous == first.digest()


def test_a_closed_stream_is_listed_once_more_and_that_of_commands_always(tmp_path: Path) -> None:
    database = Database()
    node = Node(database, tmp_path / "home")
    database.streams |= {"a": 1, COMMANDS_STREAM: 1}
    node.tick()
    database.streams |= {"a": 2, "b": 1}
    database.closed.add("a")
    node.tick(EVERY_SECONDS)
    assert listed(database) == {"a": 2, "b": 1, COMMANDS_STREAM: 1}
    database.streams["b"] = 2
    node.tick(EVERY_SECONDS)
    assert listed(database) == {"b": 2, COMMANDS_STREAM: 1}


def test_a_stream_that_lost_events_stays_listed_as_it_was_and_is_shown(tmp_path: Path) -> None:
    database = Database()
    node = Node(database, tmp_path / "home")
    database.streams |= {"a": 5, "b": 1, "c": 1}
    node.tick()
    assert problems(node) == ()
    database.streams |= {"a": 3, "c": 5}
    del database.streams["b"]
    node.tick(EVERY_SECONDS)
    assert listed(database) == {"a": 5, "b": 1, "c": 5}
    assert [text.split()[2] for text in problems(node)] == ["a", "b"]


def test_every_node_copies_and_one_signs(tmp_path: Path) -> None:
    database = Database()
    first, second = (Node(database, tmp_path / name) for name in ("first", "second"))
    for number in range(1, 4):
        database.streams["a"] = number
        first.tick(EVERY_SECONDS)
        second.tick(EVERY_SECONDS)
    assert first.numbers() == second.numbers() == [1, 2, 3]


def test_a_stopping_node_signs_whoever_holds_the_lease(tmp_path: Path) -> None:
    database = Database()
    database.holder = "another"
    node = Node(database, tmp_path / "home")
    database.streams["a"] = 1
    node.tick()
    assert database.checkpoints == []
    node.job.sign_now()
    node.job.sign_now()
    assert node.numbers() == [1]


def test_numbers_go_on_after_a_database_was_put_back(tmp_path: Path) -> None:
    database = Database()
    node = Node(database, tmp_path / "home")
    for number in range(1, 4):
        database.streams["a"] = number
        node.tick(EVERY_SECONDS)
    database.checkpoints = database.checkpoints[:1]
    database.streams["a"] = 9
    node.tick(EVERY_SECONDS)
    assert node.numbers() == [1, 2, 3, 4]


def test_a_checkpoint_that_somebody_put_into_the_database_is_not_followed(tmp_path: Path) -> None:
    database = Database()
    node = Node(database, tmp_path / "home")
    database.streams["a"] = 1
    node.tick()
    database.checkpoints.append(replace(database.checkpoints[0], number=900))
    database.streams["a"] = 2
    node.tick(EVERY_SECONDS)
    assert node.numbers() == [1, 2]


def test_a_file_that_cannot_be_used_is_a_problem_until_it_can(tmp_path: Path) -> None:
    database = Database()
    node = Node(database, tmp_path / "home")
    node.path.mkdir(parents=True)
    database.streams["a"] = 1
    node.tick()
    assert len(problems(node)) == 1
    node.path.rmdir()
    node.tick()
    assert problems(node) == ()
    assert node.numbers() == [1]
