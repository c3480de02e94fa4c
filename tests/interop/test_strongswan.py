"""strongSwan's `pki --estca` and `pki --est`, version 5.9.8 of Debian 12.

It speaks TLS 1.2, wants the answer's base64 on one line and its headers in one TLS record, and verifies what
it gets against the CA certificates it fetched before. The password goes into an options file: an argument can
be read by everybody on the machine.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.checks import Device, assert_right_certificate, fails, load, run
from tests.running_server import RunningServer


def make_request(work: Path, name: str) -> Device:
    """A key and CSR made by strongSwan itself."""
    device = Device(name=name, key=work / f"{name}.key", csr=work / f"{name}.csr")
    device.key.write_bytes(run("pki", "--gen", "--type", "ecdsa", "--size", "256", "--outform", "pem"))
    names = ("--dn", f"CN={name}", "--san", f"{name}.plant.example")
    device.csr.write_bytes(
        run("pki", "--req", "--type", "ecdsa", "--in", device.key, *names, "--outform", "pem")
    )
    return device


def fetch_cacerts(server: RunningServer, work: Path, url: str) -> tuple[Path, ...]:
    """`ca.pem` is the root, `ca-1.pem` the issuing authority."""
    out = ("--caout", work / "ca.pem", "--outform", "pem", "--force")
    run("pki", "--estca", "--url", url, "--cacert", server.root_pem, *out)
    return (work / "ca.pem", work / "ca-1.pem")


def options_file(server: RunningServer, work: Path) -> Path:
    words = server.netrc.read_text().split()
    username, password = words[words.index("login") + 1], words[words.index("password") + 1]
    path = work / "est.opt"
    path.touch(mode=0o600)
    path.write_text(f"--userpass {username}:{password}\n")
    return path


def trust(cacerts: tuple[Path, ...]) -> tuple[str | Path, ...]:
    return tuple(word for path in cacerts for word in ("--cacert", path))


def enrol(server: RunningServer, work: Path, device: Device, cacerts: tuple[Path, ...]) -> Path:
    received = work / "first.pem"
    options = ("--options", options_file(server, work), "--in", device.csr, "--outform", "pem")
    received.write_bytes(run("pki", "--est", "--url", server.est_url, *trust(cacerts), *options))
    return received


def in_one_file(cacerts: tuple[Path, ...], work: Path) -> Path:
    together = work / "together.pem"
    together.write_bytes(b"".join(path.read_bytes() for path in cacerts))
    return together


def test_estca_fetches_the_root_and_the_issuing_authority(server: RunningServer, tmp_path: Path) -> None:
    root, issuing = fetch_cacerts(server, tmp_path, server.est_url)
    assert load(root) == load(server.root_pem)
    assert load(issuing)[0].issuer == load(root)[0].subject


def test_est_enrols_with_a_password(server: RunningServer, tmp_path: Path) -> None:
    cacerts = fetch_cacerts(server, tmp_path, server.est_url)
    device = make_request(tmp_path, "swan-1")
    received = enrol(server, tmp_path, device, cacerts)
    assert_right_certificate(received, device, in_one_file(cacerts, tmp_path))


@pytest.mark.parametrize("same_key", [True, False], ids=["renew", "rekey"])
def test_est_re_enrols_with_the_issued_certificate(
    server: RunningServer, tmp_path: Path, same_key: bool
) -> None:
    cacerts = fetch_cacerts(server, tmp_path, server.est_url)
    device = make_request(tmp_path, "swan-2")
    first = enrol(server, tmp_path, device, cacerts)
    (tmp_path / "new").mkdir()
    again = device if same_key else make_request(tmp_path / "new", "swan-2")
    second = tmp_path / "second.pem"
    old = ("--cert", first, "--key", device.key)
    options = ("--in", again.csr, *old, "--outform", "pem")
    second.write_bytes(run("pki", "--est", "--url", server.est_url, *trust(cacerts), *options))
    renewed = assert_right_certificate(second, again, in_one_file(cacerts, tmp_path))
    assert renewed.serial_number != load(first)[0].serial_number


def test_est_is_refused_without_a_credential(server: RunningServer, tmp_path: Path) -> None:
    cacerts = fetch_cacerts(server, tmp_path, server.est_url)
    device = make_request(tmp_path, "swan-3")
    said = fails("pki", "--est", "--url", server.est_url, *trust(cacerts), "--in", device.csr)
    assert "HTTP status: 401" in said or "401" in said
