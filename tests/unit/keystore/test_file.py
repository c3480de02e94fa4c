"""The file store's own promises: what is on the disk, who may read it, what damage does."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path

import pytest

from certuary.errors import AlreadyExists, CertuaryError, ConfigError, KeyStoreDown
from certuary.keystore.envelope import ScryptCost
from certuary.keystore.file import (
    FileKeyStore,
    UnlockedKeys,
    create_key_store,
    passphrase_is_beside_keys,
    recorded_source,
)
from certuary.keystore.keys import key_from_der

FAST = ScryptCost(n=1024)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def keys(directory: Path) -> UnlockedKeys:
    keys = create_key_store(directory, environ={}, cost=FAST)
    keys.store().put_secret("pepper", b"salt and pepper")
    return keys


def _passphrase_file(path: Path, content: bytes = b"open sesame\n") -> Path:
    path.write_bytes(content)
    path.chmod(0o600)
    return path


def test_a_new_store_is_for_its_owner_alone(keys: UnlockedKeys, directory: Path) -> None:
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}
    assert modes == {"keystore.json": 0o600, "passphrase": 0o600, "pepper.key": 0o600}


def test_a_new_store_is_for_its_owner_alone_whatever_the_umask(directory: Path) -> None:
    before = os.umask(0)
    try:
        create_key_store(directory, environ={}, cost=FAST).store().put_secret("pepper", b"x")
    finally:
        os.umask(before)
    assert not any(path.stat().st_mode & 0o077 for path in (directory, *directory.iterdir()))


def test_nothing_secret_is_on_the_disk_in_the_clear(keys: UnlockedKeys, directory: Path) -> None:
    content = b"".join(path.read_bytes() for path in directory.iterdir())
    assert b"salt and pepper" not in content
    assert keys.master_key not in content
    assert not any(key in content for key in keys.role_keys(["root", "secret"]).values())


def test_unlocking_opens_what_was_stored(keys: UnlockedKeys, directory: Path) -> None:
    assert FileKeyStore.unlock(directory, {}).store().load_secret("pepper") == b"salt and pepper"


def test_role_keys_open_their_roles_in_a_process_without_the_passphrase(
    keys: UnlockedKeys, directory: Path
) -> None:
    (directory / "passphrase").unlink()
    role_keys = keys.role_keys(["secret"])
    assert set(role_keys) == {"secret"}
    worker = FileKeyStore.from_role_keys(directory, role_keys)
    assert worker.load_secret("pepper") == b"salt and pepper"
    with pytest.raises(KeyStoreDown):
        worker.load_key("issuing", role="issuing")


def test_with_roles_opens_fewer(keys: UnlockedKeys) -> None:
    with pytest.raises(KeyStoreDown):
        keys.store().with_roles(["tls"]).load_secret("pepper")


def test_the_text_of_unlocked_keys_shows_no_key(keys: UnlockedKeys) -> None:
    assert repr(keys.master_key) not in repr(keys)
    assert "master_key" not in str(keys)


def test_create_refuses_a_directory_with_a_store_and_leaves_it_alone(
    keys: UnlockedKeys, directory: Path
) -> None:
    with pytest.raises(AlreadyExists):
        create_key_store(directory, environ={}, cost=FAST)
    assert FileKeyStore.unlock(directory, {}).store().load_secret("pepper") == b"salt and pepper"


def test_create_refuses_keys_that_have_lost_their_index(keys: UnlockedKeys, directory: Path) -> None:
    (directory / "keystore.json").unlink()
    before = (directory / "passphrase").read_bytes()
    with pytest.raises(ConfigError, match="backup"):
        create_key_store(directory, environ={}, cost=FAST)
    assert (directory / "passphrase").read_bytes() == before


def test_create_takes_up_where_an_interrupted_one_left_only_a_passphrase(directory: Path) -> None:
    directory.mkdir(mode=0o700)
    _passphrase_file(directory / "passphrase")
    create_key_store(directory, environ={}, cost=FAST).store().put_secret("pepper", b"x")
    assert FileKeyStore.unlock(directory, {}).store().load_secret("pepper") == b"x"


def test_a_given_passphrase_file_is_recorded_and_nothing_lies_beside_the_keys(
    directory: Path, tmp_path: Path
) -> None:
    given = _passphrase_file(tmp_path / "passphrase-elsewhere")
    keys = create_key_store(directory, given, environ={}, cost=FAST)
    assert recorded_source(directory).value == str(given)
    assert not keys.passphrase_is_beside_keys
    assert not (directory / "passphrase").exists()
    assert FileKeyStore.unlock(directory, {}).master_key == keys.master_key


def test_a_passphrase_in_the_environment_is_recorded_as_such(directory: Path) -> None:
    environ = {"CERTUARY_PASSPHRASE": "open sesame"}
    create_key_store(directory, environ=environ, cost=FAST)
    assert FileKeyStore.unlock(directory, environ)
    with pytest.raises(ConfigError, match="CERTUARY_PASSPHRASE"):
        FileKeyStore.unlock(directory, {})


def test_a_made_up_passphrase_is_beside_the_keys_and_moves_with_them(
    keys: UnlockedKeys, directory: Path, tmp_path: Path
) -> None:
    moved = tmp_path / "elsewhere"
    directory.rename(moved)
    assert passphrase_is_beside_keys(moved)
    assert FileKeyStore.unlock(moved, {}).store().passphrase_is_beside_keys


def test_two_stores_have_different_passphrases_and_master_keys(tmp_path: Path) -> None:
    one, other = (create_key_store(tmp_path / name, environ={}, cost=FAST) for name in ("a", "b"))
    assert one.master_key != other.master_key
    assert (tmp_path / "a/passphrase").read_bytes() != (tmp_path / "b/passphrase").read_bytes()


def test_a_wrong_passphrase_is_refused_with_its_source(keys: UnlockedKeys, directory: Path) -> None:
    with pytest.raises(ConfigError, match="environment variable CERTUARY_PASSPHRASE does not open"):
        FileKeyStore.unlock(directory, {"CERTUARY_PASSPHRASE": "guess"})


def test_the_environments_file_goes_before_its_value_and_both_before_the_record(
    keys: UnlockedKeys, directory: Path, tmp_path: Path
) -> None:
    right = _passphrase_file(tmp_path / "right", (directory / "passphrase").read_bytes())
    wrong = _passphrase_file(tmp_path / "wrong")
    both = {"CERTUARY_PASSPHRASE_FILE": str(right), "CERTUARY_PASSPHRASE": "guess"}
    assert FileKeyStore.unlock(directory, both).source.value == str(right)
    with pytest.raises(ConfigError, match="wrong"):
        FileKeyStore.unlock(directory, {"CERTUARY_PASSPHRASE_FILE": str(wrong)})


@pytest.mark.parametrize(
    ("name", "mode", "command"),
    [
        (".", 0o750, "chmod 700"),
        ("keystore.json", 0o640, "chmod 600"),
        ("passphrase", 0o604, "chmod 600"),
        ("pepper.key", 0o666, "chmod 600"),
    ],
)
def test_lax_permissions_are_refused_with_the_line_that_mends_them(
    keys: UnlockedKeys, directory: Path, name: str, mode: int, command: str
) -> None:
    (directory / name).chmod(mode)
    with pytest.raises(ConfigError) as refused:
        FileKeyStore.unlock(directory, {}).store().load_secret("pepper")
    assert str(refused.value).endswith(f"run: {command} {directory / name}")


def test_the_line_that_mends_permissions_is_quoted_for_a_shell(tmp_path: Path) -> None:
    directory = tmp_path / "it's mine"
    create_key_store(directory, environ={}, cost=FAST)
    directory.chmod(0o755)
    with pytest.raises(ConfigError) as refused:
        FileKeyStore.unlock(directory, {})
    line = str(refused.value).partition("run: ")[2]
    assert os.system(line) == 0
    assert FileKeyStore.unlock(directory, {})


def test_a_missing_store_is_told_from_a_damaged_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="certuary init"):
        FileKeyStore.unlock(tmp_path / "keys", {})


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_an_index_cut_short_is_refused(keys: UnlockedKeys, directory: Path, share: float) -> None:
    path = directory / "keystore.json"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(KeyStoreDown, match="damaged"):
        FileKeyStore.unlock(directory, {})


def test_an_index_with_any_byte_changed_is_refused_or_still_right(
    keys: UnlockedKeys, directory: Path
) -> None:
    path = directory / "keystore.json"
    content = path.read_bytes()
    for position in range(len(content)):
        changed = bytearray(content)
        changed[position] ^= 0x01
        path.write_bytes(bytes(changed))
        try:
            found = FileKeyStore.unlock(directory, {}).master_key
        except (ConfigError, KeyStoreDown):
            continue
        assert found == keys.master_key


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"version": 2}, "form 2"),
        ({"scrypt": 5}, "damaged"),
        ({"nonce": 5}, "damaged"),
        ({"passphrase": {}}, "source"),
        ({"passphrase": "file"}, "source"),
        ({"passphrase": {"file": "a", "environment": "B"}}, "source"),
        ({"passphrase": {"keyboard": "a"}}, "source"),
        ({"passphrase": {"file": ""}}, "source"),
        ({"passphrase": {"file": "a", "made_here": 5}}, "source"),
    ],
)
def test_an_index_that_says_something_unknown_is_refused(
    keys: UnlockedKeys, directory: Path, change: dict[str, object], text: str
) -> None:
    path = directory / "keystore.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | change))
    with pytest.raises(KeyStoreDown, match=text):
        FileKeyStore.unlock(directory, {})


@pytest.mark.parametrize("length", [0, 5, 20, 40])
def test_a_key_file_cut_short_is_refused(keys: UnlockedKeys, directory: Path, length: int) -> None:
    path = directory / "pepper.key"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(KeyStoreDown):
        keys.store().load_secret("pepper")


def test_two_key_files_swapped_do_not_open(keys: UnlockedKeys, directory: Path) -> None:
    store = keys.store()
    for name, role in (("a", "issuing"), ("b", "issuing"), ("c", "tls")):
        store.generate_key(name, role=role, key_type="ec-p256")
    for one, other in (("a", "b"), ("a", "c")):
        shutil.copy(directory / f"{one}.key", directory / "saved")
        shutil.copy(directory / f"{other}.key", directory / f"{one}.key")
        with pytest.raises(KeyStoreDown):
            store.load_key(one, role="issuing")
        with pytest.raises(KeyStoreDown):
            store.load_key(one, role="tls")
        (directory / "saved").replace(directory / f"{one}.key")
    assert store.load_key("a", role="issuing")


def test_a_sealed_value_copied_to_a_keys_file_does_not_open(keys: UnlockedKeys, directory: Path) -> None:
    store = keys.store()
    store.generate_key("listener", role="tls", key_type="ec-p256")
    (directory / "listener.key").write_bytes(store.seal("listener", b"not this", role="tls"))
    with pytest.raises(KeyStoreDown):
        store.load_key("listener", role="tls")


def test_a_key_of_another_store_does_not_open(keys: UnlockedKeys, directory: Path, tmp_path: Path) -> None:
    other = create_key_store(tmp_path / "other", environ={}, cost=FAST)
    other.store().put_secret("pepper", b"x")
    shutil.copy(tmp_path / "other/pepper.key", directory / "pepper.key")
    with pytest.raises(KeyStoreDown):
        keys.store().load_secret("pepper")


def test_what_a_crash_left_half_written_is_no_key_and_is_swept_away(
    keys: UnlockedKeys, directory: Path
) -> None:
    leftover = directory / ".issuing.key.0123.tmp"
    leftover.write_bytes(b"half a")
    assert keys.store().names() == (("pepper", "secret"),)
    keys.store().put_secret("salt", b"x")
    assert not leftover.exists()


def test_a_full_disk_leaves_no_half_key(
    keys: UnlockedKeys, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(KeyStoreDown, match="No space left"):
        keys.store().put_secret("salt", b"x")
    monkeypatch.undo()
    assert keys.store().names() == (("pepper", "secret"),)
    assert sorted(path.name for path in directory.iterdir()) == ["keystore.json", "passphrase", "pepper.key"]


def test_a_directory_that_cannot_be_made_is_a_key_store_that_is_down(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(KeyStoreDown, match="cannot be made"):
        create_key_store(tmp_path / "file" / "keys", environ={}, cost=FAST)


def test_a_directory_that_went_away_is_reported(keys: UnlockedKeys, directory: Path) -> None:
    store = keys.store()
    shutil.rmtree(directory)
    for call in (store.names, lambda: store.load_secret("pepper"), lambda: store.put_secret("a", b"x")):
        with pytest.raises(CertuaryError, match=r"No such file|has no"):
            call()


def test_a_place_that_cannot_be_looked_at_is_a_key_store_that_is_down(tmp_path: Path) -> None:
    unreachable = tmp_path / ("a" * 300)
    with pytest.raises(KeyStoreDown, match="cannot be read"):
        FileKeyStore.unlock(unreachable, {})
    with pytest.raises(CertuaryError, match="cannot be"):
        FileKeyStore.from_role_keys(unreachable, {}).names()


def test_a_key_file_that_is_a_directory_is_reported(keys: UnlockedKeys, directory: Path) -> None:
    (directory / "odd.key").mkdir(mode=0o700)
    with pytest.raises(KeyStoreDown, match="cannot be read"):
        keys.store().load_secret("odd")


def test_a_key_that_cannot_sign_is_refused() -> None:
    from cryptography.hazmat.primitives.asymmetric import x25519
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    der = x25519.X25519PrivateKey.generate().private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(KeyStoreDown, match="cannot sign"):
        key_from_der(der, "odd")
