"""What OpenSSL's client may not negotiate (S-1, S-2, S-20), and what speaks no TLS at all."""

from __future__ import annotations

import subprocess

import pytest

from tests.interop.checks import fails
from tests.running_server import RunningServer


def s_client(server: RunningServer, *options: str, stdin: bytes = b"") -> str:
    """What OpenSSL says of one connection; SECLEVEL=0 lets it offer what it would not by itself."""
    address = f"localhost:{server.est_port}"
    command = ("openssl", "s_client", "-connect", address, "-CAfile", str(server.root_pem), *options)
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=30, check=False)
    return (done.stdout + done.stderr).decode(errors="replace")


@pytest.mark.parametrize(("option", "protocol"), [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")])
def test_tls_1_2_and_1_3_are_spoken(server: RunningServer, option: str, protocol: str) -> None:
    said = s_client(server, option, "-cipher", "ALL:@SECLEVEL=0")
    assert f"New, {protocol}" in said
    assert "Verify return code: 0 (ok)" in said


@pytest.mark.parametrize("option", ["-tls1", "-tls1_1"])
def test_older_versions_are_refused(server: RunningServer, option: str) -> None:
    said = s_client(server, option, "-cipher", "ALL:@SECLEVEL=0")
    assert "alert protocol version" in said
    assert "no peer certificate available" in said


@pytest.mark.parametrize(
    "suites",
    ["eNULL", "aNULL", "3DES", "RC4", "kRSA", "CAMELLIA", "ARIA", "AES128-SHA", "ECDHE-ECDSA-AES128-SHA"],
)
def test_weak_suites_are_refused(server: RunningServer, suites: str) -> None:
    said = s_client(server, "-tls1_2", "-cipher", f"{suites}:@SECLEVEL=0")
    # Suites that OpenSSL 3.0 no longer has at all cannot be offered either.
    assert "alert handshake failure" in said or "no cipher match" in said
    assert "no peer certificate available" in said or "no cipher match" in said


def test_a_client_may_not_renegotiate(server: RunningServer) -> None:
    said = s_client(server, "-tls1_2", stdin=b"R\n")
    assert "RENEGOTIATING" in said
    assert "no renegotiation" in said


def test_plain_http_gets_no_est_answer(server: RunningServer) -> None:
    url = f"http://localhost:{server.est_port}/.well-known/est/cacerts"
    said = fails("curl", "--silent", "--show-error", "--http0.9", url)
    assert "BEGIN" not in said
    assert "MII" not in said
