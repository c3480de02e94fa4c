"""The rules that tests/conftest.py lays on every unit test."""

from __future__ import annotations

import os
import socket

import pytest


def test_a_unit_test_opens_no_socket() -> None:
    with socket.socket() as listener, pytest.raises(AssertionError, match="opens no socket"):
        listener.bind(("127.0.0.1", 0))


def test_no_setting_leaks_in_from_the_environment() -> None:
    assert not [name for name in os.environ if name.startswith("CERTUARY_")]
