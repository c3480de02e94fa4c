from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from certuary.core.certificate import build_root, sign_plan
from certuary.services.ports import CrlRow
from certuary.status.documents import PublishedAuthority, build_documents

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def _authority(identifier: int, name: str, kind: str, crl: CrlRow | None = None) -> PublishedAuthority:
    key = ec.generate_private_key(ec.SECP256R1())
    plan = build_root(key.public_key(), organization=name, serial=identifier, now=NOW)
    certificate = sign_plan(plan, key)
    return PublishedAuthority(
        id=identifier,
        name=name,
        kind=kind,
        certificate_der=certificate.der,
        not_before=NOW,
        not_after=NOW + timedelta(days=1),
        crl_lifetime_seconds=60,
        crl=crl,
    )


def _crl() -> CrlRow:
    return CrlRow(
        authority_id=2,
        number=1,
        covers_revision=1,
        this_update=NOW,
        next_update=NOW + timedelta(hours=1),
        der=b"crl",
    )


def test_each_authority_has_its_certificate_and_the_crl_it_published() -> None:
    root, issuing = _authority(1, "root", "root"), _authority(2, "issuing", "issuing", _crl())
    documents = build_documents([root, issuing])
    assert set(documents) == {"/ca.pem", "/ca/root.crt", "/ca/issuing.crt", "/crl/issuing.crl"}
    assert documents["/ca/root.crt"].body == root.certificate_der
    assert documents["/ca/root.crt"].media_type == "application/pkix-cert"
    assert documents["/crl/issuing.crl"].body == b"crl"
    assert documents["/crl/issuing.crl"].media_type == "application/pkix-crl"
    assert documents["/crl/issuing.crl"].expires == NOW + timedelta(hours=1)


def test_the_pem_file_holds_every_authority_and_ends_with_the_root() -> None:
    root, issuing = _authority(1, "root", "root"), _authority(2, "issuing", "issuing")
    pem = build_documents([root, issuing])["/ca.pem"].body
    loaded = x509.load_pem_x509_certificates(pem)
    assert [one.serial_number for one in loaded] == [2, 1]


def test_another_body_has_another_etag() -> None:
    documents = build_documents([_authority(1, "a", "root"), _authority(2, "b", "issuing")])
    etags = {document.etag for document in documents.values()}
    assert len(etags) == 3
    assert all(etag.startswith('"') and etag.endswith('"') for etag in etags)


def test_without_authorities_nothing_is_published() -> None:
    assert build_documents([]) == {}
