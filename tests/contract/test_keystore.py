"""What every key store promises (`services.ports.KeyStore`)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from certuary.core.certificate import KEY_TYPES, SigningKey
from certuary.errors import AlreadyExists, ConfigError, KeyStoreDown, NotFound
from certuary.keystore.envelope import ScryptCost
from certuary.keystore.file import FileKeyStore
from certuary.keystore.keys import ROLES
from certuary.keystore.memory import MemoryKeyStore
from certuary.keystore.passphrase import PassphraseSource
from certuary.services.ports import KeyStore

Opener = Callable[[Collection[str]], KeyStore]


@pytest.fixture(params=["file", "memory"])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Opens one and the same store for the roles asked."""
    if request.param == "memory":
        return MemoryKeyStore().with_roles
    source = PassphraseSource(kind="environment", value="CERTUARY_PASSPHRASE")
    return FileKeyStore.create(tmp_path / "keys", b"open sesame", source, cost=ScryptCost(n=1024)).store


@pytest.fixture
def store(opener: Opener) -> KeyStore:
    return opener(ROLES)


def _public(key: SigningKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    ("key_type", "kind"),
    [
        ("ec-p256", ec.EllipticCurvePrivateKey),
        ("ec-p384", ec.EllipticCurvePrivateKey),
        ("rsa-3072", rsa.RSAPrivateKey),
        ("ed25519", ed25519.Ed25519PrivateKey),
    ],
)
def test_a_generated_key_is_the_one_loaded(store: KeyStore, key_type: str, kind: type) -> None:
    made = store.generate_key("issuing", role="issuing", key_type=key_type)
    assert isinstance(made, kind)
    assert _public(store.load_key("issuing", role="issuing")) == _public(made)


def test_every_key_type_has_a_name_that_init_takes() -> None:
    assert set(KEY_TYPES) >= {"ec-p256", "ec-p384", "rsa-3072", "rsa-4096", "ed25519"}


def test_a_key_is_there_for_whoever_opens_the_store_next(opener: Opener) -> None:
    made = opener(["issuing"]).generate_key("issuing", role="issuing", key_type="ec-p256")
    assert _public(opener(["issuing"]).load_key("issuing", role="issuing")) == _public(made)


def test_generate_refuses_a_name_that_is_taken_and_keeps_the_first_key(store: KeyStore) -> None:
    first = store.generate_key("issuing", role="issuing", key_type="ec-p256")
    with pytest.raises(AlreadyExists):
        store.generate_key("issuing", role="issuing", key_type="ec-p256")
    with pytest.raises(AlreadyExists):
        store.put_secret("issuing", b"pepper")
    assert _public(store.load_key("issuing", role="issuing")) == _public(first)


def test_a_secret_comes_back_as_it_was_put(store: KeyStore) -> None:
    value = bytes(range(256))
    store.put_secret("pepper", value)
    assert store.load_secret("pepper") == value


def test_put_secret_refuses_a_name_that_is_taken(store: KeyStore) -> None:
    store.put_secret("pepper", b"first")
    with pytest.raises(AlreadyExists):
        store.put_secret("pepper", b"second")
    assert store.load_secret("pepper") == b"first"


def test_what_was_never_stored_is_not_found(store: KeyStore) -> None:
    with pytest.raises(NotFound):
        store.load_key("issuing", role="issuing")
    with pytest.raises(NotFound):
        store.load_secret("pepper")


def test_names_lists_everything_with_its_role_sorted(opener: Opener) -> None:
    store = opener(ROLES)
    store.generate_key("root", role="root", key_type="ec-p256")
    store.put_secret("pepper", b"x")
    store.generate_key("issuing", role="issuing", key_type="ec-p256")
    expected = (("issuing", "issuing"), ("pepper", "secret"), ("root", "root"))
    assert store.names() == expected
    assert opener([]).names() == expected


def test_a_process_without_a_role_cannot_open_its_keys(opener: Opener) -> None:
    opener(ROLES).generate_key("root", role="root", key_type="ec-p256")
    opener(ROLES).put_secret("pepper", b"x")
    worker = opener(["issuing", "tls"])
    with pytest.raises(KeyStoreDown):
        worker.load_key("root", role="root")
    with pytest.raises(KeyStoreDown):
        worker.load_secret("pepper")
    with pytest.raises(KeyStoreDown):
        worker.generate_key("root-2", role="root", key_type="ec-p256")
    assert "root-2" not in dict(worker.names())


def test_a_key_does_not_open_under_another_role(opener: Opener) -> None:
    store = opener(ROLES)
    store.generate_key("root", role="root", key_type="ec-p256")
    with pytest.raises(KeyStoreDown):
        store.load_key("root", role="issuing")
    with pytest.raises(KeyStoreDown):
        store.load_secret("root")


@pytest.mark.parametrize("role", ["secret", "nobody", ""])
def test_a_key_with_no_key_role_is_refused(store: KeyStore, role: str) -> None:
    with pytest.raises(ConfigError):
        store.generate_key("issuing", role=role, key_type="ec-p256")
    with pytest.raises(ConfigError):
        store.load_key("issuing", role=role)


def test_an_unknown_key_type_is_refused_with_those_known(store: KeyStore) -> None:
    with pytest.raises(ConfigError, match="ec-p256"):
        store.generate_key("issuing", role="issuing", key_type="dsa-1024")
    assert store.names() == ()


@pytest.mark.parametrize("name", ["", "../issuing", "a/b", "Issuing", ".hidden", "a" * 65, "a\n", "a\0"])
def test_a_name_that_is_no_plain_word_is_refused(store: KeyStore, name: str) -> None:
    with pytest.raises(ConfigError):
        store.generate_key(name, role="issuing", key_type="ec-p256")
    with pytest.raises(ConfigError):
        store.load_key(name, role="issuing")
    with pytest.raises(ConfigError):
        store.put_secret(name, b"x")
    with pytest.raises(ConfigError):
        store.seal(name, b"x", role="tls")


def test_sealed_bytes_open_under_the_same_name_and_role(opener: Opener) -> None:
    sealed = opener(["tls"]).seal("listener", b"a private key", role="tls")
    assert b"a private key" not in sealed
    assert opener(["tls"]).unseal("listener", sealed, role="tls") == b"a private key"


def test_sealed_bytes_do_not_open_otherwise(opener: Opener) -> None:
    store = opener(ROLES)
    sealed = store.seal("listener", b"a private key", role="tls")
    for name, role in (("other", "tls"), ("listener", "issuing")):
        with pytest.raises(KeyStoreDown):
            store.unseal(name, sealed, role=role)
    with pytest.raises(KeyStoreDown):
        opener(["issuing"]).unseal("listener", sealed, role="tls")
    with pytest.raises(KeyStoreDown):
        store.unseal("listener", sealed[:-1] + bytes([sealed[-1] ^ 1]), role="tls")


def test_sealing_twice_gives_different_bytes(store: KeyStore) -> None:
    assert store.seal("listener", b"x", role="tls") != store.seal("listener", b"x", role="tls")
