"""The portal's process beside the others: killed, stopped, sent too much, given a bad certificate."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fault.processes import (
    children,
    is_ready,
    is_running,
    process_ids,
    unexpected_log_lines,
    until,
    wait_for_successor,
)
from tests.running_server import CERTUARY, RunningServer, free_ports, running_server


@pytest.fixture(scope="module")
def server(initialised_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    # A copy: what this server writes is no part of the home that the other tests begin with.
    home = shutil.copytree(initialised_home, tmp_path_factory.mktemp("portal") / "home")
    with running_server(home) as running:
        # `/readyz` speaks for what devices need; the portal may come a moment later.
        until(lambda: process_ids(running, "portal") != (), 10, "the portal")
        yield running


def ask(
    server: RunningServer, path: str, *, port: int | None = None, headers: dict[str, str] | None = None
) -> tuple[int, http.client.HTTPMessage, str]:
    connection = http.client.HTTPSConnection(
        "localhost", port or server.portal_port, context=server.tls_context(), timeout=10
    )
    try:
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode(errors="replace")
    finally:
        connection.close()


def serves_portal(server: RunningServer) -> bool:
    try:
        return ask(server, "/sign-in/")[0] == 200
    except OSError:
        return False


def test_the_portal_is_a_process_of_its_own(server: RunningServer) -> None:
    assert len(process_ids(server, "portal")) == 1
    status, headers, page = ask(server, "/sign-in/")
    assert status == 200
    assert "Sign in" in page
    assert headers["Server"] is None


def test_a_killed_portal_is_started_again_and_devices_do_not_notice(server: RunningServer) -> None:
    (gone,) = process_ids(server, "portal")
    est = process_ids(server, "est")
    os.kill(gone, signal.SIGKILL)
    until(lambda: not is_running(gone), 5, "its end")
    assert is_ready(server)
    assert ask(server, "/.well-known/est/cacerts", port=server.est_port)[0] == 200
    wait_for_successor(server, "portal", gone)
    until(lambda: serves_portal(server), 10, "the portal")
    assert process_ids(server, "est") == est


def test_a_session_of_the_portal_opens_no_est(server: RunningServer) -> None:
    _, headers, _ = ask(server, "/sign-in/")
    cookie = headers["Set-Cookie"].partition(";")[0]
    path = "/.well-known/est/simplereenroll"
    claims = {"Cookie": f"{cookie}; __Host-certuary-session=anything"}
    assert ask(server, path, port=server.est_port, headers=claims)[0] in (401, 405)
    est = ask(server, "/est/cacerts", port=server.est_port, headers=claims)
    assert (est[0], est[1]["WWW-Authenticate"] is not None) == (401, True)


def test_portal_pages_are_on_no_other_listener(server: RunningServer) -> None:
    assert ask(server, "/sign-in/", port=server.est_port)[0] == 404
    assert ask(server, "/.well-known/est/cacerts")[0] == 404


def test_a_request_without_end_is_cut_off(server: RunningServer) -> None:
    (pid,) = process_ids(server, "portal")
    with (
        socket.create_connection(("127.0.0.1", server.portal_port), timeout=10) as plain,
        server.tls_context().wrap_socket(plain, server_hostname="localhost") as stream,
    ):
        stream.sendall(b"POST /sign-in/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n")
        with pytest.raises(OSError):  # reset or broken pipe, whichever is seen first
            send_forever(stream)
    assert process_ids(server, "portal") == (pid,)
    assert serves_portal(server)


def send_forever(stream: ssl.SSLSocket) -> None:
    """Slowly enough that not the octets end it, but the time."""
    began = time.monotonic()
    while time.monotonic() - began < 10:
        stream.sendall(b"x" * 4096)
        time.sleep(0.01)


def test_a_request_that_two_parsers_read_differently_is_refused(server: RunningServer) -> None:
    heads = (
        b"POST /sign-in/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /sign-in/ HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"GET /sign-in/ HTTP/1.1\r\nHost: localhost\r\n folded: x\r\n\r\n",
    )
    for head in heads:
        assert first_line(server, head).split()[1:2] in ([], [b"400"]), head


def first_line(server: RunningServer, head: bytes) -> bytes:
    with (
        socket.create_connection(("127.0.0.1", server.portal_port), timeout=10) as plain,
        server.tls_context().wrap_socket(plain, server_hostname="localhost") as stream,
    ):
        stream.sendall(head)
        stream.sendall(b"0\r\n\r\n")
        return stream.recv(4096).partition(b"\r\n")[0]


def test_plain_http_and_old_tls_are_not_answered(server: RunningServer) -> None:
    with socket.create_connection(("127.0.0.1", server.portal_port), timeout=10) as plain:
        plain.sendall(b"GET /sign-in/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert not plain.recv(4096).startswith(b"HTTP/1.1 200")
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.load_verify_locations(server.root_pem)
    old.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():  # Python itself advises against what we try here
        warnings.simplefilter("ignore", DeprecationWarning)
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("127.0.0.1", server.portal_port), timeout=10) as plain,
        pytest.raises(OSError),
    ):
        old.wrap_socket(plain, server_hostname="localhost")


def test_sigterm_ends_a_portal_that_browsers_are_connected_to(home: Path) -> None:
    with running_server(home) as server:
        connection = http.client.HTTPSConnection(
            "localhost", server.portal_port, context=server.tls_context(), timeout=10
        )
        connection.request("GET", "/sign-in/")
        connection.getresponse().read()
        before = children(server)
        assert server.stop() == 0
        connection.close()
        assert not any(is_running(pid) for pid in before)
        assert unexpected_log_lines(server) == []
        lines = server.log.read_text()
        assert re.search(r"portal has stopped", lines)


def test_a_certificate_that_cannot_be_read_is_said_at_the_start(home: Path) -> None:
    bad = home / "bad.pem"
    bad.write_text("no certificate")
    bad.chmod(0o600)
    settings = home / "certuary.toml"
    settings.write_text(f'tls_certificate_file = "{bad}"\ntls_key_file = "{bad}"\n')
    flags = ("--est-port", "--status-port", "--portal-port")
    ports = [str(part) for pair in zip(flags, free_ports(3), strict=True) for part in pair]
    log = home.with_name("bad.log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [CERTUARY, "serve", "--home", home, *ports], stdout=output, stderr=output, start_new_session=True
        )
    try:
        until(lambda: "the portal cannot start" in log.read_text(), 40, "its word")
    finally:
        process.terminate()
        process.wait(timeout=40)
    assert str(bad) in log.read_text()
    assert "Traceback" not in log.read_text()
