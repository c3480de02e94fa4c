"""`certuary user identity`: bound, listed and taken away, each way that one can be named."""

from __future__ import annotations

import json
import ssl
from typing import Any

import pytest

from tests.people_ca import PeopleCa, unreadable
from tests.wire.cli_process import Shell

ISSUER = "https://id.plant.example"


def data(shell: Shell, *command: str) -> Any:
    done = shell.run(*command, "--json")
    assert done.code == 0, done.stderr
    return json.loads(done.stdout)


def test_each_way_to_name_an_identity_binds_lists_and_takes_it_away(shell: Shell) -> None:
    person = PeopleCa().issue("olga")
    (shell.directory / "olga.pem").write_bytes(person.pem)
    fingerprint = "AB:" * 31 + "CD"
    for given, listed in (
        (("--subject", "7", "--issuer", ISSUER, "--claim", "oid"), f"oid 7 of {ISSUER}"),
        (("--certificate", "olga.pem"), "certificate CN=olga, SHA-256 "),
        (("--fingerprint", fingerprint), f"SHA-256 {'ab' * 31}cd"),
    ):
        done = shell.run("user", "identity", "add", "admin", *given)
        assert done.code == 0, done.stderr
        (found,) = data(shell, "user", "identity", "list", "admin")
        assert listed in found["identity"]
        assert listed in done.stdout
        again = shell.run("user", "identity", "add", "admin", *given)
        assert (again.code, "admin's already" in again.stderr) == (65, True)
        assert shell.run("user", "identity", "remove", "admin", *given).code == 0
        assert data(shell, "user", "identity", "list", "admin") == []
    assert shell.run("seal", "verify").code == 0


def test_issuer_and_claim_are_those_of_the_configuration_where_none_are_named(shell: Shell) -> None:
    (shell.directory / "secret").write_text("s")
    configured = shell.environment(
        CERTUARY_OIDC_ISSUER=ISSUER,
        CERTUARY_OIDC_CLIENT_ID="certuary",
        CERTUARY_OIDC_CLIENT_SECRET_FILE=str(shell.directory / "secret"),
        CERTUARY_OIDC_CLAIM="oid",
    )
    done = shell.run("user", "identity", "add", "admin", "--subject", "7", environment=configured)
    assert done.code == 0, done.stderr
    (found,) = data(shell, "user", "identity", "list", "admin")
    assert (found["issuer"], found["claim"], found["subject"]) == (ISSUER, "oid", "7")


@pytest.mark.parametrize(
    ("given", "code", "why"),
    [
        ((), 65, "name one identity"),
        (("--subject", "7", "--fingerprint", "ab" * 32), 65, "name one identity"),
        (("--subject", "7"), 65, "which provider?"),
        (("--subject", "7", "--issuer", "http://id.plant.example"), 65, "an issuer is an https:// address"),
        (("--subject", " ", "--issuer", ISSUER), 65, "printable characters"),
        (("--fingerprint", "ab"), 65, "64 hexadecimal digits"),
        (("--certificate", "missing.pem"), 65, "cannot be read"),
        (("--certificate", "admin-password"), 65, "holds no certificate in PEM"),
    ],
)
def test_what_names_no_identity_is_refused_with_what_to_do(
    shell: Shell, given: tuple[str, ...], code: int, why: str
) -> None:
    done = shell.run("user", "identity", "add", "admin", *given)
    assert (done.code, why in done.stderr) == (code, True), done.stderr


@pytest.mark.parametrize("what", ["version", "extension"])
def test_a_certificate_that_cannot_be_read_is_refused(shell: Shell, what: str) -> None:
    octets = unreadable(PeopleCa().issue("olga").der)[what]
    (shell.directory / "odd.pem").write_text(ssl.DER_cert_to_PEM_cert(octets))
    done = shell.run("user", "identity", "add", "admin", "--certificate", "odd.pem")
    assert (done.code, "holds no certificate in PEM that can be read" in done.stderr) == (65, True), (
        done.stderr
    )


def test_what_is_not_bound_is_not_taken_away(shell: Shell) -> None:
    done = shell.run("user", "identity", "remove", "admin", "--fingerprint", "ab" * 32)
    assert (done.code, "has no such identity" in done.stderr) == (66, True), done.stderr
