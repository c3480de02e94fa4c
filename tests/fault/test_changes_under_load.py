"""Configuration that changes while certificates are issued."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.command import Commands
from tests.est_session import EstSession, quickstart_credentials
from tests.fault.ledger import check_ledger, execute, query
from tests.fault.load import Load, percentile
from tests.fault.processes import until
from tests.fault.sealed_script import script_that_adds
from tests.request_maker import usual_request
from tests.running_server import RunningServer, running_server

# Two versions that differ in every part that a certificate shows.
VERSION = """
name = "tls-device"
authority = "issuing"
est_default = true

[validity]
lifetime = "{days}d"

[keys]
allow = ["ec-p256"]

[subject]
required = ["CN"]
fixed = {{ OU = "{unit}" }}

[key_usage]
allow = ["digitalSignature"{more_usage}]

[extended_key_usage]
allow = ["{extended_usage}"]
"""
EVEN = {"days": 20, "unit": "even", "more_usage": "", "extended_usage": "clientAuth"}
ODD = {"days": 30, "unit": "odd", "more_usage": ', "keyAgreement"', "extended_usage": "serverAuth"}
# What certificates show: lifetime in days, key agreement, extended usage, unit.
SHIPPED_LOOKS = 90, False, ExtendedKeyUsageOID.CLIENT_AUTH, None
EVEN_LOOKS = 20, False, ExtendedKeyUsageOID.CLIENT_AUTH, "even"
ODD_LOOKS = 30, True, ExtendedKeyUsageOID.SERVER_AUTH, "odd"
MANY = 10_000


def test_a_certificate_is_wholly_of_the_version_it_is_recorded_under(home: Path, tmp_path: Path) -> None:
    commands = Commands(home, tmp_path)
    with running_server(home) as server, Load(server, clients=2) as load:
        for version in (ODD, EVEN):
            load.wait_for(20)
            save(commands, tmp_path, version)
        changed_at = time.monotonic()
        until(lambda: time.monotonic() > changed_at + 2.5, 5, "a reload")
        load.stop()
        assert load.refused == []
        ledger = check_ledger(home, load.received)
    looks_of = {VERSION.format(**ODD): ODD_LOOKS, VERSION.format(**EVEN): EVEN_LOOKS}
    versions = dict(query(home, "SELECT id, toml FROM profile_versions"))
    seen = set()
    for serial, (version_id, der) in ledger.certificates.items():
        assert version_id == ledger.enrolments[serial][1]
        expected = looks_of.get(versions[version_id], SHIPPED_LOOKS)
        assert looks(x509.load_der_x509_certificate(der)) == expected
        seen.add(expected)
    assert seen == {SHIPPED_LOOKS, ODD_LOOKS, EVEN_LOOKS}, "not every version was issued under"
    late = [one for one in load.received if one.asked_at > changed_at + 2]
    assert late
    assert {looks(one.certificate) for one in late} == {EVEN_LOOKS}


def save(commands: Commands, work: Path, version: dict[str, object]) -> None:
    path = work / "version.toml"
    path.write_text(VERSION.format(**version))
    commands.run("profile", "add", path)


def looks(certificate: x509.Certificate) -> tuple[object, ...]:
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    (extended,) = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    units = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    days = round((certificate.not_valid_after_utc - datetime.now(UTC)) / timedelta(days=1))
    return days, usage.key_agreement, extended, units[0].value if units else None


# Ten thousand applications.


def test_ten_thousand_applications_reload_without_stalling_enrolment(
    home: Path, tell: Callable[[str], None]
) -> None:
    with running_server(home) as server:
        tell(f"10,000 applications on SQLite: {check_reload(server)}")


def test_ten_thousand_applications_reload_on_every_worker_of_postgresql(
    postgres_home: Path, tell: Callable[[str], None]
) -> None:
    with running_server(postgres_home, "--workers", "2") as server:
        tell(f"10,000 applications on PostgreSQL, 2 workers: {check_reload(server)}")


def check_reload(server: RunningServer) -> str:
    """They work within 2 s of their commit, on whichever worker, and no enrolment waits 2 s. Gives figures."""
    _, password = quickstart_credentials(server)
    add_many = script_that_adds(MANY, server.home)
    newest = f"many-{MANY}", password
    with Load(server, pause_seconds=0.02) as load:
        load.wait_for(200)
        began_at = time.monotonic()
        execute(server.home, add_many)
        committed_at = time.monotonic()
        taken = until(lambda: enrols(server, newest), 2, "enrolling as one of the new")
        until(lambda: time.monotonic() > committed_at + 2, 3, "the end of the reload")
        assert all(enrols(server, newest) for _ in range(6))
    assert (load.refused, load.unanswered, load.torn) == ([], [], [])
    assert max(one.seconds for one in load.received) < 2
    check_ledger(server.home, load.received)
    quiet = [one.seconds for one in load.received if one.answered_at < began_at]
    busy = [one.seconds for one in load.received if one.answered_at >= began_at]
    return (
        f"one of them enrolled {taken:.2f} s after the commit;"
        f" before, {figures(quiet)}; until 2 s after the commit, {figures(busy)}"
    )


def enrols(server: RunningServer, credentials: tuple[str, str]) -> bool:
    with EstSession(server, credentials=credentials) as session:
        return session.enrol(usual_request(common_name="one-of-many")).status == 200


def figures(seconds: Sequence[float]) -> str:
    return (
        f"{len(seconds)} enrolments, p99 {percentile(seconds, 0.99) * 1000:.0f} ms,"
        f" slowest {max(seconds) * 1000:.0f} ms"
    )
