from __future__ import annotations

import stat
from pathlib import Path

import pytest

from certuary.errors import ConfigError
from certuary.services.first_start import (
    FirstStart,
    chain_path,
    first_start_path,
    first_start_text,
    forget_secrets,
    is_initialised,
    netrc_path,
    write_file,
    write_secrets,
)


def first(home: Path, admin_password: str | None = "admin-secret") -> FirstStart:
    return FirstStart(
        home=home,
        est_url="https://localhost:8443/.well-known/est",
        portal_url="https://localhost:8444/",
        admin_name="admin",
        admin_password=admin_password,
        username="quickstart",
        password="app-secret",
    )


def test_both_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    write_secrets(first(tmp_path))
    for path in (first_start_path(tmp_path), netrc_path(tmp_path)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_text_says_where_the_portal_is_and_that_a_first_password_is_replaced_there(
    tmp_path: Path,
) -> None:
    text = first_start_text(first(tmp_path))
    assert "https://localhost:8444/" in text
    assert "must be replaced" in text
    assert "must be replaced" not in first_start_text(first(tmp_path, admin_password=None))


def test_netrc_names_the_host_and_not_the_port(tmp_path: Path) -> None:
    write_secrets(first(tmp_path))
    assert netrc_path(tmp_path).read_text() == "machine localhost login quickstart password app-secret\n"


def test_the_text_holds_the_passwords_and_no_command_line_does(tmp_path: Path) -> None:
    lines = first_start_text(first(tmp_path)).splitlines()
    assert any("admin-secret" in line for line in lines)
    commands = [line for line in lines if line.startswith(("curl", "openssl", "certuary"))]
    assert len(commands) == 7
    assert not any("secret" in line.replace("--forget-secrets", "") for line in commands)
    assert not any(" -u " in line for line in commands)


def test_a_password_that_was_brought_is_not_repeated(tmp_path: Path) -> None:
    assert "(the one you gave)" in first_start_text(first(tmp_path, admin_password=None))


def test_a_home_with_blanks_in_its_name_is_quoted_for_the_shell() -> None:
    text = first_start_text(first(Path("/srv/my ca")))
    assert "--cacert '/srv/my ca/root.pem'" in text
    assert "--netrc-file '/srv/my ca/quickstart.netrc'" in text
    assert "--home '/srv/my ca' --forget-secrets" in text


def test_the_values_repr_shows_no_password(tmp_path: Path) -> None:
    assert "secret" not in repr(first(tmp_path))


def test_forgetting_deletes_both_files_and_says_which_were_there(tmp_path: Path) -> None:
    write_secrets(first(tmp_path))
    assert forget_secrets(tmp_path) == (first_start_path(tmp_path), netrc_path(tmp_path))
    assert list(tmp_path.iterdir()) == []
    assert forget_secrets(tmp_path) == ()


def test_a_secret_that_cannot_be_deleted_is_not_forgotten_silently(tmp_path: Path) -> None:
    first_start_path(tmp_path).mkdir()
    with pytest.raises(ConfigError, match="cannot be deleted"):
        forget_secrets(tmp_path)


def test_a_file_that_cannot_be_written_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        write_file(tmp_path / "missing" / "file", b"")


def test_a_home_is_initialised_when_it_has_its_chain(tmp_path: Path) -> None:
    assert not is_initialised(tmp_path)
    write_file(chain_path(tmp_path), b"", mode=0o644)
    assert is_initialised(tmp_path)
