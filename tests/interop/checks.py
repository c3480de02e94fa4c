"""What every certificate a client came home with must pass, whichever client it was."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

PKILINT = Path(sys.executable).with_name("lint_pkix_cert")
P_256 = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A key and a request for it, in files as a client wants them."""

    name: str
    key: Path
    csr: Path

    def owns(self, certificate: x509.Certificate) -> bool:
        key = load_pem_private_key(self.key.read_bytes(), password=None)
        return certificate.public_key() == key.public_key()


def make_device(work: Path, name: str, *key: str, again: str = "") -> Device:
    """A device's key and CSR made by OpenSSL; `again` tells the files of a later key apart."""
    stem = work / f"{name}{again}"
    device = Device(name=name, key=stem.with_suffix(".key"), csr=stem.with_suffix(".csr"))
    kind = key or P_256
    request = ("-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}.plant.example")
    files = ("-keyout", device.key, "-out", device.csr)
    run("openssl", "req", "-new", "-nodes", "-newkey", *kind, *request, *files)
    return device


def run(*command: str | Path, cwd: Path | None = None, stdin: bytes = b"") -> bytes:
    """Run a client's command; a failure shows what it said."""
    done = subprocess.run(command, cwd=cwd, input=stdin, capture_output=True, timeout=60, check=False)
    if done.returncode != 0:
        said = (done.stdout + done.stderr).decode(errors="replace")
        raise AssertionError(f"{command[0]} ended with {done.returncode}:\n{said}")
    return done.stdout


def fails(*command: str | Path, cwd: Path | None = None) -> str:
    """Run a command that has to fail; what it said."""
    done = subprocess.run(
        command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False
    )
    said = (done.stdout + done.stderr).decode(errors="replace")
    assert done.returncode != 0, f"{command[0]} succeeded, though it should not:\n{said}"
    return said


def load(path: Path) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(path.read_bytes())


def assert_right_certificate(received: Path, device: Device, cacerts: Path) -> x509.Certificate:
    """One certificate, for the key and names asked for, verified by OpenSSL from `/cacerts`, and linted."""
    (certificate,) = load(received)
    assert device.owns(certificate)
    assert certificate.subject.rfc4514_string() == f"CN={device.name}"
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [f"{device.name}.plant.example"]
    verify_with_openssl(received, cacerts)
    lint_with_pkilint(received)
    return certificate


def verify_with_openssl(received: Path, cacerts: Path) -> None:
    roots = [ca for ca in load(cacerts) if ca.issuer == ca.subject]
    assert len(roots) == 1
    anchor = received.with_suffix(".anchor")
    anchor.write_bytes(roots[0].public_bytes(Encoding.PEM))
    trust = ("-no-CApath", "-no-CAstore", "-CAfile", anchor, "-untrusted", cacerts)
    run("openssl", "verify", "-x509_strict", "-purpose", "sslclient", *trust, received)


def lint_with_pkilint(received: Path) -> None:
    """Its exit code is the number of findings."""
    (certificate,) = load(received)
    der = received.with_suffix(".der")
    der.write_bytes(certificate.public_bytes(Encoding.DER))
    run(PKILINT, "lint", "--severity", "WARNING", der)
