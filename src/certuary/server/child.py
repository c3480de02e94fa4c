"""How the supervisor tells a child process what it is: one JSON line through an inherited pipe.

The pipe's descriptor is the child's only argument, so neither keys nor paths show in a process list or an
environment. The supervisor keeps the write end open and writes nothing more: when the child reads the end of
the file, the supervisor is gone, and the child finishes what is in flight and exits.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from certuary.errors import ConfigError
from certuary.server.config import Settings, load_settings

_MAX_LINE_OCTETS = 60_000  # below a pipe's 64 KiB: the supervisor never blocks in writing it


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildOrders:
    """`flags` are what the command line gave `serve`; `role_keys` open our roles of the key store.

    `node` names this installation's copy on this machine; `stream` is the audit stream of this one process, and
    `stream_key` the key of its chain. `trust` is the text of the pinned public halves (`services.trust`).
    """

    home: Path
    flags: Mapping[str, object]
    listen_fd: int
    board_fd: int
    slot: int
    role_keys: Mapping[str, bytes] = field(repr=False)
    node: str
    stream: str
    stream_key: bytes = field(repr=False)
    trust: str

    def settings(self) -> Settings:
        return load_settings(self.home, self.flags)


def write_orders(pipe_fd: int, orders: ChildOrders) -> None:
    """The supervisor's half. Keep `pipe_fd` open as long as the child shall live."""
    line = encode_orders(orders)
    if len(line) > _MAX_LINE_OCTETS:
        raise ConfigError("the flags of a child process are too long")
    os.write(pipe_fd, line)


def read_orders(pipe_fd: int) -> ChildOrders:
    """The child's half: blocks until the line is there."""
    line = b""
    while not line.endswith(b"\n"):
        read = os.read(pipe_fd, _MAX_LINE_OCTETS)
        if not read or len(line) > _MAX_LINE_OCTETS:
            raise ConfigError("this command is started by `certuary serve`, not by hand")
        line += read
    return decode_orders(line)


def encode_orders(orders: ChildOrders) -> bytes:
    values = {
        "home": str(orders.home),
        "flags": {key: _plain(value) for key, value in orders.flags.items() if value is not None},
        "listen_fd": orders.listen_fd,
        "board_fd": orders.board_fd,
        "slot": orders.slot,
        "role_keys": {role: base64.b64encode(key).decode() for role, key in orders.role_keys.items()},
        "node": orders.node,
        "stream": orders.stream,
        "stream_key": base64.b64encode(orders.stream_key).decode(),
        "trust": orders.trust,
    }
    return json.dumps(values).encode() + b"\n"


def decode_orders(line: bytes) -> ChildOrders:
    try:
        values = json.loads(line)
        return ChildOrders(
            home=Path(values["home"]),
            flags=values["flags"],
            listen_fd=int(values["listen_fd"]),
            board_fd=int(values["board_fd"]),
            slot=int(values["slot"]),
            role_keys={role: base64.b64decode(key) for role, key in values["role_keys"].items()},
            node=str(values["node"]),
            stream=str(values["stream"]),
            stream_key=base64.b64decode(values["stream_key"]),
            trust=str(values["trust"]),
        )
    except (ValueError, TypeError, KeyError, AttributeError, binascii.Error) as problem:
        raise ConfigError("the orders of a child process cannot be read") from problem


@contextmanager
def hang_up_held() -> Iterator[None]:
    """A process started in here inherits the held SIGHUP: one that comes while it starts waits for it, where it would
    have ended it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    try:
        yield
    finally:
        take_hang_up()


def take_hang_up() -> None:
    """Called once there is a handler for SIGHUP."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})


def when_supervisor_is_gone(pipe_fd: int, act: Callable[[], None]) -> None:
    """Call `act` once, on the running event loop, when the pipe reaches its end."""
    loop = asyncio.get_running_loop()

    def readable() -> None:
        if os.read(pipe_fd, 4096):
            return
        loop.remove_reader(pipe_fd)
        act()

    loop.add_reader(pipe_fd, readable)


def _plain(value: object) -> object:
    """Networks and other values travel as the text that `load_settings` reads."""
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value if isinstance(value, bool | int | str) else str(value)
