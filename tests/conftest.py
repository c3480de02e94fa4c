"""What holds for every test: a clean environment, and no sockets in `unit`."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import settings

UNIT = Path(__file__).parent / "unit"

# A slow minute of the machine is no reason to fail; a parser that hangs fails by its own time limit.
settings.register_profile("certuary", deadline=None)
settings.load_profile("certuary")


class SocketInUnitTest(AssertionError):
    """A test under tests/unit reached for the network: it belongs in wire, contract or interop."""


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """`CERTUARY_*` of the developer's shell must not decide what a test sees."""
    for name in os.environ:
        if name.startswith("CERTUARY_"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _no_sockets_in_unit(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if not request.path.is_relative_to(UNIT):
        yield
        return

    def refuse(*args: object) -> NoReturn:
        raise SocketInUnitTest("a unit test opens no socket")

    for method in ("connect", "connect_ex", "bind", "sendto"):
        monkeypatch.setattr(socket.socket, method, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    yield
