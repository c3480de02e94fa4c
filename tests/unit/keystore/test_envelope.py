"""A sealed value opens whole, under its own name and role, or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certuary.errors import KeyStoreDown
from certuary.keystore.envelope import (
    ScryptCost,
    derive_role_key,
    derive_wrapping_key,
    role_of,
    seal,
    unseal,
)

KEY = bytes(range(32))
SEALED = seal(b"plain", KEY, name="pepper", role="secret")


def test_a_sealed_value_opens() -> None:
    assert unseal(SEALED, KEY, name="pepper", role="secret") == b"plain"


def test_the_header_tells_the_role_without_a_key() -> None:
    assert role_of(SEALED, name="pepper") == "secret"


@pytest.mark.parametrize("length", range(len(SEALED)))
def test_a_value_cut_short_does_not_open(length: int) -> None:
    with pytest.raises(KeyStoreDown):
        unseal(SEALED[:length], KEY, name="pepper", role="secret")


@pytest.mark.parametrize("position", range(len(SEALED)))
def test_a_value_with_a_flipped_bit_does_not_open(position: int) -> None:
    flipped = bytearray(SEALED)
    flipped[position] ^= 0x10
    with pytest.raises(KeyStoreDown):
        unseal(bytes(flipped), KEY, name="pepper", role="secret")


def test_a_value_with_more_after_it_does_not_open() -> None:
    with pytest.raises(KeyStoreDown):
        unseal(SEALED + b"\0", KEY, name="pepper", role="secret")


def test_a_value_does_not_open_under_another_name() -> None:
    with pytest.raises(KeyStoreDown):
        unseal(SEALED, KEY, name="salt", role="secret")


def test_a_header_that_claims_another_role_does_not_help() -> None:
    forged = SEALED.replace(b"\x06secret", b"\x04root")
    assert role_of(forged, name="pepper") == "root"
    with pytest.raises(KeyStoreDown):
        unseal(forged, KEY, name="pepper", role="root")


def test_a_value_does_not_open_under_another_roles_key() -> None:
    with pytest.raises(KeyStoreDown):
        unseal(SEALED, derive_role_key(KEY, "root"), name="pepper", role="secret")


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_a_damaged_key_and_nothing_else(content: bytes) -> None:
    with pytest.raises(KeyStoreDown):
        unseal(content, KEY, name="pepper", role="secret")


@given(st.binary(max_size=100))
def test_arbitrary_bytes_after_the_magic_are_a_damaged_key(content: bytes) -> None:
    with pytest.raises(KeyStoreDown):
        unseal(b"CERTUARY\x01" + content, KEY, name="pepper", role="secret")


def test_roles_have_different_keys() -> None:
    keys = {derive_role_key(KEY, role) for role in ("root", "issuing", "tls", "secret")}
    assert len(keys) == 4
    assert KEY not in keys


def test_the_wrapping_key_depends_on_passphrase_salt_and_cost() -> None:
    cost = ScryptCost(n=1024)
    keys = {
        derive_wrapping_key(b"a", b"salt", cost),
        derive_wrapping_key(b"b", b"salt", cost),
        derive_wrapping_key(b"a", b"tlas", cost),
        derive_wrapping_key(b"a", b"salt", ScryptCost(n=2048)),
    }
    assert len(keys) == 4


def test_a_new_store_makes_a_guess_cost_128_mib() -> None:
    cost = ScryptCost()
    assert 128 * cost.n * cost.r == 128 * 1024 * 1024


@pytest.mark.parametrize(
    ("n", "r", "p"), [(0, 8, 1), (-1024, 8, 1), (1000, 8, 1), (2**30, 8, 1), (1024, 0, 1), (1024, 8, 99)]
)
def test_an_impossible_scrypt_cost_is_refused_before_it_is_paid(n: int, r: int, p: int) -> None:
    with pytest.raises(KeyStoreDown):
        ScryptCost(n=n, r=r, p=p)
