"""The lines of docs/api.md work when they are pasted in their order, as they stand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from tests.api_token import new_home, new_token
from tests.interop.checks import run
from tests.running_server import RunningServer, running_server
from tests.wire.portal.pages import PASSWORD

PAGE = Path(__file__).parents[2] / "docs" / "api.md"


@pytest.fixture(scope="module")
def pasted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory in which everything in the page's `sh` blocks was run."""
    home = new_home(tmp_path_factory.mktemp("api"))
    work = tmp_path_factory.mktemp("pasted")
    (work / "token.txt").write_text(new_token(home) + "\n")
    (work / "password.txt").write_text(PASSWORD + "\n")
    with running_server(home) as server:
        run("bash", "-euo", "pipefail", "-c", script(server), cwd=work)
        yield work


def script(server: RunningServer) -> str:
    text = "\n".join(re.findall(r"(?ms)^```sh\n(.*?)^```", PAGE.read_text()))
    for written, here in (
        ("root=~/.local/share/certuary/", f"root={server.home}/"),
        ("localhost:8444", f"localhost:{server.portal_port}"),
    ):
        assert written in text
        text = text.replace(written, here)
    return text


def test_the_page_registers_an_application_and_revokes_its_certificate(pasted: Path) -> None:
    made = json.loads((pasted / "routers.json").read_text())
    assert (made["networks"], made["profiles"]) == (["192.0.2.0/24"], ["tls-device"])
    assert (pasted / "routers.password").read_text().strip() not in ("", made["password"])
    ordered = json.loads((pasted / "router-7.json").read_text())
    device, *above = x509.load_pem_x509_certificates((pasted / "router-7.pem").read_bytes())
    assert f"{device.serial_number:x}" == ordered["serial"].lstrip("0")
    assert len(above) == 2
    assert (pasted / "router-7.p12").read_bytes()[:1] == b"\x30"


def test_the_page_tries_a_request_and_exports_the_audit_log(pasted: Path) -> None:
    assert json.loads((pasted / "dry-run.json").read_text())["granted"] is True
    kinds = [json.loads(line)["kind"] for line in (pasted / "audit.jsonl").read_text().splitlines()]
    assert kinds[0] == "application.removed"


def test_the_page_repeats_a_change_that_is_made_once(pasted: Path) -> None:
    first, second = ((pasted / f"attempt-{number}.headers").read_text().lower() for number in (1, 2))
    assert "idempotency-replayed: true" in second
    assert "idempotency-replayed" not in first
    assert first.splitlines()[0] == second.splitlines()[0]


def test_the_page_reads_every_page_and_an_error(pasted: Path) -> None:
    assert (pasted / "users.txt").read_text().splitlines() == ["admin"]
    assert json.loads((pasted / "problem.json").read_text())["rule"] == "not-found"


def test_the_page_leaves_its_secrets_to_their_owner(pasted: Path) -> None:
    for name in ("token.header", "sign.header", "routers.password"):
        assert (pasted / name).stat().st_mode & 0o077 == 0
