"""A root and an issuing authority: what their certificates say and what their records hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from certuary.core.certificate import KEY_TYPES
from certuary.errors import AlreadyExists, InvalidValue
from certuary.keystore.memory import MemoryKeyStore
from certuary.services.create_authority import NewAuthority, create_issuing, create_root
from certuary.services.ports import KeyStore

NOW = datetime(2026, 11, 23, 12, 0, 0, 5, tzinfo=UTC)
STATUS_URL = "http://ca.example:8080"


def _root(keys: KeyStore, key_type: str = "ec-p256") -> NewAuthority:
    return create_root(keys, organization="Acme", key_type=key_type, now=NOW)


def _issuing(keys: KeyStore, root: NewAuthority, key_type: str = "ec-p256") -> NewAuthority:
    return create_issuing(
        keys, root=root, organization="Acme", key_type=key_type, now=NOW, status_url=STATUS_URL
    )


@pytest.mark.parametrize("key_type", sorted(KEY_TYPES))
def test_a_root_and_an_issuing_authority_of_each_key_type_form_a_chain(key_type: str) -> None:
    keys = MemoryKeyStore()
    root = _root(keys, key_type)
    issuing = _issuing(keys, root, key_type)
    root.certificate.verify_directly_issued_by(root.certificate)
    issuing.certificate.verify_directly_issued_by(root.certificate)
    assert issuing.certificate.public_key() == issuing.signer.public_key()


def test_the_keys_are_in_the_key_store_under_their_roles() -> None:
    keys = MemoryKeyStore()
    root = _root(keys)
    issuing = _issuing(keys, root)
    assert keys.names() == (("issuing", "issuing"), ("root", "root"))
    assert keys.load_key("root", role="root").public_key() == root.certificate.public_key()
    assert keys.load_key("issuing", role="issuing").public_key() == issuing.certificate.public_key()


def test_the_certificates_are_those_of_authorities() -> None:
    keys = MemoryKeyStore()
    root = _root(keys)
    issuing = _issuing(keys, root)
    for authority, path_length in ((root, None), (issuing, 0)):
        extensions = authority.certificate.extensions
        constraints = extensions.get_extension_for_class(x509.BasicConstraints)
        assert constraints.critical
        assert constraints.value == x509.BasicConstraints(ca=True, path_length=path_length)
        usage = extensions.get_extension_for_class(x509.KeyUsage)
        assert usage.critical
        assert usage.value.key_cert_sign
        assert usage.value.crl_sign
        assert not usage.value.digital_signature


def test_names_and_lifetimes_are_those_documented() -> None:
    keys = MemoryKeyStore()
    root = _root(keys)
    issuing = _issuing(keys, root)
    assert root.record_values(issuer_id=None)["subject"] == "CN=Acme Root CA,O=Acme"
    assert issuing.record_values(issuer_id=1)["subject"] == "CN=Acme Issuing CA,O=Acme"
    for authority, years in ((root, 20), (issuing, 10)):
        lifetime = authority.certificate.not_valid_after_utc - NOW.replace(microsecond=0)
        assert lifetime == timedelta(days=365 * years)


def test_an_issuing_authority_points_at_its_issuers_crl_and_certificate() -> None:
    keys = MemoryKeyStore()
    extensions = _issuing(keys, _root(keys)).certificate.extensions
    points = extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert [name.value for point in points for name in point.full_name or ()] == [
        "http://ca.example:8080/crl/root.crl"
    ]
    access = extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    assert [(found.access_method, found.access_location.value) for found in access] == [
        (AuthorityInformationAccessOID.CA_ISSUERS, "http://ca.example:8080/ca/root.crt")
    ]


def test_a_record_holds_what_the_table_wants() -> None:
    root = _root(MemoryKeyStore())
    values = root.record_values(issuer_id=None)
    assert values["name"] == "root"
    assert values["kind"] == "root"
    assert values["issuer_id"] is None
    assert values["key_name"] == "root"
    assert values["key_type"] == "ec-p256"
    assert values["certificate_der"] == root.certificate_der
    assert len(str(values["serial"])) == 36
    assert int(str(values["serial"]), 16) == root.certificate.serial_number
    assert values["not_after"] == root.certificate.not_valid_after_utc
    assert values["crl_lifetime_seconds"] == 365 * 24 * 3600


def test_an_authority_whose_key_is_there_already_is_refused() -> None:
    keys = MemoryKeyStore()
    _root(keys)
    with pytest.raises(AlreadyExists):
        _root(keys)


def test_resuming_takes_up_the_key_of_the_interrupted_attempt() -> None:
    keys = MemoryKeyStore()
    first = _root(keys)
    again = create_root(keys, organization="Acme", key_type="ec-p256", now=NOW, resume=True)
    assert again.certificate.public_key() == first.certificate.public_key()


def test_resuming_an_attempt_that_made_no_key_makes_one() -> None:
    keys = MemoryKeyStore()
    create_root(keys, organization="Acme", key_type="ed25519", now=NOW, resume=True)
    assert keys.names() == (("root", "root"),)


@pytest.mark.parametrize(
    ("first", "then"), [("ec-p256", "ec-p384"), ("ec-p256", "ed25519"), ("rsa-3072", "ec-p256")]
)
def test_resuming_with_another_key_type_is_refused(first: str, then: str) -> None:
    keys = MemoryKeyStore()
    _root(keys, first)
    with pytest.raises(InvalidValue, match="first attempt"):
        create_root(keys, organization="Acme", key_type=then, now=NOW, resume=True)


@pytest.mark.parametrize("organization", ["", "   ", "a" * 54, "Ac\0me", "Ac\x1bme"])
def test_an_organization_that_no_certificate_could_hold_is_refused_before_a_key_is_made(
    organization: str,
) -> None:
    keys = MemoryKeyStore()
    with pytest.raises(InvalidValue):
        create_root(keys, organization=organization, key_type="ec-p256", now=NOW)
    assert keys.names() == ()


def test_the_longest_organization_fits() -> None:
    keys = MemoryKeyStore()
    root = create_root(keys, organization="a" * 53, key_type="ec-p256", now=NOW)
    create_issuing(keys, root=root, organization="a" * 53, key_type="ec-p256", now=NOW, status_url=STATUS_URL)


def test_an_unknown_key_type_is_refused_with_those_known() -> None:
    with pytest.raises(InvalidValue, match="ec-p384"):
        _root(MemoryKeyStore(), "dsa-1024")


def test_a_serial_starts_with_the_time_and_ends_with_what_chance_gave() -> None:
    root = create_root(
        MemoryKeyStore(),
        organization="Acme",
        key_type="ec-p256",
        now=NOW,
        random_octets=lambda n: b"\x07" * n,
    )
    assert root.certificate.serial_number & 0xFFFF == 0x0707
    assert root.certificate.serial_number >> 96 == int(NOW.timestamp() * 1000)
