"""The certificate that the EST listener shows, changed while it serves."""

from __future__ import annotations

import ipaddress
import signal
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from certuary.keystore.file import FileKeyStore
from certuary.services.listener_certificate import (
    ListenerIssuer,
    issue_listener_certificate,
    listener_path,
    save_listener,
)
from tests.fault.ledger import check_ledger
from tests.fault.load import Load
from tests.fault.processes import process_ids, until
from tests.fault.sockets import connect
from tests.request_maker import name
from tests.running_server import RunningServer, running_server


def shown(server: RunningServer) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with connect(server, context) as tls:
        return tls.getpeercert(binary_form=True) or b""


def test_its_own_certificate_replaced_on_disk_is_shown_without_a_restart(home: Path) -> None:
    with running_server(home) as server, Load(server) as load:
        before, workers = shown(server), process_ids(server, "est")
        load.wait_for(20)
        fresh = replace_own_certificate(home)
        assert fresh != before
        until(lambda: shown(server) == fresh, 2, "the new certificate")
        load.wait_for(20)
        load.stop()
        assert process_ids(server, "est") == workers
        assert (load.refused, load.torn, load.unanswered) == ([], [], [])
        check_ledger(home, load.received)


def test_a_damaged_file_leaves_the_last_certificate_in_force(home: Path) -> None:
    with running_server(home) as server:
        before = shown(server)
        listener_path(home).write_bytes(b"damaged")
        until(lambda: "certificate cannot be used" in str(server.readiness()[1]), 5, "a warning")
        assert shown(server) == before


def test_sighup_reads_the_operators_files_again(home: Path, tmp_path: Path) -> None:
    files = tmp_path / "operator.pem", tmp_path / "operator.key"
    first = write_operators(files)
    (home / "certuary.toml").write_text(f'tls_certificate_file = "{files[0]}"\ntls_key_file = "{files[1]}"\n')
    with running_server(home) as server:
        workers = process_ids(server, "est")
        assert shown(server) == first
        second = write_operators(files)
        assert shown(server) == first, "read before the operator said that both files are there"
        server.process.send_signal(signal.SIGHUP)
        until(lambda: shown(server) == second, 2, "the second certificate")

        files[1].write_bytes(b"no key")
        server.process.send_signal(signal.SIGHUP)
        until(lambda: "certificate cannot be used" in str(server.readiness()[1]), 5, "a warning")
        assert shown(server) == second

        third = write_operators(files)
        server.process.send_signal(signal.SIGHUP)
        until(lambda: shown(server) == third, 2, "the third certificate")
        until(lambda: "certificate cannot be used" not in str(server.readiness()[1]), 5, "no warning")
        assert process_ids(server, "est") == workers
        assert server.stop() == 0


def replace_own_certificate(home: Path) -> bytes:
    """As the jobs do when it is due."""
    directory = home / "keys"
    keys = FileKeyStore.from_role_keys(
        directory, FileKeyStore.unlock(directory).role_keys(("issuing", "tls"))
    )
    issuing = x509.load_pem_x509_certificates((home / "chain.pem").read_bytes())
    issuer = ListenerIssuer(
        id=1,
        name="issuing",
        certificate=issuing[0],
        chain=tuple(certificate.public_bytes(Encoding.DER) for certificate in issuing),
        signer=keys.load_key("issuing", role="issuing"),
        status_url="http://127.0.0.1:8080",
    )
    identity, _ = issue_listener_certificate(issuer, hostnames=(), now=datetime.now(UTC))
    save_listener(listener_path(home), identity, keys)
    return identity.certificate.public_bytes(Encoding.DER)


def write_operators(files: tuple[Path, Path]) -> bytes:
    """A certificate that its operator bought elsewhere; gives back its DER."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = name((x509.NameOID.COMMON_NAME, "localhost"))
    now = datetime.now(UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    files[0].write_bytes(certificate.public_bytes(Encoding.PEM))
    files[1].touch(mode=0o600)
    files[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate.public_bytes(Encoding.DER)
