"""Orders through a pipe; pipes are memory, not disk."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from certuary.core.values import parse_network
from certuary.errors import ConfigError
from certuary.server.child import (
    ChildOrders,
    decode_orders,
    encode_orders,
    read_orders,
    when_supervisor_is_gone,
    write_orders,
)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read_fd, write_fd = os.pipe()
    yield read_fd, write_fd
    for fd in (read_fd, write_fd):
        try:
            os.close(fd)
        except OSError:  # the test closed it
            continue


def _orders(**changes: object) -> ChildOrders:
    values: dict[str, object] = {
        "home": Path("home"),
        "flags": {"est_port": 0, "hostnames": ["a.example"]},
        "listen_fd": 5,
        "board_fd": 6,
        "slot": 2,
        "role_keys": {"issuing": b"\x00\xff" * 16},
        "node": "4f2a",
        "stream": "00112233",
        "stream_key": b"\xff\x00" * 16,
        "trust": "{}",
    }
    return ChildOrders(**(values | changes))  # type: ignore[arg-type]  # a table of fields


def test_orders_are_read_as_they_were_written(pipe: tuple[int, int]) -> None:
    write_orders(pipe[1], _orders())
    assert read_orders(pipe[0]) == _orders()


def test_orders_that_arrive_in_pieces_are_read_whole(pipe: tuple[int, int]) -> None:
    line = encode_orders(_orders())
    os.write(pipe[1], line[:10])
    os.write(pipe[1], line[10:])
    assert read_orders(pipe[0]) == _orders()


def test_a_flag_not_given_is_left_out_and_a_network_travels_as_text() -> None:
    orders = _orders(flags={"bind": None, "metrics_from": (parse_network("10.0.0.0/8"),)})
    assert decode_orders(encode_orders(orders)).flags == {"metrics_from": ["10.0.0.0/8"]}


def test_the_settings_come_from_the_home_and_the_flags(tmp_path: Path) -> None:
    (tmp_path / "certuary.toml").write_text('bind = "127.0.0.2"\nest_port = 1\n')
    settings = _orders(home=tmp_path).settings()
    assert (settings.bind, settings.est_port, settings.hostnames) == ("127.0.0.2", 0, ("a.example",))


def test_keys_do_not_show_in_a_representation() -> None:
    assert "role_keys" not in repr(_orders())


def test_a_closed_pipe_says_how_the_process_is_started(pipe: tuple[int, int]) -> None:
    os.close(pipe[1])
    with pytest.raises(ConfigError, match="certuary serve"):
        read_orders(pipe[0])


@pytest.mark.parametrize("line", [b"\n", b"[]\n", b"{}\n", b'{"home":1}\n', b"\xff\n"])
def test_orders_that_are_not_orders_are_refused(line: bytes) -> None:
    with pytest.raises(ConfigError):
        decode_orders(line)


def test_flags_longer_than_a_pipe_holds_are_refused(pipe: tuple[int, int]) -> None:
    with pytest.raises(ConfigError):
        write_orders(pipe[1], _orders(flags={"organization": "x" * 70_000}))


def test_the_child_acts_once_when_the_supervisor_is_gone(pipe: tuple[int, int]) -> None:
    acts: list[str] = []

    async def live() -> None:
        when_supervisor_is_gone(pipe[0], lambda: acts.append("gone"))
        os.write(pipe[1], b"stray")
        await asyncio.sleep(0.02)
        assert acts == []
        os.close(pipe[1])
        await asyncio.sleep(0.02)

    asyncio.run(live())
    assert acts == ["gone"]
