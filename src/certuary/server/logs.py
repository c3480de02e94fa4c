"""Logs: one JSON line an event on stderr, short lines where stderr is a terminal. No secret is ever given to them."""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor


class LossyStream:
    """A stream that never fails: on a full disk, or when its reader is gone, lines are lost and the server goes on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()


def configure_logs(level: str, *, process: str) -> None:
    number = logging.getLevelNamesMapping()[level.upper()]
    stream = LossyStream(sys.stderr)
    renderer: Processor = (
        structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    )
    shared = _processors(process)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(stream),  # type: ignore[arg-type]  # write and flush are all it uses
        cache_logger_on_first_use=True,
    )
    # What libraries, and the store, say through the standard library.
    handler = logging.StreamHandler(stream)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=shared))
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[handler], force=True)


def _processors(process: str) -> list[Processor]:
    def name_process(_logger: object, _method: str, event: EventDict) -> EventDict:
        return {**event, "process": process}

    return [
        structlog.processors.add_log_level,
        name_process,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        # Without the frames' variables: they hold passwords and keys.
        structlog.processors.format_exc_info,
    ]
