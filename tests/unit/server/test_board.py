"""The board in shared memory; memfd and mmap are memory, not disk."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from certuary.server import board as board_module
from certuary.server.board import SLOTS, Board
from certuary.services.process_report import ProcessReport


@pytest.fixture
def board() -> Iterator[Board]:
    made = Board.create()
    yield made
    made.close()


def _report(**changes: object) -> ProcessReport:
    values: dict[str, object] = {"role": "est", "pid": 7, "started_at": 1.0, "steady_at": 2.0}
    return ProcessReport(**(values | changes))  # type: ignore[arg-type]  # a table of fields


def test_a_report_is_read_as_it_was_written(board: Board) -> None:
    report = _report(
        revision=9,
        disabled_reason="off",
        problems=("a", "b"),
        database_ok=True,
        counters={"a.b": 3.0},
    )
    board.write(3, report)
    assert board.read(3) == report
    assert board.read_all() == {3: report}


def test_an_empty_or_cleared_slot_has_no_report(board: Board) -> None:
    assert board.read(0) is None
    board.write(0, _report())
    board.clear(0)
    assert board.read(0) is None


def test_a_shorter_report_replaces_a_longer_one_whole(board: Board) -> None:
    board.write(0, _report(disabled_reason="x" * 1000))
    board.write(0, _report(pid=8))
    assert board.read(0) == _report(pid=8)


def test_slots_do_not_touch_each_other(board: Board) -> None:
    board.write(0, _report(disabled_reason="x" * 30_000))
    board.write(1, _report(pid=11))
    board.write(SLOTS - 1, _report(pid=63))
    assert {slot: report.pid for slot, report in board.read_all().items()} == {0: 7, 1: 11, SLOTS - 1: 63}


def test_a_slot_out_of_range_is_an_index_error(board: Board) -> None:
    with pytest.raises(IndexError):
        board.write(SLOTS, _report())


def test_a_report_too_large_loses_its_counters_and_keeps_its_problems(board: Board) -> None:
    board.write(0, _report(problems=("p",), counters={f"counter_{n}_total": 1.0 for n in range(5000)}))
    read = board.read(0)
    assert read is not None
    assert (read.counters, read.problems, read.pid) == ({}, ("p",), 7)


def test_a_half_written_slot_has_no_report_and_can_be_written_again(board: Board) -> None:
    board.write(0, _report())
    board_module._SEQUENCE.pack_into(board._memory, 0, 3)  # its owner was killed while it wrote
    assert board.read(0) is None
    board.write(0, _report(pid=9))
    assert board.read(0) == _report(pid=9)


def test_a_damaged_slot_has_no_report(board: Board) -> None:
    board.write(0, _report())
    at = board._memory.find(b'"pid":7') + len(b'"pid":')
    board._memory[at : at + 1] = b"8"  # still JSON: only the checksum can tell
    assert board.read(0) is None


def test_a_reader_beside_a_busy_writer_sees_only_whole_reports(board: Board) -> None:
    reports = [_report(pid=n, disabled_reason=str(n) * (1 + n % 50)) for n in range(200)]

    def write() -> None:
        for report in reports:
            board.write(0, report)

    writer = threading.Thread(target=write)
    writer.start()
    seen = [board.read(0) for _ in range(500)]
    writer.join()
    assert all(report is None or report in reports for report in seen)
    assert board.read(0) == reports[-1]


def test_another_process_writes_through_the_inherited_descriptor(board: Board) -> None:
    script = (
        "import sys; from certuary.server.board import Board;"
        "from certuary.services.process_report import ProcessReport;"
        "report = ProcessReport(role='status', pid=1, started_at=0, steady_at=0);"
        "Board.open(int(sys.argv[1])).write(2, report)"
    )
    subprocess.run([sys.executable, "-c", script, str(board.fd)], pass_fds=[board.fd], check=True)
    read = board.read(2)
    assert read is not None
    assert read.role == "status"


def test_no_process_can_shrink_the_board(board: Board) -> None:
    with pytest.raises(PermissionError):
        os.ftruncate(board.fd, 4096)
