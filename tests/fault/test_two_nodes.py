"""Two nodes, their homes copies of one another, on one PostgreSQL database."""

from __future__ import annotations

import os
import shutil
import signal
import socket
from pathlib import Path

from cryptography import x509

from certuary.core.values import serial_to_text
from tests.command import Commands
from tests.est_session import EstSession
from tests.fault.ledger import check_ledger, query
from tests.fault.load import Load
from tests.fault.processes import fetch_crl, process_ids, until
from tests.request_maker import usual_request
from tests.running_server import RunningServer, running_server

FOLLOW_SECONDS = 2
CRL_SECONDS = 5
TAKE_OVER_SECONDS = 20
"""A lease lasts 10 s, and is asked for every 3 s."""


def test_both_issue_and_follow_changes_and_one_does_the_jobs(postgres_home: Path, tmp_path: Path) -> None:
    second_home = Path(shutil.copytree(postgres_home, tmp_path / "second"))
    commands = Commands(postgres_home, tmp_path)
    with running_server(postgres_home) as first, running_server(second_home) as second:
        nodes = first, second
        with Load(first, clients=1) as at_first, Load(second, clients=1) as at_second:
            at_first.wait_for(20)
            at_second.wait_for(20)
            check_changes(commands, nodes)
        received = at_first.received + at_second.received
        assert at_first.refused == at_second.refused == []
        check_ledger(postgres_home, received)

        worker_of_jobs = job_holder(postgres_home)
        (holding,) = [node for node in nodes if worker_of_jobs in process_ids(node, "status")]
        (other,) = [node for node in nodes if node is not holding]
        check_one_crl(commands, nodes, received[0].certificate)

        os.kill(holding.process.pid, signal.SIGKILL)
        os.kill(worker_of_jobs, signal.SIGKILL)
        revoke(commands, received[1].certificate)
        wait_for_revocation(other, received[1].certificate, TAKE_OVER_SECONDS)
        assert job_holder(postgres_home) in process_ids(other, "status")


def check_changes(commands: Commands, nodes: tuple[RunningServer, ...]) -> None:
    credentials = commands.add_application("new-here")
    for node in nodes:
        wait_for_status(node, credentials, 200)
    commands.run("application", "disable", "new-here")
    for node in nodes:
        wait_for_status(node, credentials, 401)


def wait_for_status(node: RunningServer, credentials: tuple[str, str], status: int) -> None:
    def answers_so() -> bool:
        with EstSession(node, credentials=credentials) as session:
            return session.enrol(usual_request(common_name="new-here")).status == status

    until(answers_so, FOLLOW_SECONDS, f"status {status}")


def check_one_crl(
    commands: Commands, nodes: tuple[RunningServer, ...], certificate: x509.Certificate
) -> None:
    """A revocation makes one CRL, which both nodes hand out."""
    before = published(nodes[0].home)
    revoke(commands, certificate)
    for node in nodes:
        wait_for_revocation(node, certificate, CRL_SECONDS)
    assert published(nodes[0].home) == before + 1
    assert fetch_crl(nodes[0]) == fetch_crl(nodes[1])


def revoke(commands: Commands, certificate: x509.Certificate) -> None:
    commands.run("cert", "revoke", serial_to_text(certificate.serial_number))


def wait_for_revocation(node: RunningServer, certificate: x509.Certificate, seconds: float) -> None:
    def is_on_crl() -> bool:
        crl = x509.load_der_x509_crl(fetch_crl(node))
        return crl.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None

    until(is_on_crl, seconds, "the revocation on the CRL")


def published(home: Path) -> int:
    ((count,),) = query(home, "SELECT count(*) FROM crls")
    return int(count)


def job_holder(home: Path) -> int:
    """The process that holds the lease of the jobs; that of the seals names a node."""
    ((holder,),) = query(home, "SELECT holder FROM leases WHERE name = 'jobs'")
    host, _, pid = str(holder).rpartition(":")
    assert host == socket.gethostname()[:40]
    return int(pid)
