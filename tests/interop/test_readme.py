"""The README's enrolments work when they are pasted in their order, as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.interop.checks import load, run
from tests.running_server import RunningServer

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture
def pasted(server: RunningServer, tmp_path: Path) -> Path:
    """The directory in which everything in the README's `sh` blocks was run."""
    blocks = re.findall(r"(?ms)^```sh\n(.*?)^```", README.read_text())
    script = "\n".join(blocks)
    for written, here in (
        ("home=~/.local/share/certuary\n", f"home={server.home}\n"),
        ("localhost:8443", f"localhost:{server.est_port}"),
    ):
        assert written in script
        script = script.replace(written, here)
    run("bash", "-euo", "pipefail", "-c", script, cwd=tmp_path)
    return tmp_path


def test_the_readme_enrols_and_renews_with_curl_and_with_strongswan(pasted: Path) -> None:
    for first, renewed in (("device.pem", "renewed.pem"), ("moon.pem", "moon-renewed.pem")):
        (before,), (after,) = load(pasted / first), load(pasted / renewed)
        assert before.subject == after.subject
        assert before.public_key() == after.public_key()
        assert before.serial_number != after.serial_number


def test_the_readme_leaves_the_password_to_its_owner(pasted: Path) -> None:
    assert (pasted / "est.opt").stat().st_mode & 0o077 == 0
