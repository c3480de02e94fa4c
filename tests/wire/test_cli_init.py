"""`certuary init`: what a new home holds, and that it can be interrupted anywhere."""

from __future__ import annotations

import json
import os
import pty
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest

from tests.postgres import PostgresServer
from tests.wire.cli_process import ADMIN_PASSWORD, CERTUARY, Shell, new_shell


def test_the_secrets_are_not_printed_into_a_pipe(tmp_path: Path) -> None:
    shell = new_shell(tmp_path / "shell")
    environment = shell.environment()
    del environment["CERTUARY_ADMIN_PASSWORD_FILE"]
    done = shell.run("init", environment=environment)
    assert done.code == 0
    passwords = _passwords(shell)
    assert len(passwords) == 2
    assert not [password for password in passwords if password in done.stdout + done.stderr]


def test_the_secrets_are_shown_on_a_terminal(tmp_path: Path) -> None:
    shell = new_shell(tmp_path / "shell")
    code, told = run_on_terminal([str(CERTUARY), "init"], shell)
    assert code == 0
    assert all(password in told for password in _passwords(shell))
    assert "making the key store" in told


def test_forgetting_the_secrets_deletes_both_files_and_nothing_else(shell: Shell) -> None:
    before = set(shell.home.iterdir())
    done = shell.run("init", "--forget-secrets")
    assert done.code == 0
    assert before - set(shell.home.iterdir()) == {
        shell.home / "first-start.txt",
        shell.home / "quickstart.netrc",
    }
    again = shell.run("init", "--forget-secrets", "--json")
    assert json.loads(again.stdout) == {"deleted": []}


def test_only_certificates_are_open_to_others(shell: Shell) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in shell.home.rglob("*") if path.is_file()}
    assert {name for name, mode in modes.items() if mode & 0o077} == {"root.pem", "chain.pem"}
    assert stat.S_IMODE(shell.home.stat().st_mode) == 0o700


def test_what_init_was_told_is_kept_for_later_commands(shell: Shell) -> None:
    text = (shell.home / "certuary.toml").read_text()
    assert text == 'hostnames = ["ca.example"]\norganization = "Acme"\n'


def test_the_settings_of_an_operator_are_kept_and_contradicting_ones_refused(tmp_path: Path) -> None:
    shell = new_shell(tmp_path / "shell")
    shell.home.mkdir(mode=0o700)
    (shell.home / "certuary.toml").write_text('# ours\norganization = "Acme"\nlog_level = "debug"\n')
    refused = shell.run("init", "--organization", "Other")
    assert refused.code == 78
    assert "'organization'" in refused.stderr
    assert shell.run("init", "--organization", "Acme", "--hostname", "ca.example").code == 0
    text = (shell.home / "certuary.toml").read_text()
    assert text == 'hostnames = ["ca.example"]\n# ours\norganization = "Acme"\nlog_level = "debug"\n'


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--key", "ec-p521"], 65, "a key type is one of"),
        (["--organization", ""], 65, "an organization is"),
        (["--hostname", "not a name"], 78, "neither a DNS name nor an IP address"),
        (["--admin", "a/b"], 65, "cannot name a user"),
        (["--database-url", "mysql://x"], 78, "database URL"),
        (["--admin-password-file", "missing"], 65, "missing cannot be read"),
        (["--passphrase-file", "missing"], 78, "missing"),
    ],
)
def test_what_init_cannot_use_is_refused(tmp_path: Path, arguments: list[str], code: int, text: str) -> None:
    shell = new_shell(tmp_path / "shell")
    done = shell.run("init", *arguments)
    assert (done.code, text in done.stderr) == (code, True), done.stderr
    assert not (shell.home / "chain.pem").exists()
    assert shell.run("init").code == 0


@pytest.mark.parametrize("key", ["ec-p384", "rsa-3072", "ed25519"])
def test_authorities_have_the_kind_of_key_that_was_asked_for(tmp_path: Path, key: str) -> None:
    shell = new_shell(tmp_path / "shell")
    assert shell.run("init", "--key", key).code == 0
    found = json.loads(shell.run("ca", "list", "--json").stdout)
    assert {authority["key_type"] for authority in found} == {key}


