"""The listener's TLS context, both ends in memory: which handshakes it takes, and what it says of a client."""

from __future__ import annotations

import ssl
import warnings
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certuary.core.certificate import KEY_TYPES, SigningKey, hash_for, sign_plan, tls_listener_plan
from certuary.errors import ConfigError
from certuary.keystore.memory import MemoryKeyStore
from certuary.server.tls import build_context, read_operator_files
from certuary.services.create_authority import NewAuthority, create_issuing, create_root
from certuary.services.listener_certificate import (
    ListenerIdentity,
    ListenerIssuer,
    issue_listener_certificate,
)

NOW = datetime.now(UTC)  # OpenSSL reads the real clock, so a client's certificate must be of today


class Authorities(SimpleNamespace):
    root: NewAuthority
    issuing: NewAuthority
    identity: ListenerIdentity


def _authorities(key_type: str = "ec-p256") -> Authorities:
    keys = MemoryKeyStore()
    root = create_root(keys, organization="Acme", key_type=key_type, now=NOW)
    issuing = create_issuing(
        keys, root=root, organization="Acme", key_type=key_type, now=NOW, status_url="http://ca.example"
    )
    issuer = ListenerIssuer(
        id=2,
        name="issuing",
        certificate=issuing.certificate,
        chain=(issuing.certificate_der, root.certificate_der),
        signer=issuing.signer,
        status_url="http://ca.example",
    )
    identity, _row = issue_listener_certificate(issuer, hostnames=(), now=NOW)
    return Authorities(root=root, issuing=issuing, identity=identity)


OURS = _authorities()


def _server(*anchors: bytes, identity: ListenerIdentity = OURS.identity) -> ssl.SSLContext:
    return build_context(identity, anchors or (OURS.root.certificate_der, OURS.issuing.certificate_der))


def _identity_with(key_type: str) -> ListenerIdentity:
    """As an operator may bring it, with a key of another type than ours."""
    key = KEY_TYPES[key_type].generate()
    issuer = OURS.issuing
    plan = tls_listener_plan(
        key.public_key(), issuer=issuer.certificate, hostnames=["localhost"], serial=4712, now=NOW
    )
    issued = sign_plan(plan, issuer.signer)
    chain = (issued.certificate, issuer.certificate)
    chain_pem = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in chain)
    return ListenerIdentity(certificate=issued.certificate, chain_pem=chain_pem, key=key)


def _client(*, root: NewAuthority = OURS.root) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=root.certificate_der)
    return context


