from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from certuary.errors import ConfigError, Conflict
from certuary.keystore.memory import MemoryKeyStore
from certuary.services.create_trust import create_trust
from certuary.services.signing_key import open_operator_keys
from certuary.services.trust import (
    AUDIT_NAME,
    AUDIT_ROLE,
    MANIFEST_NAME,
    MARK_NAME,
    MARK_ROLE,
    OPERATOR_ROLE,
    Trust,
    check_trust,
    read_trust,
    trust_path,
)
from tests.memory_records import INSTANCE, NOW


@pytest.fixture
def keys() -> MemoryKeyStore:
    return MemoryKeyStore()


def create(keys: MemoryKeyStore, directory: Path, instance: str = INSTANCE) -> Trust:
    return create_trust(keys, directory, instance=instance, now=NOW)


def test_the_file_holds_the_public_halves_of_the_keys(keys: MemoryKeyStore, tmp_path: Path) -> None:
    trust = create(keys, tmp_path)
    assert read_trust(tmp_path) == trust
    check_trust(trust, keys)
    manifest = keys.load_key(MANIFEST_NAME, role=OPERATOR_ROLE)
    assert manifest.public_key() == trust.manifest_key
    assert len(keys.load_secret(MARK_NAME, role=MARK_ROLE)) == 32
    assert len(keys.load_secret(AUDIT_NAME, role=AUDIT_ROLE)) == 32
    assert trust_path(tmp_path).stat().st_mode & 0o077 == 0


def test_a_second_creation_takes_up_what_there_is(keys: MemoryKeyStore, tmp_path: Path) -> None:
    trust = create(keys, tmp_path)
    assert create(keys, tmp_path) == trust
    trust_path(tmp_path).unlink()
    again = create(keys, tmp_path)
    assert again.manifest_key == trust.manifest_key
    assert open_operator_keys(keys, again).trust is again


def test_the_keys_of_another_database_are_not_taken(keys: MemoryKeyStore, tmp_path: Path) -> None:
    create(keys, tmp_path)
    with pytest.raises(Conflict, match="belong to another database"):
        create(keys, tmp_path, instance="another")


def test_a_home_without_the_file_is_told_what_to_copy(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="copy the directory of the keys whole"):
        read_trust(tmp_path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    trust_path(tmp_path).mkdir()
    with pytest.raises(ConfigError, match=r"trust\.json cannot be read"):
        read_trust(tmp_path)


def altered(text: str, **changes: object) -> str:
    return json.dumps({**json.loads(text), **changes})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"version": 2}, "of another release"),
        ({"operator_certificate": "AAAA"}, "damaged"),
        ({"manifest_key": "AAAA"}, "damaged"),
        ({"checkpoint_key": None}, "damaged"),
    ],
)
def test_a_damaged_file_is_a_configuration_error(
    changes: dict[str, object], reason: str, keys: MemoryKeyStore, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=reason) as refused:
        Trust.from_text(altered(create(keys, tmp_path).to_text(), **changes))
    assert refused.value.rule == "trust"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}"])
def test_a_text_that_is_none_is_a_configuration_error(text: str) -> None:
    with pytest.raises(ConfigError, match="damaged"):
        Trust.from_text(text)


def test_a_key_of_another_algorithm_is_damage(keys: MemoryKeyStore, tmp_path: Path) -> None:
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    spki = base64.b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
    with pytest.raises(ConfigError, match="damaged"):
        Trust.from_text(altered(create(keys, tmp_path).to_text(), manifest_key=spki))


@pytest.mark.parametrize("half", ["manifest_key", "checkpoint_key"])
def test_a_file_that_pins_another_key_is_refused(half: str, keys: MemoryKeyStore, tmp_path: Path) -> None:
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    trust = replace(create(keys, tmp_path), **{half: other})  # type: ignore[arg-type]  # by name
    with pytest.raises(ConfigError, match="names another key"):
        check_trust(trust, keys)


def test_a_file_of_other_keys_is_refused(keys: MemoryKeyStore, tmp_path: Path) -> None:
    create(keys, tmp_path)
    other = MemoryKeyStore()
    (tmp_path / "other").mkdir()
    create(other, tmp_path / "other")
    with pytest.raises(ConfigError, match="names another key 'operator'"):
        check_trust(read_trust(tmp_path), other)