def test_a_passphrase_that_was_brought_is_not_kept_in_the_home(tmp_path: Path) -> None:
    shell = new_shell(tmp_path / "shell")
    passphrase = shell.directory / "passphrase"
    passphrase.write_text("a passphrase of mine\n")
    passphrase.chmod(0o600)
    assert shell.run("init", "--passphrase-file", str(passphrase)).code == 0
    assert not (shell.home / "keys" / "passphrase").exists()
    assert shell.run("group", "add", "Plant").code == 0


def test_init_killed_at_any_moment_can_be_repeated(tmp_path: Path) -> None:
    shell = new_shell(tmp_path / "shell")
    pause = 0.2
    while not (shell.home / "chain.pem").exists():
        process = subprocess.Popen([CERTUARY, "init"], env=shell.environment(), stdout=subprocess.DEVNULL)
        time.sleep(pause)
        process.send_signal(signal.SIGKILL)
        process.wait()
        pause += 0.15
    assert len(json.loads(shell.run("user", "list", "--json").stdout)) == 1
    assert len(json.loads(shell.run("ca", "list", "--json").stdout)) == 2
    rotated = shell.run("application", "rotate", "quickstart", "--json")
    assert rotated.code == 0, rotated.stderr


def test_two_inits_at_once_make_one_home(tmp_path: Path) -> None:
    shell = new_shell(tmp_path / "shell")
    both = [
        subprocess.Popen(
            [CERTUARY, "init"], env=shell.environment(), stderr=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(2)
    ]
    told = [process.communicate(timeout=120) for process in both]
    assert sorted(process.returncode for process in both) == [0, 65], told
    assert sum(b"is initialised already" in stderr for _, stderr in told) == 1, told
    assert len(json.loads(shell.run("user", "list", "--json").stdout)) == 1


def test_a_home_on_postgresql_works_and_is_not_taken_by_a_second_one(tmp_path: Path) -> None:
    with PostgresServer.start() as server:
        url = server.create_database("certuary")
        first, second = new_shell(tmp_path / "first"), new_shell(tmp_path / "second")
        assert first.run("init", "--database-url", url).code == 0
        assert not (first.home / "certuary.db").exists()
        added = first.run(
            "application", "add", "line-1", "--username", "line-1", "--ip", "10.0.0.0/8", "--json"
        )
        assert json.loads(added.stdout)["networks"] == ["10.0.0.0/8"]
        refused = second.run("init", "--database-url", url)
        assert (refused.code, "another installation" in refused.stderr) == (65, True)


def run_on_terminal(command: list[str], shell: Shell, *answers: str, **more: str) -> tuple[int, str]:
    """Run it with a terminal as stdin, stdout and stderr; each answer is typed when a question stands there."""
    process_id, terminal = pty.fork()
    if process_id == 0:
        os.chdir(shell.directory)
        os.execve(command[0], command, shell.environment(**more))
    told, left = b"", list(answers)
    while chunk := _read(terminal):
        told += chunk
        if left and told.endswith(b": "):
            os.write(terminal, left.pop(0).encode() + b"\n")
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(process_id, 0)[1]), told.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so when the other side is closed
        return b""


def _passwords(shell: Shell) -> list[str]:
    lines = (shell.home / "first-start.txt").read_text().splitlines()
    found = [line.split()[-1] for line in lines if line.startswith("  password")]
    return [password for password in found if password != "gave)"]


def test_the_users_name_and_password_are_asked_for_on_a_terminal(shell: Shell) -> None:
    empty = {"CERTUARY_ADMIN": "", "CERTUARY_ADMIN_PASSWORD_FILE": ""}
    command = [str(CERTUARY), "group", "add", "Plant"]
    code, told = run_on_terminal(command, shell, "admin", ADMIN_PASSWORD, **empty)
    assert (code, "added GRP_002 Plant" in told) == (0, True), told
    assert ADMIN_PASSWORD not in told


def test_without_a_terminal_nobody_is_asked(shell: Shell) -> None:
    empty = {"CERTUARY_ADMIN": "", "CERTUARY_ADMIN_PASSWORD_FILE": ""}
    done = shell.run("group", "add", "Plant", environment=shell.environment(**empty))
    assert done.code == 77
    assert "--admin-password-file" in done.stderr
