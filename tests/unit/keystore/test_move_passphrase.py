"""Moving the passphrase: done wholly or not at all, and the store opens after a crash at any system call."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from certuary.errors import ConfigError
from certuary.keystore.envelope import ScryptCost
from certuary.keystore.file import FileKeyStore, create_key_store, recorded_source
from certuary.keystore.move_passphrase import move_to_file, move_to_systemd_credential

CRASHED = 99

# Stands in for systemd's program: its "encryption" is a prefix. What it was asked goes to a log.
FAKE_SYSTEMD_CREDS = """\
#!{python}
import pathlib, sys
log = pathlib.Path(__file__).with_name("asked")
with log.open("a") as file:
    file.write(" ".join(sys.argv[1:]) + "\\n")
verb, name, given, _out = sys.argv[1:]
content = sys.stdin.buffer.read() if given == "-" else pathlib.Path(given).read_bytes()
if verb == "encrypt":
    sys.stdout.buffer.write(b"sealed:" + content)
elif content.startswith(b"sealed:"):
    sys.stdout.buffer.write(content.removeprefix(b"sealed:"))
else:
    sys.exit("Failed to decrypt: bad message")
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    keys = create_key_store(tmp_path / "keys", environ={}, cost=ScryptCost(n=1024))
    keys.store().put_secret("pepper", b"salt and pepper")
    return tmp_path / "keys"


