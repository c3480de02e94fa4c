from __future__ import annotations

import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from certuary.core import der, oids
from certuary.core.cms import certs_only, parse_certs_only
from certuary.errors import MalformedBody
from tests.vectors.reader import load, load_all

CERTIFICATES = parse_certs_only(load("rfc7030-a1-cacerts").der)


def test_parse_certs_only_keeps_the_order_of_an_unsorted_bag() -> None:
    names = [x509.load_der_x509_certificate(each).subject.rfc4514_string() for each in CERTIFICATES]
    assert names == [f"CN=estExampleCA {which}" for which in ("OwO", "NwO", "OwN", "NwN")]


def test_parse_certs_only_finds_the_one_certificate_of_an_enrolment() -> None:
    (only,) = parse_certs_only(load("rfc7030-a3-answer").der)
    assert x509.load_der_x509_certificate(only).serial_number == 0x15


@pytest.mark.parametrize("count", [1, 2, 4])
def test_certs_only_writes_what_cryptography_writes(count: int) -> None:
    chosen = CERTIFICATES[:count]
    expected = pkcs7.serialize_certificates(
        [x509.load_der_x509_certificate(each) for each in chosen], Encoding.DER
    )
    assert certs_only(chosen) == expected
    assert sorted(parse_certs_only(expected)) == sorted(chosen)


def test_certs_only_of_one_certificate_differs_from_the_rfc_by_its_empty_crls_alone() -> None:
    vector = load("rfc7030-a3-answer")
    (only,) = parse_certs_only(vector.der)
    made = certs_only([only])
    assert len(made) == len(vector.der) - 2
    assert made.endswith(only + b"\x31\x00")
    assert vector.der.endswith(only + b"\xa1\x00\x31\x00")


def test_every_certs_only_vector_is_accepted() -> None:
    digests = {
        hashlib.sha256(each).digest() for v in load_all("certs-only") for each in parse_certs_only(v.der)
    }
    assert len(digests) == 5


def _message(*parts: bytes, content_type: bytes = oids.ID_SIGNED_DATA) -> bytes:
    signed_data = der.tlv(der.SEQUENCE, *parts)
    return der.tlv(der.SEQUENCE, content_type, der.tlv(der.CONTEXT_0, signed_data))


_HEAD = (der.integer(1), der.tlv(der.SET), der.tlv(der.SEQUENCE, oids.ID_DATA))
_END = der.tlv(der.SET)
_BAG = der.tlv(der.CONTEXT_0, b"\x30\x00")

REFUSED = {
    "nothing": b"",
    "octets after it": _message(*_HEAD, _BAG, _END) + b"\x00",
    "another content type": _message(*_HEAD, _BAG, _END, content_type=oids.ID_DATA),
    "no certificates": _message(*_HEAD, _END),
    "two bags": _message(*_HEAD, _BAG, _BAG, _END),
    "no signerInfos": _message(*_HEAD, _BAG),
    "parts in the wrong order": _message(*_HEAD[::-1], _BAG, _END),
    "an empty SignedData": _message(),
    "a bag that is cut off": _message(*_HEAD, der.tlv(der.CONTEXT_0, b"\x30\x05"), _END),
}


@pytest.mark.parametrize("message", REFUSED.values(), ids=REFUSED.keys())
def test_parse_certs_only_refuses(message: bytes) -> None:
    with pytest.raises(MalformedBody, match="not a certs-only CMS message"):
        parse_certs_only(message)
