"""The listener's certificate: when it is due, what it says, how it is kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from certuary.core.certificate import build_issuing, sign_plan
from certuary.errors import ConfigError, DatabaseDown, KeyStoreDown
from certuary.keystore.memory import MemoryKeyStore
from certuary.services.create_authority import NewAuthority, create_issuing, create_root
from certuary.services.listener_certificate import (
    ListenerIdentity,
    ListenerIssuer,
    issue_listener_certificate,
    listener_names,
    load_listener,
    renew_listener_certificate,
    renewal_reason,
    save_listener,
)
from certuary.services.ports import CertificateRow

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
STATUS_URL = "http://ca.example:8080"
HOSTNAMES = ("est.example", "192.0.2.7")


def _authorities(keys: MemoryKeyStore) -> tuple[NewAuthority, NewAuthority]:
    root = create_root(keys, organization="Acme", key_type="ec-p256", now=NOW)
    issuing = create_issuing(
        keys, root=root, organization="Acme", key_type="ec-p256", now=NOW, status_url=STATUS_URL
    )
    return root, issuing


def _issuer() -> ListenerIssuer:
    root, issuing = _authorities(MemoryKeyStore())
    return ListenerIssuer(
        id=2,
        name="issuing",
        certificate=issuing.certificate,
        chain=(issuing.certificate_der, root.certificate_der),
        signer=issuing.signer,
        status_url=STATUS_URL,
    )


ISSUER = _issuer()
IDENTITY, ROW = issue_listener_certificate(ISSUER, hostnames=HOSTNAMES, now=NOW)


def _reason(
    current: ListenerIdentity | None = IDENTITY,
    *,
    hostnames: tuple[str, ...] = HOSTNAMES,
    issuer: x509.Certificate = ISSUER.certificate,
    days: float = 0,
) -> str | None:
    return renewal_reason(current, hostnames=hostnames, issuer=issuer, now=NOW + timedelta(days=days))


def test_the_certificate_is_a_tls_servers_of_90_days() -> None:
    certificate = IDENTITY.certificate
    certificate.verify_directly_issued_by(ISSUER.certificate)
    usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usages) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert certificate.not_valid_after_utc == NOW + timedelta(days=90)


def test_the_certificate_holds_the_host_names_and_the_loopback_ones() -> None:
    names = IDENTITY.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["est.example", "localhost"]
    assert names.get_values_for_type(x509.IPAddress) == [
        ip_address(text) for text in ("192.0.2.7", "127.0.0.1", "::1")
    ]


def test_the_chain_sent_is_the_leaf_and_the_issuer_without_the_root() -> None:
    sent = x509.load_pem_x509_certificates(IDENTITY.chain_pem)
    assert sent == [IDENTITY.certificate, ISSUER.certificate]


def test_an_issuer_that_is_its_own_root_is_sent_nevertheless() -> None:
    keys = MemoryKeyStore()
    root = create_root(keys, organization="Acme", key_type="ec-p256", now=NOW)
    issuer = ListenerIssuer(
        id=1,
        name="root",
        certificate=root.certificate,
        chain=(root.certificate_der,),
        signer=root.signer,
        status_url=STATUS_URL,
    )
    identity, _row = issue_listener_certificate(issuer, hostnames=(), now=NOW)
    assert _reason(identity, hostnames=(), issuer=root.certificate) is None


def test_the_row_is_ready_for_the_database() -> None:
    assert ROW.authority_id == 2
    assert ROW.serial == IDENTITY.certificate.serial_number
    assert ROW.subject == "CN=est.example"
    assert ROW.source == "tls"
    assert ROW.der == IDENTITY.certificate.public_bytes(Encoding.DER)
    assert '"DNS:est.example"' in ROW.alternative_names
    assert (ROW.not_before, ROW.not_after) == (
        IDENTITY.certificate.not_valid_before_utc,
        IDENTITY.certificate.not_valid_after_utc,
    )
    assert ROW.application_id is None
    assert ROW.profile_version_id is None


def test_a_fresh_certificate_is_not_due() -> None:
    assert _reason() is None


def test_a_certificate_is_due_when_there_is_none() -> None:
    assert _reason(None) is not None


@pytest.mark.parametrize(("days", "due"), [(0, False), (59.9, False), (60.1, True), (89, True), (95, True)])
def test_a_certificate_is_due_with_a_third_of_its_lifetime_left(days: float, due: bool) -> None:
    assert (_reason(days=days) is not None) is due


def test_a_certificate_from_the_future_is_due() -> None:
    assert _reason(days=-1) == "it is not valid yet"


@pytest.mark.parametrize(
    "hostnames", [("est.example",), (*HOSTNAMES, "more.example"), ("other.example", "192.0.2.7")]
)
def test_a_certificate_is_due_when_the_host_names_changed(hostnames: tuple[str, ...]) -> None:
    assert _reason(hostnames=hostnames) == "the host names changed"


@pytest.mark.parametrize(
    "hostnames",
    [("192.0.2.7", "est.example"), ("EST.Example.", "192.0.2.7"), (*HOSTNAMES, "localhost", "0:0::1")],
)
def test_order_case_and_repetition_of_host_names_do_not_count(hostnames: tuple[str, ...]) -> None:
    assert _reason(hostnames=hostnames) is None


def test_a_certificate_is_due_when_the_issuer_changed() -> None:
    assert _reason(issuer=_issuer().certificate) == "the issuing authority changed"


def test_a_certificate_is_due_when_the_issuer_has_a_new_certificate_for_its_key() -> None:
    keys = MemoryKeyStore()
    root, issuing = _authorities(keys)
    issuer = replace(
        ISSUER,
        certificate=issuing.certificate,
        chain=(issuing.certificate_der, root.certificate_der),
        signer=issuing.signer,
    )
    identity, _row = issue_listener_certificate(issuer, hostnames=HOSTNAMES, now=NOW)
    public_key = issuing.signer.public_key()
    plan = build_issuing(public_key, issuer=root.certificate, organization="Acme", serial=77, now=NOW)
    renewed = sign_plan(plan, root.signer).certificate
    identity.certificate.verify_directly_issued_by(renewed)
    assert _reason(identity, issuer=renewed) == "the issuing authority changed"


def test_a_certificate_never_outlives_its_issuer() -> None:
    late = ISSUER.certificate.not_valid_after_utc - timedelta(days=10)
    identity, _row = issue_listener_certificate(ISSUER, hostnames=(), now=late)
    assert identity.certificate.not_valid_after_utc == ISSUER.certificate.not_valid_after_utc


def test_a_certificate_that_ends_with_its_issuer_is_not_renewed_for_nothing() -> None:
    late = ISSUER.certificate.not_valid_after_utc - timedelta(days=10)
    identity, _row = issue_listener_certificate(ISSUER, hostnames=HOSTNAMES, now=late)
    for days in (0, 8, 9.99):
        now = late + timedelta(days=days)
        assert renewal_reason(identity, hostnames=HOSTNAMES, issuer=ISSUER.certificate, now=now) is None


def test_an_expired_issuer_issues_nothing() -> None:
    with pytest.raises(ConfigError, match="expired"):
        issue_listener_certificate(ISSUER, hostnames=(), now=ISSUER.certificate.not_valid_after_utc)


def test_host_names_are_written_as_dns_writes_them() -> None:
    assert listener_names(["EST.Example.", "b\u00fccher.example", "2001:DB8::1", "est.example"]) == (
        "est.example",
        "xn--bcher-kva.example",
        "2001:db8::1",
        "localhost",
        "127.0.0.1",
        "::1",
    )


@pytest.mark.parametrize(
    "hostname",
    ["", ".", "a b", "a_b", "a..b", "-a.example", "a-.example", "*.example", "a" * 64, ".".join(["abc"] * 70),
     "https://est.example", "a/b", "10.0.0.0/8", "\u00fc" * 70, "a\0b"],
)  # fmt: skip
def test_what_is_no_host_name_is_refused(hostname: str) -> None:
    with pytest.raises(ConfigError, match="neither a DNS name nor an IP address"):
        listener_names([hostname])


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    keys, path = MemoryKeyStore(), tmp_path / "tls" / "listener.pem"
    save_listener(path, IDENTITY, keys)
    loaded = load_listener(path, keys.with_roles(["tls"]))
    assert loaded is not None
    assert loaded.chain_pem == IDENTITY.chain_pem
    assert loaded.certificate == IDENTITY.certificate
    assert loaded.key.public_key() == IDENTITY.key.public_key()


def test_the_file_is_private_and_holds_no_key_in_the_clear(tmp_path: Path) -> None:
    path = tmp_path / "tls" / "listener.pem"
    save_listener(path, IDENTITY, MemoryKeyStore())
    assert path.stat().st_mode & 0o777 == 0o600
    assert b"PRIVATE KEY" not in path.read_bytes()
    assert path.read_bytes().startswith(b"-----BEGIN CERTIFICATE-----")


def test_no_file_is_no_identity(tmp_path: Path) -> None:
    assert load_listener(tmp_path / "listener.pem", MemoryKeyStore()) is None


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(KeyStoreDown, match="cannot be read"):
        load_listener(tmp_path, MemoryKeyStore())


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "tls").touch()
    with pytest.raises(KeyStoreDown, match="cannot be written"):
        save_listener(tmp_path / "tls" / "listener.pem", IDENTITY, MemoryKeyStore())


def test_a_damaged_file_does_not_load(tmp_path: Path) -> None:
    keys, path = MemoryKeyStore(), tmp_path / "listener.pem"
    save_listener(path, IDENTITY, keys)
    content = path.read_bytes()
    damaged = [
        b"",
        content[:100],
        content[:-60],
        IDENTITY.chain_pem,
        content.replace(b"SEALED KEY-----\n", b"SEALED KEY-----\n!", 1),
        content[content.index(b"-----BEGIN CERTUARY") :],
    ]
    for changed in damaged:
        path.write_bytes(changed)
        with pytest.raises(KeyStoreDown):
            load_listener(path, keys)


def test_a_certificate_beside_another_ones_key_does_not_load(tmp_path: Path) -> None:
    keys, path = MemoryKeyStore(), tmp_path / "listener.pem"
    other, _row = issue_listener_certificate(ISSUER, hostnames=HOSTNAMES, now=NOW)
    save_listener(path, replace(IDENTITY, key=other.key), keys)
    with pytest.raises(KeyStoreDown, match="not its certificate's"):
        load_listener(path, keys)


def test_renewing_records_the_certificate_before_it_is_used(tmp_path: Path) -> None:
    keys, path = MemoryKeyStore(), tmp_path / "listener.pem"
    seen: list[tuple[CertificateRow, bool]] = []
    renewed = renew_listener_certificate(
        path, keys, ISSUER, hostnames=HOSTNAMES, now=NOW, record=lambda row: seen.append((row, path.exists()))
    )
    assert renewed is not None
    assert [(row.serial, existed) for row, existed in seen] == [(renewed.certificate.serial_number, False)]
    loaded = load_listener(path, keys)
    assert loaded is not None
    assert loaded.certificate == renewed.certificate


def test_a_certificate_that_cannot_be_recorded_is_not_used(tmp_path: Path) -> None:
    def fail(row: CertificateRow) -> None:
        raise DatabaseDown("gone")

    keys, path = MemoryKeyStore(), tmp_path / "listener.pem"
    save_listener(path, IDENTITY, keys)
    late = NOW + timedelta(days=80)
    with pytest.raises(DatabaseDown):
        renew_listener_certificate(path, keys, ISSUER, hostnames=HOSTNAMES, now=late, record=fail)
    loaded = load_listener(path, keys)
    assert loaded is not None
    assert loaded.certificate == IDENTITY.certificate


def test_nothing_is_renewed_or_recorded_before_it_is_due(tmp_path: Path) -> None:
    keys, path = MemoryKeyStore(), tmp_path / "listener.pem"
    save_listener(path, IDENTITY, keys)
    rows: list[CertificateRow] = []
    for _ in range(2):
        assert (
            renew_listener_certificate(path, keys, ISSUER, hostnames=HOSTNAMES, now=NOW, record=rows.append)
            is None
        )
    assert rows == []


def test_a_file_that_does_not_open_is_replaced(tmp_path: Path) -> None:
    keys, path = MemoryKeyStore(), tmp_path / "listener.pem"
    save_listener(path, IDENTITY, MemoryKeyStore())
    rows: list[CertificateRow] = []
    renewed = renew_listener_certificate(path, keys, ISSUER, hostnames=HOSTNAMES, now=NOW, record=rows.append)
    assert renewed is not None
    assert len(rows) == 1
    assert load_listener(path, keys) is not None


def test_the_text_of_an_identity_shows_no_key() -> None:
    assert repr(IDENTITY) == "ListenerIdentity('CN=est.example')"