@pytest.fixture
def systemd_creds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Puts a stand-in for systemd-creds first on PATH; the file `asked` beside it logs the calls."""
    programs = tmp_path / "programs"
    programs.mkdir()
    program = programs / "systemd-creds"
    program.write_text(FAKE_SYSTEMD_CREDS.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    return programs


def _secret(directory: Path, environ: dict[str, str] | None = None) -> bytes:
    return FileKeyStore.unlock(directory, environ or {}).store().load_secret("pepper")


def _private_file(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    path.chmod(0o600)
    return path


def test_a_move_writes_a_new_passphrase_records_it_and_removes_the_old(
    directory: Path, tmp_path: Path
) -> None:
    old = (directory / "passphrase").read_bytes()
    moved = move_to_file(directory, tmp_path / "safe" / "passphrase", environ={})
    assert moved.notes == ()
    assert not (directory / "passphrase").exists()
    new = (tmp_path / "safe" / "passphrase").read_bytes()
    assert new != old
    assert (tmp_path / "safe" / "passphrase").stat().st_mode & 0o777 == 0o600
    assert _secret(directory) == b"salt and pepper"
    assert not FileKeyStore.unlock(directory, {}).passphrase_is_beside_keys


def test_the_old_passphrase_opens_nothing_any_more(directory: Path, tmp_path: Path) -> None:
    old = _private_file(tmp_path / "old", (directory / "passphrase").read_bytes())
    move_to_file(directory, tmp_path / "new", environ={})
    with pytest.raises(ConfigError, match="does not open"):
        FileKeyStore.unlock(directory, {"CERTUARY_PASSPHRASE_FILE": str(old)})


def test_a_move_touches_no_key_file(directory: Path, tmp_path: Path) -> None:
    before = (directory / "pepper.key").read_bytes()
    move_to_file(directory, tmp_path / "new", environ={})
    assert (directory / "pepper.key").read_bytes() == before


def test_a_file_that_exists_brings_the_passphrase(directory: Path, tmp_path: Path) -> None:
    brought = _private_file(tmp_path / "brought", b"correct horse\n")
    move_to_file(directory, brought, environ={})
    assert brought.read_bytes() == b"correct horse\n"
    assert _secret(directory, {"CERTUARY_PASSPHRASE": "correct horse"}) == b"salt and pepper"


def test_a_brought_file_stays_when_the_passphrase_moves_on(directory: Path, tmp_path: Path) -> None:
    brought = _private_file(tmp_path / "brought", b"correct horse\n")
    move_to_file(directory, brought, environ={})
    moved = move_to_file(directory, tmp_path / "new", environ={})
    assert brought.exists()
    assert any(str(brought) in note for note in moved.notes)
    assert _secret(directory) == b"salt and pepper"


def test_a_file_we_made_goes_when_the_passphrase_moves_on(directory: Path, tmp_path: Path) -> None:
    move_to_file(directory, tmp_path / "first", environ={})
    move_to_file(directory, tmp_path / "second", environ={})
    assert not (tmp_path / "first").exists()
    assert _secret(directory) == b"salt and pepper"


@pytest.mark.parametrize("content", [b"", b"two\nlines\n"])
def test_a_file_that_is_no_passphrase_changes_nothing(
    directory: Path, tmp_path: Path, content: bytes
) -> None:
    target = _private_file(tmp_path / "target", content)
    with pytest.raises(ConfigError):
        move_to_file(directory, target, environ={})
    assert (directory / "passphrase").exists()
    assert _secret(directory) == b"salt and pepper"


def test_a_file_open_to_others_is_refused_as_a_target(directory: Path, tmp_path: Path) -> None:
    target = _private_file(tmp_path / "target", b"correct horse\n")
    target.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        move_to_file(directory, target, environ={})
    assert _secret(directory) == b"salt and pepper"


def test_beside_the_keys_is_no_place_to_move_to(directory: Path) -> None:
    with pytest.raises(ConfigError, match="beside the keys"):
        move_to_file(directory, directory / "other", environ={})


def test_moving_to_where_it_is_already_is_refused(directory: Path, tmp_path: Path) -> None:
    move_to_file(directory, tmp_path / "new", environ={})
    with pytest.raises(ConfigError, match="already"):
        move_to_file(directory, tmp_path / "new", environ={})
    assert _secret(directory) == b"salt and pepper"


def test_a_target_that_cannot_be_written_changes_nothing(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be written"):
        move_to_file(directory, tmp_path / "file" / "passphrase", environ={})
    assert _secret(directory) == b"salt and pepper"


def test_a_wrong_passphrase_moves_nothing(directory: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        move_to_file(directory, tmp_path / "new", environ={"CERTUARY_PASSPHRASE": "guess"})
    assert not (tmp_path / "new").exists()
    assert _secret(directory) == b"salt and pepper"


def test_an_environment_that_would_go_before_the_new_source_is_pointed_out(
    directory: Path, tmp_path: Path
) -> None:
    environ = {"CERTUARY_PASSPHRASE": (directory / "passphrase").read_text().strip()}
    moved = move_to_file(directory, tmp_path / "new", environ=environ)
    assert any("CERTUARY_PASSPHRASE" in note and "unset" in note for note in moved.notes)


def test_a_passphrase_from_the_environment_moves_to_a_file(tmp_path: Path) -> None:
    environ = {"CERTUARY_PASSPHRASE": "open sesame"}
    create_key_store(tmp_path / "keys", environ=environ, cost=ScryptCost(n=1024))
    moved = move_to_file(tmp_path / "keys", tmp_path / "new", environ=environ)
    assert any("not needed any more" in note for note in moved.notes)
    assert FileKeyStore.unlock(tmp_path / "keys", {})


def test_an_old_file_that_cannot_be_removed_is_pointed_out(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    moved = move_to_file(directory, tmp_path / "new", environ={})
    monkeypatch.undo()
    assert any("could not be removed" in note for note in moved.notes)
    assert _secret(directory) == b"salt and pepper"


def _crash_at(call_number: int, *, before: bool, action: Callable[[], object]) -> bool:
    """Run `action` in a child that dies, without any clean-up, around its n-th call that touches the disk.

    False when the action ended before it came to that call.
    """
    child = os.fork()
    if child == 0:
        calls = 0

        def dying(call: Callable[..., Any]) -> Callable[..., Any]:
            def counted(*args: Any, **kwargs: Any) -> Any:
                nonlocal calls
                calls += 1
                mine = calls == call_number
                if mine and before:
                    os._exit(CRASHED)
                result = call(*args, **kwargs)
                if mine:
                    os._exit(CRASHED)
                return result

            return counted

        for name in ("open", "fsync", "replace", "unlink", "mkdir", "fchmod"):
            setattr(os, name, dying(getattr(os, name)))
        try:
            action()
        except BaseException:
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, CRASHED), "the child failed by itself"
    return code == CRASHED


@pytest.mark.parametrize("before", [True, False])
def test_the_store_opens_after_a_crash_at_any_moment_and_the_command_can_be_repeated(
    tmp_path: Path, before: bool
) -> None:
    crashes = 0
    while True:
        home = tmp_path / f"{crashes}"
        directory, target = home / "keys", home / "safe" / "passphrase"
        keys = create_key_store(directory, environ={}, cost=ScryptCost(n=1024))
        keys.store().put_secret("pepper", b"salt and pepper")
        move = partial(move_to_file, directory, target, environ={})
        crashed = _crash_at(crashes + 1, before=before, action=move)
        assert _secret(directory) == b"salt and pepper"
        if not crashed:
            break
        crashes += 1
        if recorded_source(directory).value != str(target) or (directory / "passphrase").exists():
            move_to_file(directory, target, environ={})
        assert _secret(directory) == b"salt and pepper"
        assert not (directory / "passphrase").exists()
        assert recorded_source(directory).value == str(target)
    assert crashes >= 12


def test_a_move_to_systemd_encrypts_reads_back_and_names_the_units_line(
    directory: Path, tmp_path: Path, systemd_creds: Path
) -> None:
    credential_file = tmp_path / "store" / "certuary-passphrase"
    moved = move_to_systemd_credential(directory, credential_file=credential_file, environ={})
    assert (systemd_creds / "asked").read_text().splitlines() == [
        "encrypt --name=certuary-passphrase - -",
        f"decrypt --name=certuary-passphrase {credential_file} -",
    ]
    assert f"LoadCredentialEncrypted=certuary-passphrase:{credential_file}" in moved.notes[0]
    assert not (directory / "passphrase").exists()

    run = tmp_path / "run"
    run.mkdir()
    (run / "certuary-passphrase").write_bytes(credential_file.read_bytes().removeprefix(b"sealed:"))
    assert _secret(directory, {"CREDENTIALS_DIRECTORY": str(run)}) == b"salt and pepper"


def test_a_credential_that_an_interrupted_move_left_is_used(
    directory: Path, tmp_path: Path, systemd_creds: Path
) -> None:
    credential_file = _private_file(tmp_path / "certuary-passphrase", b"sealed:correct horse")
    move_to_systemd_credential(directory, credential_file=credential_file, environ={})
    assert _secret(directory, {"CERTUARY_PASSPHRASE": "correct horse"}) == b"salt and pepper"


def test_a_credential_that_does_not_decrypt_changes_nothing(
    directory: Path, tmp_path: Path, systemd_creds: Path
) -> None:
    credential_file = _private_file(tmp_path / "certuary-passphrase", b"of another machine")
    with pytest.raises(ConfigError, match="Failed to decrypt: bad message"):
        move_to_systemd_credential(directory, credential_file=credential_file, environ={})
    assert _secret(directory) == b"salt and pepper"


def test_a_credential_is_not_changed_in_place(directory: Path, tmp_path: Path, systemd_creds: Path) -> None:
    credential_file = tmp_path / "certuary-passphrase"
    move_to_systemd_credential(directory, credential_file=credential_file, environ={})
    with pytest.raises(ConfigError, match="--to FILE"):
        move_to_systemd_credential(directory, credential_file=credential_file, environ={})


def test_a_passphrase_moves_from_a_credential_to_a_file(
    directory: Path, tmp_path: Path, systemd_creds: Path
) -> None:
    credential_file = tmp_path / "certuary-passphrase"
    move_to_systemd_credential(directory, credential_file=credential_file, environ={})
    credential_file.write_bytes(credential_file.read_bytes().removeprefix(b"sealed:"))
    moved = move_to_file(directory, tmp_path / "new", environ={"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert any("credential" in note for note in moved.notes)
    assert credential_file.exists()
    assert _secret(directory) == b"salt and pepper"


def test_a_missing_systemd_creds_is_named_with_the_package(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="apt-get install systemd"):
        move_to_systemd_credential(directory, credential_file=tmp_path / "c", environ={})
    assert _secret(directory) == b"salt and pepper"
