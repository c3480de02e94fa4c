"""What the commands print for programs: JSON, exports, exit codes; and what they never print."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs7

from certuary.cli.main import NOUNS, main
from tests.postgres import PostgresServer
from tests.wire.cli_process import CERTUARY, Shell, new_shell

PROPERTIES = Path(__file__).parents[2] / "docs" / "properties.md"


def data(shell: Shell, *arguments: str) -> Any:
    done = shell.run(*arguments, "--json")
    assert done.code == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "command",
    [
        "application list", "application show quickstart", "profile list", "profile show tls-device",
        "profile export tls-device", "group list", "label list", "property list",
        "property get est.ca.server.group.id", "ca list", "ca show issuing", "cert list", "user list",
        "keystore list", "audit list",
    ],
)  # fmt: skip
def test_every_reading_command_speaks_json_on_stdout_alone(shell: Shell, command: str) -> None:
    done = shell.run(*command.split(), "--json")
    assert done.code == 0
    assert isinstance(json.loads(done.stdout), list | dict)
    assert "argon2" not in done.stdout


def test_json_and_home_may_stand_before_the_noun_or_after_the_verb(shell: Shell) -> None:
    environment = shell.environment(CERTUARY_HOME="/nowhere")
    home = str(shell.home)
    before = shell.run("--json", "--home", home, "group", "list", environment=environment)
    after = shell.run("group", "list", "--json", "--home", home, environment=environment)
    assert (
        json.loads(before.stdout)
        == json.loads(after.stdout)
        == [{"id": 1, "code": "GRP_001", "name": "Default", "seal": "holds"}]
    )


def test_an_error_is_json_too_and_stdout_stays_empty(shell: Shell) -> None:
    done = shell.run("application", "show", "nothing", "--json")
    assert (done.code, done.stdout) == (66, "")
    assert json.loads(done.stderr)["error"] == "not-found"


def test_an_exported_chain_verifies_the_exported_certificate(shell: Shell) -> None:
    shell.run("ca", "export", "--chain", "--out", "chain.pem")
    issuing, root = x509.load_pem_x509_certificates((shell.directory / "chain.pem").read_bytes())
    issuing.verify_directly_issued_by(root)
    assert x509.load_pem_x509_certificate(shell.run("ca", "export", "--root").stdout.encode()) == root
    (row,) = data(shell, "cert", "list")
    shell.run("cert", "export", row["serial"], "--format", "der", "--out", "leaf.der")
    x509.load_der_x509_certificate((shell.directory / "leaf.der").read_bytes()).verify_directly_issued_by(
        issuing
    )
    shell.run("ca", "export", "--chain", "--format", "p7b", "--out", "chain.p7b")
    loaded = pkcs7.load_der_pkcs7_certificates((shell.directory / "chain.p7b").read_bytes())
    assert {certificate.serial_number for certificate in loaded} == {
        issuing.serial_number,
        root.serial_number,
    }


def test_a_revoked_certificate_is_shown_as_revoked_and_revoked_once(shell: Shell) -> None:
    (row,) = data(shell, "cert", "list")
    done = shell.run("cert", "revoke", row["serial"].upper(), "--reason", "superseded")
    assert (done.code, done.stdout) == (0, f"revoked {row['serial']} (superseded)\n")
    shown = data(shell, "cert", "show", row["serial"])
    assert (shown["status"], shown["revocation_reason"]) == ("revoked", "superseded")
    again = shell.run("cert", "revoke", row["serial"])
    assert (again.code, "already-revoked" in again.stderr) == (65, True)
    events = data(shell, "audit", "list", "--kind", "certificate.revoked")
    assert [(event["actor"], event["target"]) for event in events] == [("admin", row["serial"])]


def test_certificates_are_listed_page_by_page(shell: Shell) -> None:
    shell.run("cert", "list")
    first = shell.run("cert", "list", "--limit", "1", "--json")
    assert len(json.loads(first.stdout)) == 1
    assert first.stderr == ""
    assert shell.run("cert", "list", "--after", "1").stdout.splitlines()[1:] == []


def test_the_audit_is_exported_whole_oldest_first_one_event_a_line(shell: Shell) -> None:
    shell.run("group", "add", "Plant")
    lines = [json.loads(line) for line in shell.run("audit", "export").stdout.splitlines()]
    assert [line["number"] for line in lines] == sorted(line["number"] for line in lines)
    assert lines[-1]["kind"] == "group.added"
    assert lines[-1]["detail"] == {"after": {"code": "GRP_002", "name": "Plant"}}
    later = shell.run("audit", "export", "--after", str(lines[-2]["number"])).stdout.splitlines()
    assert [json.loads(line) for line in later] == lines[-1:]
    of_one_command = shell.run("audit", "export", "--request-id", lines[-1]["request_id"]).stdout.splitlines()
    assert [json.loads(line) for line in of_one_command] == lines[-1:]


def test_no_generated_password_is_kept_anywhere(shell: Shell) -> None:
    password = data(shell, "application", "add", "line-1", "--username", "line-1")["password"]
    kept = b"".join(path.read_bytes() for path in shell.home.rglob("*") if path.is_file())
    assert password.encode() not in kept


@pytest.mark.parametrize("noun", NOUNS)
def test_there_is_help_at_every_level(noun: str, capsys: pytest.CaptureFixture[str]) -> None:
    verbs = help_of([noun], capsys)
    assert verbs or noun in ("init", "serve", "health")


def help_of(words: list[str], capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The commands that it lists, each of which has help of its own."""
    assert main([*words, "--help"]) == 0
    out = capsys.readouterr().out
    verbs = re.findall(r"(?m)^│ ([a-z]+)  ", out.partition("Commands")[2])
    for verb in verbs:
        help_of([*words, verb], capsys)
    assert verbs or "--home" in out
    return verbs


