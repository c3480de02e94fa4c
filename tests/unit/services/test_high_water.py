from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from certuary.errors import ConfigError, InvalidSeal
from certuary.services.high_water import HighWater, Seen, high_water_path, refuse_older


def seen(sequence: int, digest: str = "aa", instance: str = "i-1") -> Seen:
    return Seen(instance=instance, sequence=sequence, digest=digest)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return high_water_path(tmp_path)


def test_a_node_that_has_seen_none_believes_any(path: Path) -> None:
    assert HighWater(path).newest() is None
    refuse_older(seen(1), HighWater(path).newest())
    assert not path.exists()


def test_what_was_seen_is_remembered_by_the_next_process(path: Path) -> None:
    HighWater(path).rise(seen(5))
    assert HighWater(path).newest() == seen(5)


@pytest.mark.parametrize(
    ("manifest", "text"),
    [
        (seen(4), "their manifest is number 4, and this node has seen number 5"),
        (seen(5, "bb"), "manifest number 5 is not the one"),
    ],
    ids=["older", "another of the same number"],
)
def test_what_is_not_newer_is_refused_and_the_way_out_named(path: Path, manifest: Seen, text: str) -> None:
    HighWater(path).rise(seen(5))
    with pytest.raises(InvalidSeal, match=text) as refused:
        refuse_older(manifest, HighWater(path).newest())
    assert refused.value.rule == "rollback"
    assert "certuary seal accept-rollback" in str(refused.value)


@pytest.mark.parametrize("manifest", [seen(5), seen(6, "bb"), seen(1, instance="i-2")])
def test_the_same_a_newer_one_and_that_of_another_installation_pass(path: Path, manifest: Seen) -> None:
    HighWater(path).rise(seen(5))
    refuse_older(manifest, HighWater(path).newest())


def test_it_only_rises(path: Path) -> None:
    one, other = HighWater(path), HighWater(path)
    one.rise(seen(5))
    other.rise(seen(3))
    other.rise(seen(5, "bb"))
    assert HighWater(path).newest() == seen(5)
    one.rise(seen(4))
    assert HighWater(path).newest() == seen(5)
    one.rise(seen(6))
    assert other.newest() == seen(6)


def test_a_new_installation_in_the_home_begins_anew(path: Path) -> None:
    HighWater(path).rise(seen(5))
    HighWater(path).rise(seen(1, instance="i-2"))
    assert HighWater(path).newest() == seen(1, instance="i-2")


def test_a_process_remembers_what_it_saw_when_the_file_is_set_back(path: Path) -> None:
    mark = HighWater(path)
    mark.rise(seen(5))
    HighWater(path).rise(seen(6))
    old = path.read_bytes()
    mark.rise(seen(7))
    path.write_bytes(old)
    with pytest.raises(InvalidSeal):
        refuse_older(seen(6), mark.newest())
    path.unlink()
    with pytest.raises(InvalidSeal):
        refuse_older(seen(6), mark.newest())


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "7", '{"instance": "i"}', '{"instance":"i","sequence":"x","digest":""}']
)
def test_a_damaged_file_stops_the_node_and_is_named(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"high-water\.json cannot be read") as refused:
        refuse_older(seen(1), HighWater(path).newest())
    assert refused.value.rule == "high-water"
    with pytest.raises(ConfigError):
        HighWater(path).rise(seen(1))
    assert path.read_text() == text


def test_what_cannot_be_written_is_remembered_said_and_written_later(path: Path) -> None:
    mark = HighWater(path)
    mark.rise(seen(1))
    path.with_suffix(".lock").unlink()
    path.with_suffix(".lock").mkdir()  # where no file can be opened, as on a full disk
    mark.rise(seen(2))
    assert mark.problem is not None
    assert "high-water.json cannot be written" in mark.problem
    assert mark.newest() == seen(2)
    assert HighWater(path).newest() == seen(1)
    path.with_suffix(".lock").rmdir()
    mark.rise(seen(2))
    assert mark.problem is None
    assert HighWater(path).newest() == seen(2)


def _raise_to(path: Path, first: int) -> None:
    mark = HighWater(path)
    for sequence in range(first, 60, 3):
        mark.rise(seen(sequence))


def test_several_processes_only_raise_it(path: Path) -> None:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_raise_to, args=(path, first)) for first in (1, 2, 3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(20)
        assert process.exitcode == 0
    assert HighWater(path).newest() == seen(59)
