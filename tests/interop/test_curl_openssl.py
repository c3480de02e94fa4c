"""curl and OpenSSL, as `first-start.txt` uses them, and the shapes of request that curl can make."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.interop.checks import Device, assert_right_certificate, fails, load, make_device, run
from tests.running_server import RunningServer

BASES = ("/.well-known/est", "/est", "/emCAServices/est")


def curl(server: RunningServer, path: str, *options: str | Path) -> bytes:
    """The body of a 2xx; everything else fails."""
    common = ("curl", "--silent", "--show-error", "--fail-with-body", "--cacert", server.root_pem)
    return run(*common, *options, f"{server.est_url}{path}")


def post(server: RunningServer, path: str, body: Path, *options: str | Path) -> bytes:
    return curl(server, path, "--data-binary", f"@{body}", "-H", "Content-Type: application/pkcs10", *options)


def to_pem(body: bytes, target: Path) -> Path:
    """A base64 PKCS#7 body to PEM certificates, by OpenSSL."""
    target.write_bytes(
        run("openssl", "pkcs7", "-inform", "DER", "-print_certs", stdin=base64.b64decode(body))
    )
    return target


def base64_csr(device: Device) -> Path:
    der = run("openssl", "req", "-in", device.csr, "-outform", "DER")
    target = device.csr.with_suffix(".b64")
    target.write_bytes(base64.b64encode(der))
    return target


def cacerts(server: RunningServer, work: Path) -> Path:
    return to_pem(curl(server, "/.well-known/est/cacerts"), work / "cacerts.pem")


def test_cacerts_are_the_chain_to_the_root(server: RunningServer, tmp_path: Path) -> None:
    received = load(cacerts(server, tmp_path))
    (root,) = load(server.root_pem)
    assert root in received
    assert len(received) == 2


def test_csrattrs_are_der_that_openssl_reads(server: RunningServer) -> None:
    body = curl(server, "/.well-known/est/csrattrs")
    parsed = run(
        "openssl", "asn1parse", "-inform", "DER", stdin=base64.b64decode(body, validate=True)
    ).decode()
    assert parsed.splitlines()[0].rstrip().endswith("cons: SEQUENCE")


@pytest.mark.parametrize("base", BASES)
def test_a_device_enrols_with_its_password(server: RunningServer, tmp_path: Path, base: str) -> None:
    device = make_device(tmp_path, "curl-1")
    options = ("--netrc-file", server.netrc)
    body = post(server, f"{base}/simpleenroll", base64_csr(device), *options)
    ca = to_pem(curl(server, f"{base}/cacerts", *options), tmp_path / "ca.pem")
    assert_right_certificate(to_pem(body, tmp_path / "device.pem"), device, ca)


@pytest.mark.parametrize("key", ["rsa:2048", "rsa:4096", "ec-p384"])
def test_a_device_enrols_with_another_kind_of_key(server: RunningServer, tmp_path: Path, key: str) -> None:
    kind = ("ec", "-pkeyopt", "ec_paramgen_curve:P-384") if key == "ec-p384" else (key,)
    device = make_device(tmp_path, "curl-2", *kind)
    body = post(server, "/.well-known/est/simpleenroll", base64_csr(device), "--netrc-file", server.netrc)
    assert_right_certificate(to_pem(body, tmp_path / "device.pem"), device, cacerts(server, tmp_path))


@pytest.mark.parametrize("same_key", [True, False], ids=["renew", "rekey"])
def test_a_device_renews_and_rekeys_with_its_certificate(
    server: RunningServer, tmp_path: Path, same_key: bool
) -> None:
    device = make_device(tmp_path, "curl-3")
    first = to_pem(
        post(server, "/.well-known/est/simpleenroll", base64_csr(device), "--netrc-file", server.netrc),
        tmp_path / "first.pem",
    )
    again = device if same_key else make_device(tmp_path, "curl-3", again="-again")
    body = post(
        server, "/.well-known/est/simplereenroll", base64_csr(again), "--cert", first, "--key", device.key
    )
    second = assert_right_certificate(to_pem(body, tmp_path / "second.pem"), again, cacerts(server, tmp_path))
    assert second.serial_number != load(first)[0].serial_number


@pytest.mark.parametrize(
    "options",
    [
        ("-H", "Transfer-Encoding: chunked"),
        ("-H", "Expect: 100-continue"),
        ("-H", "Content-Transfer-Encoding: quoted-printable"),
        ("--tls-max", "1.2"),
        ("--tlsv1.3",),
        ("--http2",),
    ],
    ids=lambda options: options[-1],
)
def test_a_device_enrols_however_curl_sends_it(
    server: RunningServer, tmp_path: Path, options: tuple[str, ...]
) -> None:
    device = make_device(tmp_path, "curl-4")
    body = post(
        server, "/.well-known/est/simpleenroll", base64_csr(device), "--netrc-file", server.netrc, *options
    )
    assert device.owns(load(to_pem(body, tmp_path / "device.pem"))[0])


def test_a_pem_request_is_taken_as_it_is(server: RunningServer, tmp_path: Path) -> None:
    device = make_device(tmp_path, "curl-5")
    body = post(server, "/.well-known/est/simpleenroll", device.csr, "--netrc-file", server.netrc)
    assert device.owns(load(to_pem(body, tmp_path / "device.pem"))[0])


def test_an_answer_is_one_line_of_base64_with_its_exact_length(server: RunningServer, tmp_path: Path) -> None:
    device = make_device(tmp_path, "curl-6")
    options = ("--netrc-file", server.netrc, "--dump-header", tmp_path / "headers")
    body = post(server, "/.well-known/est/simpleenroll", base64_csr(device), *options)
    headers = (tmp_path / "headers").read_bytes().decode()
    assert body == base64.b64encode(base64.b64decode(body, validate=True))
    assert f"Content-Length: {len(body)}\r\n" in headers
    assert "Content-Type: application/pkcs7-mime; smime-type=certs-only\r\n" in headers
    assert "Content-Transfer-Encoding: base64\r\n" in headers


def test_a_wrong_password_gets_401_and_no_certificate(server: RunningServer, tmp_path: Path) -> None:
    device = make_device(tmp_path, "curl-7")
    wrong = tmp_path / "wrong.netrc"
    wrong.write_text("machine localhost login quickstart password not-this-one\n")
    said = fails(
        "curl", "--silent", "--show-error", "--fail-with-body", "--cacert", server.root_pem,
        "--netrc-file", wrong, "--data-binary", f"@{base64_csr(device)}",
        "-H", "Content-Type: application/pkcs10", f"{server.est_url}/.well-known/est/simpleenroll",
    )  # fmt: skip
    assert "returned error: 401" in said
