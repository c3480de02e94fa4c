"""Clients that vanish at every point of a request or of its answer."""

from __future__ import annotations

import random
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.est_session import EstSession, quickstart_credentials
from tests.fault.ledger import check_ledger, query
from tests.fault.load import Load
from tests.fault.processes import open_sockets, process_ids, unexpected_log_lines, until
from tests.fault.sockets import connect, enrolment, reset
from tests.request_maker import usual_request
from tests.running_server import RunningServer, running_server

TIMES = 60


@contextmanager
def undisturbed(server: RunningServer) -> Iterator[ssl.SSLContext]:
    """The same worker serves on, without a word about it in the log, and holds no connection that is gone."""
    (worker,) = process_ids(server, "est")
    before = open_sockets(worker)
    yield server.tls_context()
    with EstSession(server, credentials=quickstart_credentials(server)) as session:
        assert session.enrol(usual_request(common_name="alive")).status == 200
    assert process_ids(server, "est") == (worker,)
    assert unexpected_log_lines(server) == []
    until(lambda: open_sockets(worker) == before, 5, "connections to be let go")


def test_a_client_that_dies_in_mid_request_leaves_nothing(home: Path) -> None:
    with running_server(home) as server:
        with undisturbed(server) as context:
            for number in range(TIMES):
                request = b"".join(enrolment(server, f"mid-request-{number}"))
                tls = connect(server, context)
                tls.sendall(request[: random.randrange(len(request))])
                reset(tls)
        assert check_ledger(home, ()).common_names == {"alive"}
        assert query(home, "SELECT count(*) FROM enrolments") == [(1,)]


def test_a_client_that_dies_before_its_answer_leaves_all_of_it_or_nothing(home: Path) -> None:
    with running_server(home) as server:
        with undisturbed(server) as context, Load(server, clients=2) as load:
            for number in range(TIMES):
                tls = connect(server, context)
                tls.sendall(b"".join(enrolment(server, f"no-answer-{number}")))
                time.sleep(random.uniform(0, 0.01))
                reset(tls)
            load.stop()
        assert (load.refused, load.torn, load.unanswered) == ([], [], [])
        names = check_ledger(home, load.received).common_names
        assert any(name.startswith("no-answer") for name in names), "no request arrived"


def test_a_client_that_dies_in_mid_answer_has_its_certificate_on_record(home: Path) -> None:
    with running_server(home) as server:
        with undisturbed(server) as context:
            for number in range(10):
                tls = connect(server, context)
                tls.sendall(b"".join(enrolment(server, f"half-read-{number}")))
                assert tls.recv(20).startswith(b"HTTP/1.1 200")
                reset(tls)
        names = check_ledger(home, ()).common_names
        assert names == {"alive", *(f"half-read-{number}" for number in range(10))}
