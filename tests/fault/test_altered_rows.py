"""Somebody with plain SQL alters rows beneath a running server: it lets nobody in, and no revocation is lost."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from certuary.core.crl import listed_entries
from certuary.core.values import serial_to_text
from tests.command import Commands
from tests.est_session import EstSession, quickstart_credentials
from tests.fault.ledger import execute, query
from tests.fault.processes import fetch_crl, unexpected_log_lines, until
from tests.request_maker import usual_request
from tests.running_server import RunningServer, running_server

FOUND_SECONDS = 2
CRL_SECONDS = 5

Held = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


class Attack:
    """A running server, and what is done to its database."""

    def __init__(self, server: RunningServer, work: Path) -> None:
        self.server = server
        self.work = work
        self.commands = Commands(server.home, work)

    def enrol(self, common_name: str) -> Held:
        key = ec.generate_private_key(ec.SECP256R1())
        with EstSession(self.server, credentials=quickstart_credentials(self.server)) as session:
            return session.enrol(usual_request(key, common_name=common_name)).certificate, key

    def status_for(self, held: Held) -> int:
        """What the server answers when the certificate alone asks for its renewal."""
        certificate, key = held
        (common_name,) = certificate.subject
        with EstSession(self.server, certificate=held, work=self.work) as session:
            return session.reenrol(usual_request(key, common_name=str(common_name.value))).status

    def alter(self, held: Held, assignments: str) -> None:
        execute(self.server.home, f"UPDATE certificates SET {assignments} WHERE serial = '{serial(held)}';")

    def is_listed(self, held: Held) -> bool:
        crl = x509.load_der_x509_crl(fetch_crl(self.server))
        return crl.get_revoked_certificate_by_serial_number(held[0].serial_number) is not None

    def warnings(self) -> list[str]:
        found: Any = self.server.readiness()[1]["warnings"]
        return list(found)

    def is_named(self, held: Held) -> bool:
        return any(serial(held) in warning for warning in self.warnings())

    def events(self, held: Held) -> list[tuple[Any, ...]]:
        return query(
            self.server.home,
            "SELECT kind FROM audit_events WHERE kind = 'certificate.altered'"
            f" AND target = 'certificate:{serial(held)}'",
        )

    def wait_until_named(self, held: Held) -> None:
        until(lambda: self.is_named(held), FOUND_SECONDS, "the altered row in /readyz")
        until(lambda: len(self.events(held)) == 1, 1, "its audit event")


def serial(held: Held) -> str:
    return serial_to_text(held[0].serial_number)


@pytest.fixture(params=["home", "postgres_home"])
def home_of_either(request: pytest.FixtureRequest) -> Path:
    home: Path = request.getfixturevalue(request.param)
    return home


def test_rows_altered_by_plain_sql_let_nobody_in_and_are_named(home_of_either: Path, tmp_path: Path) -> None:
    with running_server(home_of_either) as server:
        attack = Attack(server, tmp_path)
        check_erased_revocation(attack)
        check_forged_revocation(attack)
        check_other_application(attack)
        check_revoking_what_was_altered(attack)
    with running_server(home_of_either) as server:
        check_altered_crl(Attack(server, tmp_path))
    assert unexpected_log_lines(server) == []


def check_erased_revocation(attack: Attack) -> None:
    held = attack.enrol("erased")
    assert attack.status_for(held) == 200
    attack.commands.run("cert", "revoke", serial(held))
    until(lambda: attack.is_listed(held), CRL_SECONDS, "the revocation on the CRL")
    until(lambda: attack.status_for(held) == 401, FOUND_SECONDS, "the revoked certificate refused")

    attack.alter(held, "revoked_at = NULL, revocation_reason = NULL, revoked_revision = NULL")
    attack.wait_until_named(held)
    assert attack.status_for(held) == 401
    other = attack.enrol("revoked-later")
    attack.commands.run("cert", "revoke", serial(other))
    until(lambda: attack.is_listed(other), CRL_SECONDS, "another revocation on the CRL")
    assert attack.is_listed(held)
    assert attack.is_named(held)


def check_forged_revocation(attack: Attack) -> None:
    held = attack.enrol("forged")
    attack.alter(held, "revoked_at = issued_at, revocation_reason = 'superseded', revoked_revision = 1")
    attack.wait_until_named(held)
    time.sleep(1)
    assert not attack.is_listed(held)


def check_other_application(attack: Attack) -> None:
    held = attack.enrol("handed-on")
    attack.commands.add_application("intruder")
    attack.alter(held, "application_id = (SELECT max(id) FROM applications)")
    assert attack.status_for(held) == 401  # the worker has not seen this certificate before
    ((detail,),) = query(
        attack.server.home,
        "SELECT detail FROM audit_events WHERE kind = 'authentication.refused' ORDER BY id DESC LIMIT 1",
    )
    assert "the record of the client certificate was altered" in detail


def check_revoking_what_was_altered(attack: Attack) -> None:
    held = attack.enrol("altered-then-revoked")
    attack.alter(held, "not_after = issued_at")
    refused = attack.commands.run("cert", "revoke", serial(held), expect=65)
    assert "seal verify" in refused.stderr


def check_altered_crl(attack: Attack) -> None:
    served = fetch_crl(attack.server)
    number = (
        x509.load_der_x509_crl(served).extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    )
    execute(
        attack.server.home,
        "INSERT INTO crls (authority_id, number, covers_revision, this_update, next_update, der, mark)"
        f" SELECT authority_id, {number + 5}, covers_revision, this_update, next_update, der, mark"
        f" FROM crls WHERE number = {number}"
        " AND authority_id = (SELECT id FROM authorities WHERE name = 'issuing');",
    )
    named = f"CRL {number + 5} of issuing"
    until(lambda: any(named in warning for warning in attack.warnings()), 3, "the altered CRL in /readyz")
    until(lambda: fetch_crl(attack.server) != served, CRL_SECONDS, "a CRL above the altered one")
    newest = x509.load_der_x509_crl(fetch_crl(attack.server))
    newest_number = newest.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    assert newest_number == number + 6
    assert {*listed_entries(fetch_crl(attack.server))} >= {*listed_entries(served)}
