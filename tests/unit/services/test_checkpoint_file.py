"""A node's file of checkpoints: private, appended to, and mended after a crash."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from certuary.core.audit_chain import Head
from certuary.core.checkpoint import Checkpoint, SignedCheckpoint, sign_checkpoint
from certuary.errors import ConfigError
from certuary.services.checkpoint_file import CheckpointFile, checkpoints_path, read_checkpoints
from tests.memory_records import NOW

KEY = ec.generate_private_key(ec.SECP256R1())


def checkpoint(number: int, streams: int = 1) -> SignedCheckpoint:
    heads = {f"stream-{n}": Head(n + 1, b"h" * 32) for n in range(streams)}
    return sign_checkpoint(Checkpoint(instance="i", number=number, at=NOW, streams=heads, previous=""), KEY)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return checkpoints_path(tmp_path)


def test_what_is_appended_is_read_in_its_order(path: Path) -> None:
    file = CheckpointFile(path)
    assert file.last() is None
    one, two, three = checkpoint(1), checkpoint(2, streams=3000), checkpoint(3)
    file.append([one, two])
    assert file.last() == two
    file.append([three])
    assert file.last() == three
    assert list(read_checkpoints(path)) == [(1, one), (2, two), (3, three)]
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("kept", [0, 1, 100, 70_000])
def test_a_torn_last_line_is_left_out_and_mended(path: Path, kept: int) -> None:
    file = CheckpointFile(path)
    file.append([checkpoint(1)])
    whole = path.read_bytes()
    with path.open("ab") as open_file:
        open_file.write(checkpoint(2, streams=3000).to_line().encode()[:kept])
    assert file.last() == checkpoint_of(whole)
    assert [number for number, _ in read_checkpoints(path)] == [1]
    second = checkpoint(2)
    file.append([second])
    assert path.read_bytes() == whole + second.to_line().encode()


def checkpoint_of(line: bytes) -> SignedCheckpoint:
    from certuary.core.checkpoint import read_line

    return read_line(line.decode())


def test_a_file_of_one_torn_line_has_no_checkpoint(path: Path) -> None:
    file = CheckpointFile(path)
    file.append([checkpoint(1)])
    path.write_bytes(path.read_bytes()[:-1])
    assert file.last() is None
    file.append([checkpoint(1)])
    assert len(list(read_checkpoints(path))) == 1


def test_a_last_line_that_is_no_checkpoint_is_said(path: Path) -> None:
    file = CheckpointFile(path)
    file.append([checkpoint(1)])
    with path.open("ab") as open_file:
        open_file.write(b"nonsense\n")
    with pytest.raises(ConfigError):
        file.last()


def test_a_file_that_cannot_be_written_is_said(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(ConfigError):
        CheckpointFile(path).append([checkpoint(1)])
