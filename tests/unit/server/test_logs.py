"""What a log line looks like, and that no line is worth a crash."""

from __future__ import annotations

import errno
import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog

from certuary.server.logs import LossyStream, configure_logs


class FullDisk(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()


def lines(monkeypatch: pytest.MonkeyPatch, level: str = "info") -> io.StringIO:
    output = io.StringIO()
    monkeypatch.setattr(sys, "stderr", output)
    configure_logs(level, process="est-0")
    return output


def test_an_event_is_one_line_of_json(monkeypatch: pytest.MonkeyPatch) -> None:
    output = lines(monkeypatch)
    structlog.get_logger().warning("something\nhappened", number=3)
    (line,) = output.getvalue().splitlines()
    event = json.loads(line)
    assert (event["event"], event["number"]) == ("something\nhappened", 3)
    assert (event["level"], event["process"]) == ("warning", "est-0")


def test_what_comes_through_the_standard_library_looks_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    output = lines(monkeypatch)
    try:
        raise ValueError("wrong")
    except ValueError:
        logging.getLogger("certuary.store.writer").exception("a batch of %d", 7)
    (line,) = output.getvalue().splitlines()
    event = json.loads(line)
    assert (event["event"], event["level"], event["process"]) == ("a batch of 7", "error", "est-0")
    assert "ValueError: wrong" in event["exception"]


def test_lower_levels_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    output = lines(monkeypatch, "warning")
    structlog.get_logger().info("quiet")
    logging.getLogger("any").info("quiet")
    assert output.getvalue() == ""


def test_a_line_that_cannot_be_written_is_lost_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", FullDisk())
    configure_logs("info", process="est-0")
    structlog.get_logger().error("lost")
    logging.getLogger("any").error("lost")


def test_a_stream_whose_reader_is_gone_is_no_failure() -> None:
    class Gone(io.StringIO):
        def flush(self) -> None:
            raise BrokenPipeError

    stream = LossyStream(Gone())
    assert stream.write("line\n") == 5
    stream.flush()
