"""SIGTERM under load: what was accepted is answered, what was not was never taken."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from tests.fault.ledger import check_ledger
from tests.fault.load import Load
from tests.fault.processes import unexpected_log_lines
from tests.fault.sockets import connect, enrolment, read_to_end
from tests.running_server import running_server


@pytest.mark.parametrize("moment", range(3))
def test_under_load_every_request_is_answered_whole_or_never_taken(home: Path, moment: int) -> None:
    with running_server(home) as server, Load(server) as load:
        load.wait_for(10)
        time.sleep(random.uniform(0, 0.5))
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 10
        load.stop()
        assert load.torn == []
        assert load.refused == []
        received = {one.common_name for one in load.received}
        assert check_ledger(home, load.received).common_names == received
        assert unexpected_log_lines(server) == []


def test_a_request_half_sent_before_sigterm_is_answered(home: Path) -> None:
    with running_server(home) as server, connect(server) as half, connect(server) as idle:
        head, body = enrolment(server, "half-sent")
        half.sendall(head + body[:100])
        time.sleep(0.3)
        server.process.terminate()
        assert idle.recv(1) == b""
        time.sleep(0.5)
        half.sendall(body[100:])
        answer = read_to_end(half)
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"\r\nConnection: close\r\n" in answer
        assert server.process.wait(20) == 0
        assert check_ledger(home, ()).common_names == {"half-sent"}
