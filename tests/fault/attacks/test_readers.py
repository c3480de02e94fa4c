"""Somebody who can read the whole database, and not the key store, gets nothing to guess passwords by."""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from certuary.server.config import load_settings
from certuary.server.wiring import unlock_keys
from certuary.services.passwords import PEPPER_NAME, Passwords
from certuary.services.signing_key import unwrap
from tests.fault.attacks.scene import Scene, Stage

RIGHT_PASSWORD = "secret of anna, which nobody guesses"


def test_a_right_guess_at_a_password_does_not_show_without_the_pepper(stage: Stage) -> None:
    for scene in stage.scenes:
        ((password_hash,),) = scene.query("SELECT password_hash FROM copy_users WHERE name = 'anna'")
        with pytest.raises(VerifyMismatchError):
            PasswordHasher().verify(password_hash, RIGHT_PASSWORD)
        for wrong_pepper in (b"", bytes(32)):
            guess = hmac.digest(wrong_pepper, RIGHT_PASSWORD.encode(), "sha256")
            with pytest.raises(VerifyMismatchError):
                PasswordHasher().verify(password_hash, guess)
        assert Passwords(pepper(scene)).verify(password_hash, RIGHT_PASSWORD)


def test_a_right_guess_at_a_password_opens_no_signing_key_without_the_pepper(stage: Stage) -> None:
    for scene in stage.scenes:
        wrapped, key = signing_key(scene)
        octets = base64.b64decode(wrapped)
        salt, nonce, sealed = octets[1:17], octets[17:29], octets[29:]
        stretched = hash_secret_raw(RIGHT_PASSWORD.encode(), salt, 2, 19 * 1024, 1, 32, Type.ID)
        for wrong_pepper in (None, b"", bytes(32)):
            derived = HKDF(SHA256(), 32, wrong_pepper, b"certuary signing key 1:anna").derive(stretched)
            for tried in (stretched, derived):
                with pytest.raises(InvalidTag):
                    AESGCM(tried).decrypt(nonce, sealed, b"\x01anna")
        assert key.curve.name == "secp256r1"


def test_the_database_holds_no_password_no_pepper_and_no_private_key(stage: Stage) -> None:
    for scene in stage.scenes:
        _, key = signing_key(scene)
        scalar = key.private_numbers().private_value.to_bytes(32, "big")
        secrets = [pepper(scene), scalar, *(word.encode() for word in scene.passwords.values())]
        secrets += [RIGHT_PASSWORD.encode(), scene.commands.password_file.read_bytes().strip()]
        held = everything(scene)
        for secret in secrets:
            for form in forms(secret):
                assert form not in held, form


def forms(secret: bytes) -> tuple[bytes, ...]:
    digest = hashlib.sha256(secret).digest()
    return (
        secret,
        secret.hex().encode(),
        base64.b64encode(secret).rstrip(b"="),
        digest,
        digest.hex().encode(),
        base64.b64encode(digest).rstrip(b"="),
    )


def everything(scene: Scene) -> bytes:
    """Every value of every table, as bytes and as text."""
    if scene.is_sqlite:
        names = scene.query("SELECT name FROM sqlite_master WHERE type = 'table'")
        files = Path(load_settings(scene.home).database.removeprefix("sqlite:///")).parent.glob("*.sqlite3*")
        held = [path.read_bytes() for path in files]
    else:
        names = scene.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        held = []
    for (name,) in names:
        for row in scene.query(f"SELECT * FROM {name}"):
            held += [bytes(value) if isinstance(value, bytes) else str(value).encode() for value in row]
    return b"\n".join(held)


def pepper(scene: Scene) -> bytes:
    return unlock_keys(load_settings(scene.home)).store(("secret",)).load_secret(PEPPER_NAME)


def signing_key(scene: Scene) -> tuple[str, ec.EllipticCurvePrivateKey]:
    """As the database holds it, and what is in it for who has the pepper, too."""
    ((wrapped,),) = scene.query("SELECT signing_key FROM copy_users WHERE name = 'anna'")
    key = unwrap(wrapped, "anna", RIGHT_PASSWORD, Passwords(pepper(scene)))
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return wrapped, key
