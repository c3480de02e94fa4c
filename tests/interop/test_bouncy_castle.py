"""Bouncy Castle's `org.bouncycastle.est`, version 1.72 of Debian 12, on the JDK's TLS.

It sends no credential before it was asked with a 401, closes that answer unread, and wants exact lengths.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.checks import assert_right_certificate, fails, load, make_device, run
from tests.running_server import RunningServer

SOURCE = Path(__file__).parent / "java" / "EstClient.java"
JARS = ("/usr/share/java/bcpkix.jar", "/usr/share/java/bcprov.jar", "/usr/share/java/bcutil.jar")


@pytest.fixture(scope="module")
def est_client(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """The command that runs the compiled client."""
    classes = tmp_path_factory.mktemp("classes")
    # The jars name further jars, of mail, that Debian does not bring and nobody needs: hence no path lint.
    run("javac", "-Xlint:all,-path", "-Werror", "-cp", ":".join(JARS), "-d", classes, SOURCE)
    return ("java", "-cp", ":".join((*JARS, str(classes))), "EstClient")


def address(server: RunningServer) -> str:
    return f"localhost:{server.est_port}"


def fetch_cacerts(server: RunningServer, est_client: tuple[str, ...], work: Path) -> Path:
    received = work / "cacerts.pem"
    run(*est_client, "cacerts", address(server), server.root_pem, received)
    return received


def test_cacerts_are_the_chain_to_the_root(
    server: RunningServer, est_client: tuple[str, ...], tmp_path: Path
) -> None:
    received = load(fetch_cacerts(server, est_client, tmp_path))
    assert load(server.root_pem)[0] in received
    assert len(received) == 2


def test_csrattrs_are_read(server: RunningServer, est_client: tuple[str, ...], tmp_path: Path) -> None:
    received = tmp_path / "csrattrs.der"
    run(*est_client, "csrattrs", address(server), server.root_pem, received)
    assert received.read_bytes()[0] == 0x30


def test_it_enrols_once_it_was_asked_for_a_password(
    server: RunningServer, est_client: tuple[str, ...], tmp_path: Path
) -> None:
    device = make_device(tmp_path, "castle-1")
    received = tmp_path / "device.pem"
    run(*est_client, "enroll", address(server), server.root_pem, received, device.csr, server.netrc)
    assert_right_certificate(received, device, fetch_cacerts(server, est_client, tmp_path))


@pytest.mark.parametrize("same_key", [True, False], ids=["renew", "rekey"])
def test_it_re_enrols_with_the_issued_certificate(
    server: RunningServer, est_client: tuple[str, ...], tmp_path: Path, same_key: bool
) -> None:
    device = make_device(tmp_path, "castle-2")
    first, second = tmp_path / "first.pem", tmp_path / "second.pem"
    run(*est_client, "enroll", address(server), server.root_pem, first, device.csr, server.netrc)
    again = device if same_key else make_device(tmp_path, "castle-2", again="-again")
    old = (first, device.key)
    run(*est_client, "reenroll", address(server), server.root_pem, second, again.csr, *old)
    renewed = assert_right_certificate(second, again, fetch_cacerts(server, est_client, tmp_path))
    assert renewed.serial_number != load(first)[0].serial_number


def test_a_wrong_password_is_refused(
    server: RunningServer, est_client: tuple[str, ...], tmp_path: Path
) -> None:
    device = make_device(tmp_path, "castle-3")
    wrong = tmp_path / "wrong.netrc"
    wrong.write_text("machine localhost login quickstart password not-this-one\n")
    received = tmp_path / "device.pem"
    said = fails(*est_client, "enroll", address(server), server.root_pem, received, device.csr, wrong)
    assert "401" in said
    assert not received.exists()