def test_wrong_usage_is_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["application", "nonsense"]) == 2
    assert main(["applicatoin"]) == 2
    assert "Did you mean 'application'" in capsys.readouterr().err
    assert main(["application", "add"]) == 2


def test_a_home_that_is_not_initialised_says_what_to_do(tmp_path: Path) -> None:
    done = new_shell(tmp_path / "shell").run("application", "list")
    assert (done.code, "run: certuary init --home" in done.stderr) == (78, True)


def test_an_unknown_setting_is_refused_with_the_nearest(shell: Shell) -> None:
    done = shell.run("group", "list", environment=shell.environment(CERTUARY_EST_PROT="1"))
    assert (done.code, "'est_port'" in done.stderr) == (78, True)


def test_what_nobody_expected_is_exit_code_70_and_tells_no_detail(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a secret path")

    monkeypatch.setattr("certuary.cli.group.with_seals", fail)
    assert main(["--home", str(shell.home), "group", "list"]) == 70
    told = capsys.readouterr()
    assert "secret" not in told.err + told.out
    monkeypatch.setenv("CERTUARY_LOG_LEVEL", "debug")
    assert main(["--home", str(shell.home), "group", "list"]) == 70
    assert "a secret path" in capsys.readouterr().err


def test_health_of_a_node_that_does_not_run_is_exit_code_75(shell: Shell) -> None:
    done = shell.run("health", "--status-port", "1", "--timeout", "2")
    assert (done.code, "is `certuary serve` running?" in done.stderr) == (75, True)


def test_names_from_certificates_cannot_steer_a_terminal(shell: Shell) -> None:
    with sqlite3.connect(shell.home / "certuary.db") as database:
        database.execute("UPDATE certificates SET subject = ?", ("CN=\x1b[2Jgone\n",))
    database.close()
    done = shell.run("cert", "list")
    assert "\x1b" not in done.stdout
    assert len(done.stdout.splitlines()) == 2


def test_the_process_that_serves_imports_no_django() -> None:
    code = "import sys, certuary.cli.main, certuary.cli.serve; print('django' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_serve_ends_with_inits_exit_code_when_the_home_cannot_be_made(tmp_path: Path) -> None:
    shell = new_shell(tmp_path / "shell")
    done = shell.run("serve", environment=shell.environment(CERTUARY_ORGANIZATION="x" * 65))
    assert (done.code, "an organization is" in done.stderr) == (65, True)


def test_the_version_is_that_of_the_package() -> None:
    done = subprocess.run([CERTUARY, "--version"], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"certuary \d+\.\d+\.\d+\n", done.stdout)


def sql_of_the_documentation() -> str:
    (script,) = re.findall(r"```sql\n(.*?)```", PROPERTIES.read_text(), re.DOTALL)
    return str(script)


RECORDED = "SELECT operation, property_key FROM property_changes ORDER BY id"
"""A node turns them into events, which the tests of the running server look at."""


def check_after_sql(shell: Shell, recorded: list[tuple[str, str]]) -> None:
    rows = {row["property_key"]: row for row in data(shell, "property", "list")}
    assert rows["est.ca.server.user.profile"]["property_value"] == "tls-device"
    assert "est.ca.server.cacerts.authentication" not in rows
    assert {operation for operation, _ in recorded} == {"changed", "removed"}
    assert recorded[-1] == ("removed", "est.ca.server.cacerts.authentication")


def test_the_sql_of_the_documentation_works_on_sqlite(shell: Shell) -> None:
    shell.run("property", "set", "est.ca.server.cacerts.authentication", "none")
    with sqlite3.connect(shell.home / "certuary.db") as database:
        database.executescript(sql_of_the_documentation())
        recorded = database.execute(RECORDED).fetchall()
    database.close()
    check_after_sql(shell, recorded)


def test_the_sql_of_the_documentation_works_on_postgresql(tmp_path: Path) -> None:
    import psycopg

    shell = new_shell(tmp_path / "shell")
    with PostgresServer.start() as server:
        url = server.create_database("certuary")
        assert shell.run("init", "--database-url", url).code == 0
        shell.run("property", "set", "est.ca.server.cacerts.authentication", "none")
        with psycopg.connect(url) as connection:
            connection.execute(sql_of_the_documentation().encode())
            recorded = connection.execute(RECORDED).fetchall()
        check_after_sql(shell, recorded)