def _handshake(
    server_context: ssl.SSLContext, client_context: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Shake hands in memory; what either end refuses is raised."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    client = client_context.wrap_bio(to_client, to_server, server_hostname="localhost", session=session)
    waiting = {client, server}
    for _ in range(10):
        for end in (client, server):
            try:
                end.do_handshake()
                waiting.discard(end)
            except ssl.SSLWantReadError:
                pass
    assert not waiting
    server.write(b"hello")
    assert client.read() == b"hello"  # and with it the tickets of TLS 1.3
    return server, client


def _certify(
    issuer: NewAuthority,
    directory: Path,
    *,
    not_before: datetime = NOW,
    days: int = 1,
    usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH,
) -> tuple[Path, bytes]:
    """A client's certificate and key in one PEM file, and the certificate in DER."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "dev-1")]))
        .issuer_name(issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(4711)
        .not_valid_before(not_before)
        .not_valid_after(not_before + timedelta(days=days))
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .sign(issuer.signer, hash_for(issuer.signer))
    )
    path = directory / "client.pem"
    path.write_bytes(certificate.public_bytes(Encoding.PEM) + _key_pem(key))
    return path, certificate.public_bytes(Encoding.DER)


def _key_pem(key: SigningKey, encryption: KeySerializationEncryption | None = None) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_without_a_certificate_is_served(version: ssl.TLSVersion) -> None:
    client_context = _client()
    client_context.maximum_version = version
    server, client = _handshake(_server(), client_context)
    assert server.getpeercert(binary_form=True) is None
    assert client.version() == version.name.replace("v1_", "v1.")


@pytest.mark.parametrize("key_type", ["ec-p384", "rsa-3072", "ed25519"])
def test_authorities_of_each_key_type_serve_tls(key_type: str) -> None:
    theirs = _authorities(key_type)
    _handshake(_server(identity=theirs.identity), _client(root=theirs.root))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_older_protocol_versions_are_refused(version: ssl.TLSVersion) -> None:
    client_context = _client()
    client_context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        client_context.minimum_version = client_context.maximum_version = version
    with pytest.raises(ssl.SSLError, match=r"UNSUPPORTED_PROTOCOL|PROTOCOL_VERSION"):
        _handshake(_server(), client_context)


@pytest.mark.parametrize(
    ("listener_key", "ciphers"),
    [
        ("ec-p256", "ECDHE-ECDSA-AES128-SHA"),
        ("ec-p256", "ECDHE-ECDSA-AES256-SHA384"),
        ("ec-p256", "ECDHE-ECDSA-NULL-SHA"),
        ("ec-p256", "AECDH-AES128-SHA"),
        ("rsa-3072", "AES128-GCM-SHA256"),
        ("rsa-3072", "AES128-SHA"),
        ("rsa-3072", "ECDHE-RSA-AES128-SHA256"),
    ],
)
def test_suites_without_forward_secrecy_or_authenticated_encryption_are_refused(
    listener_key: str, ciphers: str
) -> None:
    client_context = _client()
    client_context.maximum_version = ssl.TLSVersion.TLSv1_2
    client_context.set_ciphers(ciphers + ":@SECLEVEL=0")
    server_context = _server(identity=_identity_with(listener_key))
    with pytest.raises(ssl.SSLError, match="NO_SHARED_CIPHER"):
        _handshake(server_context, client_context)


@pytest.mark.parametrize("listener_key", ["ec-p256", "rsa-3072"])
def test_a_suite_of_tls_1_2_that_is_good_is_taken(listener_key: str) -> None:
    client_context = _client()
    client_context.maximum_version = ssl.TLSVersion.TLSv1_2
    _server_end, client = _handshake(_server(identity=_identity_with(listener_key)), client_context)
    assert "GCM" in str(client.cipher()) or "CHACHA20" in str(client.cipher())


def test_renegotiation_and_compression_are_off() -> None:
    context = _server()
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert context.options & ssl.OP_NO_COMPRESSION


def test_http_1_1_is_agreed_on_and_a_client_without_alpn_is_served() -> None:
    client_context = _client()
    client_context.set_alpn_protocols(["h2", "http/1.1"])
    assert _handshake(_server(), client_context)[0].selected_alpn_protocol() == "http/1.1"
    assert _handshake(_server(), _client())[0].selected_alpn_protocol() is None


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_our_own_client_certificate_is_seen(tmp_path: Path, version: ssl.TLSVersion) -> None:
    path, der = _certify(OURS.issuing, tmp_path)
    client_context = _client()
    client_context.maximum_version = version
    client_context.load_cert_chain(path)
    server, _client_end = _handshake(_server(), client_context)
    assert server.getpeercert(binary_form=True) == der


def test_the_issuing_authority_alone_is_anchor_enough(tmp_path: Path) -> None:
    path, der = _certify(OURS.issuing, tmp_path)
    client_context = _client()
    client_context.load_cert_chain(path)
    server, _client_end = _handshake(_server(OURS.issuing.certificate_der), client_context)
    assert server.getpeercert(binary_form=True) == der


@pytest.mark.parametrize("days_ago", [-2, 10])
def test_a_client_certificate_out_of_its_time_is_left_to_us(tmp_path: Path, days_ago: int) -> None:
    path, der = _certify(OURS.issuing, tmp_path, not_before=NOW - timedelta(days=days_ago))
    client_context = _client()
    client_context.load_cert_chain(path)
    server, _client_end = _handshake(_server(), client_context)
    assert server.getpeercert(binary_form=True) == der


def test_a_foreign_client_certificate_is_refused(tmp_path: Path) -> None:
    path, _der = _certify(_authorities().issuing, tmp_path)
    client_context = _client()
    client_context.load_cert_chain(path)
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(_server(), client_context)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_resumed_session_still_shows_the_client_certificate(
    tmp_path: Path, version: ssl.TLSVersion
) -> None:
    path, der = _certify(OURS.issuing, tmp_path)
    client_context, server_context = _client(), _server()
    client_context.maximum_version = version
    client_context.load_cert_chain(path)
    _first, client = _handshake(server_context, client_context)
    server, client = _handshake(server_context, client_context, client.session)
    assert client.session_reused
    assert server.getpeercert(binary_form=True) == der


def test_one_ticket_is_given() -> None:
    assert _server().num_tickets == 1


def test_the_chain_reaches_a_client_that_knows_the_root_alone() -> None:
    assert _handshake(_server(), _client())[1].getpeercert()


def test_an_identity_that_does_not_fit_together_is_refused() -> None:
    other = _authorities().identity
    with pytest.raises(ConfigError, match="OpenSSL"):
        _server(identity=replace(OURS.identity, key=other.key))


def _operator_files(directory: Path, key_pem: bytes | None = None) -> tuple[Path, Path]:
    certificate_file, key_file = directory / "cert.pem", directory / "key.pem"
    certificate_file.write_bytes(OURS.identity.chain_pem)
    key_file.write_bytes(_key_pem(OURS.identity.key) if key_pem is None else key_pem)
    key_file.chmod(0o640)
    return certificate_file, key_file


def test_an_operators_own_files_serve_tls(tmp_path: Path) -> None:
    identity = read_operator_files(*_operator_files(tmp_path))
    _handshake(_server(identity=identity), _client())


def test_an_operators_key_in_the_traditional_form_is_taken(tmp_path: Path) -> None:
    pem = OURS.identity.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    assert read_operator_files(*_operator_files(tmp_path, pem)).certificate == OURS.identity.certificate


def test_an_operators_key_that_everyone_may_read_is_refused(tmp_path: Path) -> None:
    certificate_file, key_file = _operator_files(tmp_path)
    key_file.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod o="):
        read_operator_files(certificate_file, key_file)


@pytest.mark.parametrize(
    ("key_pem", "text"),
    [
        (_key_pem(OURS.identity.key, BestAvailableEncryption(b"x")), "has a passphrase"),
        (_key_pem(OURS.issuing.signer), "is not the one"),
        (b"no key", "no private key"),
        (b"", "no private key"),
        (
            x25519.X25519PrivateKey.generate().private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            ),
            "neither EC, RSA nor Ed25519",
        ),
    ],
)
def test_an_operators_key_that_cannot_be_used_is_named(tmp_path: Path, key_pem: bytes, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        read_operator_files(*_operator_files(tmp_path, key_pem))


def test_operators_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    certificate_file, key_file = _operator_files(tmp_path)
    with pytest.raises(ConfigError, match="nowhere"):
        read_operator_files(tmp_path / "nowhere", key_file)
    with pytest.raises(ConfigError, match="nowhere"):
        read_operator_files(certificate_file, tmp_path / "nowhere")
    certificate_file.write_bytes(b"no certificate")
    with pytest.raises(ConfigError, match="PEM certificate"):
        read_operator_files(certificate_file, key_file)
