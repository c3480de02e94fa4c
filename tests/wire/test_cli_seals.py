"""Records altered by plain SQL, and what the commands say and do about them."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.wire.cli_process import Done, Shell

ALTER = "UPDATE applications SET networks = '[]' WHERE name = 'quickstart'"


def sql(shell: Shell, statement: str) -> None:
    with closing(sqlite3.connect(shell.home / "certuary.db")) as database, database:
        database.execute(statement)


def data(shell: Shell, *command: str) -> Any:
    done = shell.run(*command, "--json")
    assert done.code == 0, done.stderr
    return json.loads(done.stdout)


def verify(shell: Shell) -> tuple[int, list[dict[str, str]]]:
    done = shell.run("seal", "verify", "--json")
    return done.code, json.loads(done.stdout)


def refusal(done: Done) -> tuple[int, str]:
    return done.code, json.loads(done.stderr.splitlines()[-1])["error"]


def test_an_altered_record_is_told_everywhere_and_not_changed(shell: Shell) -> None:
    assert verify(shell) == (0, [])
    sql(shell, ALTER)
    code, (finding,) = verify(shell)
    assert code == 65
    assert (finding["kind"], finding["name"]) == ("application", "quickstart")
    assert "networks: not what 'admin' signed on" in finding["reason"]
    (row,) = data(shell, "application", "list")
    assert row["seal"] == f"broken: {finding['reason']}"
    shown = data(shell, "seal", "show", "application", "quickstart")
    assert shown["holds"] == f"no: {finding['reason']}"
    assert shown["statement"]["columns"]["networks"] == []
    assert refusal(shell.run("application", "disable", "quickstart", "--json")) == (65, "invalid-seal")


@pytest.mark.parametrize("value", ["x'00'", "'none'"])
def test_an_authority_whose_certificate_cannot_be_read_is_told_with_what_it_issued(
    shell: Shell, value: str
) -> None:
    sql(shell, f"UPDATE authorities SET certificate_der = {value} WHERE name = 'issuing'")
    code, findings = verify(shell)
    assert code == 65
    assert ("authority", "issuing") in [(one["kind"], one["name"]) for one in findings]


def test_a_record_that_was_shown_is_signed_and_another_is_not(shell: Shell) -> None:
    sql(shell, ALTER)
    digest = data(shell, "seal", "show", "application", "quickstart")["digest"]
    sql(shell, ALTER.replace("networks = '[]'", "enabled = FALSE"))
    sign = ("seal", "sign", "application", "quickstart", "--digest")
    assert refusal(shell.run(*sign, digest, "--json")) == (65, "conflict")
    digest = data(shell, "seal", "show", "application", "quickstart")["digest"]
    assert data(shell, *sign, digest) == {"signed": "quickstart", "kind": "application"}
    assert verify(shell) == (0, [])
    event = data(shell, "audit", "list", "--kind", "application.adopted")[0]
    assert (event["actor"], event["target"]) == ("admin", "application:quickstart")


def test_a_row_that_is_gone_is_missed_until_it_is_forgotten(shell: Shell) -> None:
    sql(shell, "DELETE FROM applications")
    code, (finding,) = verify(shell)
    assert (code, finding["name"]) == (65, "quickstart")
    (row,) = data(shell, "application", "list")
    assert row["seal"].startswith("broken: its row is gone")
    assert data(shell, "seal", "forget", "application", "quickstart") == {
        "forgotten": "quickstart",
        "kind": "application",
    }
    assert verify(shell) == (0, [])


def test_an_altered_administrator_signs_nothing_and_is_recovered_with_the_passphrase(
    shell: Shell, tmp_path: Path
) -> None:
    sql(shell, "UPDATE users SET group_ids = '[9]'")
    assert refusal(shell.run("group", "add", "Plant", "--json")) == (77, "not-authenticated")
    event = data(shell, "audit", "list", "--kind", "user.refused")[0]
    assert "group_ids: not what 'admin' signed" in event["detail"]["reason"]
    recovered = data(shell, "user", "recover", "admin")
    password = tmp_path / "new"
    password.write_text(recovered["password"])
    password.chmod(0o600)
    environment = shell.environment(CERTUARY_ADMIN_PASSWORD_FILE=str(password))
    assert shell.run("group", "add", "Plant", environment=environment).code == 0
    event = data(shell, "audit", "list", "--kind", "user.recovered")[0]
    assert (event["actor_kind"], event["actor"]) == ("system", "key store")


def test_a_backup_that_was_restored_takes_accepting(shell: Shell) -> None:
    database, backup = shell.home / "certuary.db", shell.directory / "backup.db"
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(backup)) as target:
        source.backup(target)
    assert shell.run("group", "add", "Plant").code == 0
    for name in ("certuary.db-wal", "certuary.db-shm"):
        (shell.home / name).unlink(missing_ok=True)
    shutil.copy(backup, database)
    assert refusal(shell.run("seal", "verify", "--json")) == (65, "rollback")
    assert refusal(shell.run("group", "add", "Other", "--json")) == (65, "rollback")
    (row,) = data(shell, "application", "list")
    assert row["seal"].startswith("broken: the records were set back")
    accepted = data(shell, "seal", "accept-rollback")
    assert accepted["left_out"] == []
    assert accepted["sequence"] == accepted["replaced"] + 1
    assert verify(shell) == (0, [])
    assert data(shell, "audit", "list", "--kind", "seal.rollback_accepted")[0]["actor"] == "admin"
    assert shell.run("group", "add", "Other").code == 0


def test_a_lost_manifest_is_made_anew_of_what_was_signed(shell: Shell) -> None:
    sql(shell, ALTER)
    sql(shell, "DELETE FROM manifest")
    accepted = shell.run("seal", "accept-rollback")
    assert accepted.code == 0
    assert "warning: application 'quickstart' is left out: " in accepted.stderr
    code, (finding,) = verify(shell)
    assert (code, finding["name"]) == (65, "quickstart")


def test_a_home_without_the_pinned_keys_says_what_to_copy(shell: Shell) -> None:
    (shell.home / "keys" / "trust.json").unlink()
    done = shell.run("seal", "verify")
    assert (done.code, "copy the directory of the keys whole" in done.stderr) == (78, True)


# The only certificate of a new home is the listener's own: with a mark that holds, it becomes the application's.
_HAND_OVER = """
import sys
from dataclasses import replace
from pathlib import Path
from certuary.server.config import load_settings
from certuary.server.wiring import home_marker, open_store, unlock_keys
settings = load_settings(Path(sys.argv[1]))
application = open_store(settings).records.find("application", name="quickstart")
from certuary.store.certificate_rows import from_model
from certuary.store.models import Certificate
(row,) = Certificate.objects.all()
mark = home_marker(settings, unlock_keys(settings)).certificate(
    replace(from_model(row), application_id=application.id)
)
Certificate.objects.update(application_id=application.id, mark=mark)
"""


def test_a_certificate_of_an_altered_application_is_revoked(shell: Shell) -> None:
    subprocess.run([sys.executable, "-c", _HAND_OVER, shell.home], env=shell.environment(), check=True)
    sql(shell, ALTER)
    (row,) = data(shell, "cert", "list", "--application", "quickstart")
    revoked = data(shell, "cert", "revoke", row["serial"], "--reason", "keyCompromise")
    assert (revoked["status"], revoked["application"]) == ("revoked", "quickstart")
