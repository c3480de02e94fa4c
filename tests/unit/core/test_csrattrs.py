"""CSR attributes: what a profile asks its requests for, read back and compared with the RFCs' own examples."""

from __future__ import annotations

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from certuary.core import oids
from certuary.core.certificate import extension
from certuary.core.csrattrs import csrattrs_for, object_identifier
from certuary.core.der import OBJECT_IDENTIFIER, SEQUENCE, SET, elements, enter
from certuary.core.profile import Profile
from tests.unit.core.issuing import MINIMAL, SHIPPED, changed
from tests.vectors import reader

Items = dict[bytes, tuple[bytes, ...] | None]


def read_items(der: bytes) -> Items:
    """By the DER of its OID: the values of an attribute, None for a bare OID."""
    start, end = enter(der, 0, len(der), SEQUENCE)
    assert end == len(der)
    items: Items = {}
    for tag, begin, content, stop in elements(der, start, end):
        if tag == OBJECT_IDENTIFIER:
            assert der[begin:stop] not in items
            items[der[begin:stop]] = None
            continue
        assert tag == SEQUENCE
        (type_tag, type_start, _, type_end), (set_tag, _, values, values_end) = elements(der, content, stop)
        assert (type_tag, set_tag) == (OBJECT_IDENTIFIER, SET)
        found = tuple(der[at:to] for _, at, _, to in elements(der, values, values_end))
        assert der[type_start:type_end] not in items
        items[der[type_start:type_end]] = found
    return items


def with_keys(*words: str, required: str = '"CN"', usage: str = '"digitalSignature"') -> Profile:
    keys = ", ".join(f'"{word}"' for word in words)
    text = changed(MINIMAL, '["ec-p256", "rsa-2048+", "ed25519"]', f"[{keys}]")
    text = changed(text, 'required = ["CN"]', f"required = [{required}]")
    text = changed(text, '"serialNumber", ', "")
    return Profile.from_toml(changed(text, '"digitalSignature", "keyEncipherment"', usage))


def asked_extensions(items: Items) -> list[bytes]:
    """The DER of each extension in the extension request."""
    values = items[oids.EXTENSION_REQUEST]
    assert values is not None
    (wanted,) = values
    start, end = enter(wanted, 0, len(wanted), SEQUENCE)
    return [wanted[at:to] for _, at, _, to in elements(wanted, start, end)]


@pytest.mark.parametrize("name", ["rfc7030-a2-csrattrs", "rfc7030-sample-csrattrs", "rfc9908-5-1"])
def test_the_reader_of_this_test_reads_the_rfcs_examples(name: str) -> None:
    items = read_items(reader.load(name).der)
    assert items
    if name != "rfc9908-5-1":
        assert oids.CHALLENGE_PASSWORD in items


@pytest.mark.parametrize(
    ("vector", "profile"),
    [
        ("rfc9908-5-4", with_keys("rsa-4096+", required="")),
        ("rfc9908-5-5", with_keys("ec-p384", required='"serialNumber"')),
    ],
)
def test_a_profile_asks_for_what_the_example_in_rfc_9908_asks_for(vector: str, profile: Profile) -> None:
    ours = read_items(csrattrs_for(profile, linking_required=True))
    assert ours.pop(oids.EXTENSION_REQUEST)
    assert ours == read_items(reader.load(vector).der)


def test_linking_lists_the_challenge_password_only_when_it_is_required() -> None:
    profile = Profile.from_toml(MINIMAL)
    assert oids.CHALLENGE_PASSWORD in read_items(csrattrs_for(profile, linking_required=True))
    assert oids.CHALLENGE_PASSWORD not in read_items(csrattrs_for(profile, linking_required=False))


@pytest.mark.parametrize(
    ("keys", "key_type", "values", "signature"),
    [
        (("ec-p256",), oids.EC_PUBLIC_KEY, (oids.SECP256R1,), oids.ECDSA_WITH_SHA256),
        (("ec-p384",), oids.EC_PUBLIC_KEY, (oids.SECP384R1,), oids.ECDSA_WITH_SHA384),
        (("ec-p521",), oids.EC_PUBLIC_KEY, (oids.SECP521R1,), oids.ECDSA_WITH_SHA512),
        (("ec-p256", "ec-p384"), oids.EC_PUBLIC_KEY, (), None),
        (("rsa-3072+", "rsa-2048+"), oids.RSA_ENCRYPTION, (b"\x02\x02\x08\x00",), oids.SHA256_WITH_RSA),
    ],
)
def test_a_profile_of_one_family_names_its_key_and_its_signature(
    keys: tuple[str, ...], key_type: bytes, values: tuple[bytes, ...], signature: bytes | None
) -> None:
    items = read_items(csrattrs_for(with_keys(*keys), linking_required=False))
    assert items[key_type] == values
    assert (signature in items) is (signature is not None)


def test_an_ed25519_profile_names_the_algorithm_as_key_and_as_signature() -> None:
    der = csrattrs_for(with_keys("ed25519"), linking_required=False)
    assert b"\x30\x07" + oids.ED25519 + b"\x31\x00" + oids.ED25519 in der


def test_a_profile_of_several_families_demands_no_key() -> None:
    items = read_items(csrattrs_for(Profile.from_toml(MINIMAL), linking_required=False))
    for key_type in (oids.EC_PUBLIC_KEY, oids.RSA_ENCRYPTION, oids.ED25519):
        assert key_type not in items


def test_the_extension_request_has_the_values_that_are_known() -> None:
    one_family = with_keys("ec-p256")
    found = asked_extensions(read_items(csrattrs_for(one_family, linking_required=False)))
    purposes = x509.ExtendedKeyUsage(one_family.purposes).public_bytes()
    usage = b"\x03\x02\x07\x80"
    assert found == [
        b"\x30\x0e\x06\x03\x55\x1d\x0f\x01\x01\xff\x04\x04" + usage,
        bytes((0x30, 7 + len(purposes), 6, 3, 0x55, 0x1D, 0x25, 4, len(purposes))) + purposes,
    ]
    several = read_items(csrattrs_for(Profile.from_toml(MINIMAL), linking_required=False))
    assert len(asked_extensions(several)) == 1


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_a_shipped_profile_has_one_extension_request_and_no_key_type_twice(name: str) -> None:
    items = read_items(csrattrs_for(Profile.from_toml(SHIPPED[name]), linking_required=False))
    values = items[oids.EXTENSION_REQUEST]
    assert values is not None
    assert len(values) == 1


@given(
    st.tuples(st.integers(0, 1), st.integers(0, 39)) | st.tuples(st.just(2), st.integers(0, 2**40)),
    st.lists(st.integers(0, 2**60), min_size=1, max_size=4),
)
def test_an_object_identifier_is_encoded_as_cryptography_encodes_it(
    first: tuple[int, int], rest: list[int]
) -> None:
    dotted = ".".join(map(str, (*first, *rest)))
    purposes = x509.ExtendedKeyUsage([x509.ObjectIdentifier(dotted)])
    assert extension(purposes).value.public_bytes()[2:] == object_identifier(dotted)
