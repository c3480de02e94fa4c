from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from certuary.core.identity import (
    SUBJECT_CHARACTERS,
    BoundCertificate,
    OidcIdentity,
    identities_from_json,
    identity_from_json,
    identity_of_certificate,
)
from certuary.errors import InvalidValue
from tests.people_ca import PeopleCa

OIDC: dict[str, Any] = {
    "kind": "oidc",
    "issuer": "https://id.example",
    "claim": "sub",
    "subject": "248289761001",
}
CERTIFICATE: dict[str, Any] = {"kind": "certificate", "sha256": "0a" * 32, "subject": "CN=Olga"}


@pytest.mark.parametrize("value", [OIDC, CERTIFICATE])
def test_an_identity_is_read_as_it_was_written(value: dict[str, Any]) -> None:
    assert identity_from_json(value).to_json() == value


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "oidc",
        {},
        {**OIDC, "kind": "saml"},
        {**OIDC, "more": "x"},
        {"kind": "oidc", "issuer": "https://id.example"},
        {**OIDC, "subject": 7},
        {**OIDC, "issuer": "http://id.example"},
        {**OIDC, "issuer": "https://id.example/" + "x" * 512},
        {**OIDC, "claim": ""},
        {**OIDC, "claim": "a claim"},
        {**OIDC, "subject": ""},
        {**OIDC, "subject": " olga"},
        {**OIDC, "subject": "olga\n"},
        {**OIDC, "subject": "x" * (SUBJECT_CHARACTERS + 1)},
        {**CERTIFICATE, "sha256": "0A" * 32},
        {**CERTIFICATE, "sha256": "0a" * 31},
    ],
)
def test_what_is_no_identity_is_refused(value: object) -> None:
    with pytest.raises(InvalidValue) as refusal:
        identity_from_json(value)
    assert refusal.value.rule == "identity"


@pytest.mark.parametrize("column", [None, "x", 7, {}, [None, {"kind": "oidc"}]])
def test_a_column_that_plain_sql_wrote_is_nobody_s(column: object) -> None:
    assert identities_from_json(column) == ()


def test_those_that_can_be_read_are_kept_beside_one_that_cannot() -> None:
    assert [one.to_json() for one in identities_from_json([OIDC, 7, CERTIFICATE])] == [OIDC, CERTIFICATE]


@pytest.mark.parametrize(
    "other", [{"issuer": "https://other.example"}, {"claim": "email"}, {"subject": "248289761002"}]
)
def test_another_issuer_claim_or_subject_is_somebody_else(other: dict[str, str]) -> None:
    assert identity_from_json(OIDC).key != identity_from_json({**OIDC, **other}).key


def test_a_certificate_is_known_by_its_fingerprint_alone() -> None:
    assert identity_from_json(CERTIFICATE).key == identity_from_json({**CERTIFICATE, "subject": ""}).key


def test_identities_are_told_to_people_in_a_line() -> None:
    assert identity_from_json(OIDC).in_words == "sub 248289761001 of https://id.example"
    assert identity_from_json(CERTIFICATE).in_words == f"certificate CN=Olga, SHA-256 {'0a' * 32}"
    assert "of no subject" in BoundCertificate(sha256="0a" * 32, subject="").in_words


def test_a_certificate_gives_fingerprint_and_subject() -> None:
    certificate = PeopleCa().issue("Olga Example").certificate
    found = identity_of_certificate(certificate)
    assert found.sha256 == sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
    assert "Olga Example" in found.subject


def test_a_provider_s_identity_can_be_made_of_its_parts() -> None:
    made = OidcIdentity(issuer="https://id.example", claim="sub", subject="248289761001")
    assert made.key == ("oidc", "https://id.example", "sub", "248289761001")
