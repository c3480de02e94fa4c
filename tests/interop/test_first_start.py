"""The lines that `first-start.txt` gives a newcomer work when they are pasted as they are."""

from __future__ import annotations

import stat
from pathlib import Path

from tests.interop.checks import load, run
from tests.running_server import CERTUARY, RunningServer

COMMANDS = ("curl ", "openssl ")


def test_the_lines_of_first_start_enrol_and_renew_when_pasted(server: RunningServer, tmp_path: Path) -> None:
    text = (server.home / "first-start.txt").read_text()
    lines = [line for line in text.splitlines() if line.startswith(COMMANDS)]
    assert len(lines) >= 5

    # pipefail: a refused request must not hide behind the openssl that reads its answer.
    run("bash", "-euo", "pipefail", "-c", "\n".join(lines), cwd=tmp_path)

    (certificate,) = load(tmp_path / "device.pem")
    assert certificate.subject.rfc4514_string() == "CN=device-1"


def test_the_address_of_the_portal_is_among_the_lines_and_in_the_log(server: RunningServer) -> None:
    assert f"{server.portal_url}/" in (server.home / "first-start.txt").read_text().split()
    assert f"portal on {server.portal_url}/" in server.log.read_text()


def test_the_secrets_are_for_their_owner_alone(server: RunningServer) -> None:
    for name in ("first-start.txt", "quickstart.netrc"):
        assert stat.S_IMODE((server.home / name).stat().st_mode) == 0o600


def test_no_line_of_first_start_shows_a_password_to_other_users(server: RunningServer) -> None:
    text = (server.home / "first-start.txt").read_text()
    words = server.netrc.read_text().split()
    password = words[words.index("password") + 1]
    commands = [line for line in text.splitlines() if line.startswith(COMMANDS)]
    assert not [line for line in commands if password in line or " -u " in line]


def test_the_line_that_forgets_the_secrets_works_when_pasted(tmp_path: Path) -> None:
    home = tmp_path / "home"
    run(CERTUARY, "init", "--home", home)
    (line,) = [
        line
        for line in (home / "first-start.txt").read_text().splitlines()
        if line.endswith("--forget-secrets")
    ]
    run("env", "--ignore-environment", "PATH=/usr/bin:/bin", "bash", "-c", line, cwd=tmp_path)
    assert not (home / "first-start.txt").exists()
    assert not (home / "quickstart.netrc").exists()
