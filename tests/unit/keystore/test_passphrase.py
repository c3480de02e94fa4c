"""Reading a passphrase: one line, from the place recorded, with a way out in each refusal."""

from __future__ import annotations

from pathlib import Path

import pytest

from certuary.errors import ConfigError
from certuary.keystore.passphrase import (
    PassphraseSource,
    file_source,
    generate_passphrase,
    is_beside_keys,
    read_passphrase,
)

CREDENTIAL = PassphraseSource(kind="credential", value="certuary-passphrase")
VARIABLE = PassphraseSource(kind="environment", value="CERTUARY_PASSPHRASE")


def _file(path: Path, content: bytes) -> PassphraseSource:
    path.write_bytes(content)
    path.chmod(0o600)
    return file_source(path)


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n"])
def test_the_line_break_at_the_end_does_not_count(tmp_path: Path, end: bytes) -> None:
    source = _file(tmp_path / "p", b" open sesame " + end)
    assert read_passphrase(source, tmp_path, {}) == b" open sesame "


@pytest.mark.parametrize("content", [b"", b"\n", b"two\nlines", b"nul\0", b"x" * 4097])
def test_a_file_without_one_passphrase_is_refused(tmp_path: Path, content: bytes) -> None:
    source = _file(tmp_path / "p", content)
    with pytest.raises(ConfigError):
        read_passphrase(source, tmp_path, {})


def test_a_relative_path_starts_at_the_keys(tmp_path: Path) -> None:
    _file(tmp_path / "passphrase", b"open sesame")
    source = PassphraseSource(kind="file", value="passphrase")
    assert read_passphrase(source, tmp_path, {}) == b"open sesame"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        read_passphrase(file_source(tmp_path / "nowhere"), tmp_path, {})


def test_a_directory_is_no_passphrase(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir(mode=0o700)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_passphrase(file_source(tmp_path / "d"), tmp_path, {})


def test_a_variable_is_read_as_its_octets(tmp_path: Path) -> None:
    odd = b"caf\xe9".decode("utf-8", "surrogateescape")
    assert read_passphrase(VARIABLE, tmp_path, {"CERTUARY_PASSPHRASE": odd}) == b"caf\xe9"


def test_an_unset_variable_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="environment variable CERTUARY_PASSPHRASE"):
        read_passphrase(VARIABLE, tmp_path, {})


def test_a_credential_is_read_from_its_directory_whatever_its_mode(tmp_path: Path) -> None:
    (tmp_path / "certuary-passphrase").write_bytes(b"open sesame\n")
    (tmp_path / "certuary-passphrase").chmod(0o440)
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert read_passphrase(CREDENTIAL, tmp_path, environ) == b"open sesame"


def test_without_a_credential_the_way_out_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="LoadCredentialEncrypted=certuary-passphrase"):
        read_passphrase(CREDENTIAL, tmp_path, {})
    with pytest.raises(ConfigError, match="cannot be read"):
        read_passphrase(CREDENTIAL, tmp_path, {"CREDENTIALS_DIRECTORY": str(tmp_path)})


def test_beside_the_keys_is_anywhere_in_their_directory(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    (tmp_path / "link").symlink_to(keys / "passphrase")
    assert is_beside_keys(PassphraseSource(kind="file", value="passphrase"), keys)
    assert is_beside_keys(file_source(keys / "deeper" / "p"), keys)
    assert is_beside_keys(file_source(tmp_path / "link"), keys)
    assert not is_beside_keys(file_source(tmp_path / "keys-passphrase"), keys)
    assert not is_beside_keys(VARIABLE, keys)


def test_a_made_up_passphrase_has_256_bits_and_is_one_line() -> None:
    made = {generate_passphrase() for _ in range(50)}
    assert len(made) == 50
    assert all(len(passphrase) >= 43 and b"\n" not in passphrase for passphrase in made)


@pytest.mark.parametrize("source", [CREDENTIAL, VARIABLE, file_source(Path("/p"), made_here=True)])
def test_a_source_survives_its_json(source: PassphraseSource) -> None:
    assert PassphraseSource.from_json(source.to_json()) == source
