"""What others think of a certificate before and after it is revoked, by its own pointers alone."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.command import Commands
from tests.interop.checks import fails, load, make_device, run
from tests.running_server import RunningServer

# A CRL follows a revocation within 2 s; the rest is for a busy machine.
PUBLISHED_WITHIN_SECONDS = 20.0


@pytest.fixture
def device_pem(server: RunningServer, tmp_path: Path) -> Path:
    """A certificate issued to curl, its key beside it."""
    device = make_device(tmp_path, "leaver")
    body = run(
        "curl", "--silent", "--show-error", "--fail-with-body", "--cacert", server.root_pem,
        "--netrc-file", server.netrc, "-H", "Content-Type: application/pkcs10",
        "--data-binary", f"@{device.csr}", f"{server.est_url}/.well-known/est/simpleenroll",
    )  # fmt: skip
    der = run("openssl", "base64", "-d", "-A", stdin=body)
    received = tmp_path / "leaver.pem"
    received.write_bytes(run("openssl", "pkcs7", "-inform", "DER", "-print_certs", stdin=der))
    return received


def chain(server: RunningServer, work: Path) -> tuple[Path, Path]:
    """The root and the issuing authority, as files."""
    certificates = load(server.home / "chain.pem")
    (issuing,) = [one for one in certificates if one.issuer != one.subject]
    path = work / "issuing.pem"
    path.write_bytes(issuing.public_bytes(Encoding.PEM))
    return server.root_pem, path


def crl_of(certificate: x509.Certificate, work: Path) -> Path:
    """The CRL, fetched from where the certificate says."""
    points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert points[0].full_name is not None
    (point,) = points[0].full_name
    target = work / "issuing.crl"
    run("curl", "--silent", "--show-error", "--fail", "--output", target, point.value)
    return target


def openssl_command(server: RunningServer, work: Path, leaf: Path) -> tuple[str | Path, ...]:
    root, issuing = chain(server, work)
    crl = crl_of(load(leaf)[0], work)
    trust = ("-CAfile", root, "-untrusted", issuing, "-CRLfile", crl)
    return ("openssl", "verify", "-crl_check", *trust, leaf)


def strongswan_command(server: RunningServer, work: Path, leaf: Path) -> tuple[str | Path, ...]:
    root, issuing = chain(server, work)
    return ("pki", "--verify", "--online", "--in", leaf, "--cacert", root, "--cacert", issuing)


def wait_until_published(certificate: x509.Certificate, work: Path) -> None:
    until = time.monotonic() + PUBLISHED_WITHIN_SECONDS
    while time.monotonic() < until:
        crl = x509.load_der_x509_crl(crl_of(certificate, work).read_bytes())
        if crl.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None:
            return
        time.sleep(0.2)
    raise AssertionError(f"the CRL still lacks the serial after {PUBLISHED_WITHIN_SECONDS} s")


def test_openssl_and_strongswan_learn_of_a_revocation_from_the_crl(
    server: RunningServer, device_pem: Path, tmp_path: Path
) -> None:
    (certificate,) = load(device_pem)
    run(*openssl_command(server, tmp_path, device_pem))
    run(*strongswan_command(server, tmp_path, device_pem))

    commands = Commands(server.home, tmp_path)
    commands.run("cert", "revoke", f"{certificate.serial_number:x}", "--reason", "keyCompromise")
    wait_until_published(certificate, tmp_path)

    assert "certificate revoked" in fails(*openssl_command(server, tmp_path, device_pem))
    assert "revoked" in fails(*strongswan_command(server, tmp_path, device_pem))


def test_a_revoked_certificate_renews_nothing(
    server: RunningServer, device_pem: Path, tmp_path: Path
) -> None:
    (certificate,) = load(device_pem)
    Commands(server.home, tmp_path).run("cert", "revoke", f"{certificate.serial_number:x}")
    wait_until_published(certificate, tmp_path)
    said = fails(
        "curl", "--silent", "--show-error", "--fail-with-body", "--cacert", server.root_pem,
        "--cert", device_pem, "--key", tmp_path / "leaver.key", "-H", "Content-Type: application/pkcs10",
        "--data-binary", f"@{tmp_path / 'leaver.csr'}", f"{server.est_url}/.well-known/est/simplereenroll",
    )  # fmt: skip
    assert "returned error: 401" in said
