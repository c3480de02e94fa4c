"""Each parser of hostile octets gives a value or raises `BadRequest`, and nothing else: no other error, no warning."""

from __future__ import annotations

import base64
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import example, given, settings
from hypothesis import strategies as st

from certuary.core import der, oids
from certuary.core.basic import Credentials, parse_basic
from certuary.core.blocklist import EMPTY, Blocklist, read_hash_lines, read_records
from certuary.core.cms import certs_only, parse_certs_only
from certuary.core.csr import Csr, parse_csr, verify_proof_of_possession
from certuary.core.est import Route, parse_media_type, route
from certuary.core.keypolicy import check_key, load_public_key
from certuary.core.linking import check_linking
from certuary.core.proxy_protocol import SIGNATURE, NeedMore, Parsed, parse_proxy_header
from certuary.core.transfer import decode_body, encode_body
from certuary.errors import BadRequest
from tests.fuzz.octets import anything_or_nearly, nearly
from tests.request_maker import (
    attribute,
    attributes,
    extension_request,
    info,
    name,
    request,
    spki,
    usual_request,
)
from tests.vectors.reader import load_all

RSA_KEY = rsa.generate_private_key(65537, 2048)

EVERY_NAME = name(
    (NameOID.COUNTRY_NAME, "DE"),
    (NameOID.JURISDICTION_COUNTRY_NAME, "DE"),
    (NameOID.COMMON_NAME, "dev-1"),
    (NameOID.EMAIL_ADDRESS, "a@b.example"),
    (NameOID.DOMAIN_COMPONENT, "example"),
)
EVERY_ALTERNATIVE_NAME = x509.SubjectAlternativeName(
    [
        x509.DNSName("a.example"),
        x509.IPAddress(ip_address("10.0.0.1")),
        x509.RFC822Name("a@b.example"),
        x509.UniformResourceIdentifier("urn:a"),
        x509.DirectoryName(EVERY_NAME),
        x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
        x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), b"\x0c\x01a"),
    ]
)
USAGE = x509.KeyUsage(True, False, True, False, False, False, False, False, False)
REQUESTS = [
    usual_request(alternative_names=[x509.DNSName("a.example")], challenge="abc"),
    usual_request(RSA_KEY),
    x509.CertificateSigningRequestBuilder()
    .subject_name(EVERY_NAME)
    .sign(RSA_KEY, SHA256(), rsa_padding=PSS(mgf=MGF1(SHA256()), salt_length=32))
    .public_bytes(Encoding.DER),
    usual_request(ed25519.Ed25519PrivateKey.generate()),
    request(
        info(
            subject_der=EVERY_NAME.public_bytes(),
            attributes=attributes(
                extension_request(
                    EVERY_ALTERNATIVE_NAME,
                    USAGE,
                    x509.BasicConstraints(ca=True, path_length=0),
                    x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]),
                    x509.NameConstraints([x509.DNSName("a.example")], None),
                    x509.TLSFeature([x509.TLSFeatureType.status_request]),
                    x509.AuthorityKeyIdentifier(b"a", [x509.DirectoryName(EVERY_NAME)], 7),
                    x509.CRLDistributionPoints(
                        [
                            x509.DistributionPoint(
                                [x509.DNSName("a")], None, frozenset([x509.ReasonFlags.superseded]), None
                            )
                        ]
                    ),
                    x509.CertificatePolicies(
                        [
                            x509.PolicyInformation(
                                x509.ObjectIdentifier("1.2.3"),
                                [x509.UserNotice(x509.NoticeReference("o", [1]), "t"), "urn:cps"],
                            )
                        ]
                    ),
                ),
                attribute(oids.CHALLENGE_PASSWORD, der.tlv(der.BMP_STRING, b"\x00a")),
            ),
        )
    ),
    *[vector.der for vector in load_all("csr")],
    *[request(info(attributes=attributes(vector.der))) for vector in load_all("attribute")],
]


def holds(parser: Callable[[bytes], object], octets: bytes) -> object | None:
    """What the parser gives; None when it refused. Any other error fails the test by itself."""
    with suppress(BadRequest):
        return parser(octets)
    return None


BODIES = [
    encode_body(REQUESTS[0]),
    base64.encodebytes(REQUESTS[0]),
    REQUESTS[0],
    REQUESTS[0] + b"\r\n",
    b"-----BEGIN CERTIFICATE REQUEST-----\n"
    + base64.encodebytes(REQUESTS[0])
    + b"-----END CERTIFICATE REQUEST-----\n",
]


@given(anything_or_nearly(BODIES))
@settings(max_examples=500)
def test_a_body_gives_octets_or_a_bad_request(body: bytes) -> None:
    assert isinstance(holds(decode_body, body), bytes | None)


@given(st.binary())
def test_a_body_we_encode_is_read_back(content: bytes) -> None:
    sequence = der.tlv(der.SEQUENCE, content)
    assert decode_body(encode_body(sequence)) == sequence


@given(anything_or_nearly(REQUESTS))
@settings(max_examples=1500)
def test_a_request_gives_a_value_or_a_bad_request(octets: bytes) -> None:
    with suppress(BadRequest):
        csr = parse_csr(octets)
        assert isinstance(csr, Csr)
        assert csr.der == octets
        check_key(csr.public_key, csr.spki_der, EMPTY)
        verify_proof_of_possession(csr)


@given(
    nearly(
        [vector.der for vector in load_all("attribute")] + [attribute(oids.CHALLENGE_PASSWORD, b"\x0c\x01a")]
    )
)
@settings(max_examples=500)
def test_an_attribute_of_a_request_gives_a_value_or_a_bad_request(octets: bytes) -> None:
    holds(parse_csr, request(info(attributes=der.tlv(der.CONTEXT_0, octets)), signature=b""))


@given(nearly([EVERY_NAME.public_bytes()]))
@settings(max_examples=500)
def test_a_subject_gives_a_value_or_a_bad_request(octets: bytes) -> None:
    holds(parse_csr, request(info(subject_der=octets), signature=b""))


@given(nearly([EVERY_ALTERNATIVE_NAME.public_bytes()]))
@settings(max_examples=500)
def test_alternative_names_give_a_value_or_a_bad_request(octets: bytes) -> None:
    extension = der.tlv(der.SEQUENCE, oids.SUBJECT_ALTERNATIVE_NAME, der.tlv(der.OCTET_STRING, octets))
    asked = attribute(oids.EXTENSION_REQUEST, der.tlv(der.SEQUENCE, extension))
    holds(parse_csr, request(info(attributes=attributes(asked)), signature=b""))


@given(
    anything_or_nearly(
        [spki(RSA_KEY), spki(ed25519.Ed25519PrivateKey.generate()), parse_csr(REQUESTS[0]).spki_der]
    )
)
@settings(max_examples=500)
def test_a_public_key_gives_a_value_or_a_bad_request(octets: bytes) -> None:
    with suppress(BadRequest):
        public_key, spki_der = load_public_key(octets)
        check_key(public_key, spki_der, Blocklist(bytes(16)))


@given(st.binary(max_size=12), st.text(max_size=20))
def test_a_linking_value_is_accepted_only_when_it_is_the_base64_of_the_binding(
    binding: bytes, text: str
) -> None:
    check_linking(base64.b64encode(binding).decode(), tls_unique=binding)
    if text != base64.b64encode(binding).decode():
        assert holds(lambda _: check_linking(text, tls_unique=binding), b"") is None


HEADERS = [b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", b"basic  OnNlY3JldA==", b"Bearer abc"]


@given(anything_or_nearly(HEADERS))
@settings(max_examples=500)
def test_an_authorization_header_gives_credentials_or_a_bad_request(header: bytes) -> None:
    assert isinstance(holds(parse_basic, header), Credentials | None)


_NO_CONTROLS = st.text(st.characters(exclude_categories=["Cc", "Cs"]))


@given(_NO_CONTROLS.filter(lambda text: ":" not in text), _NO_CONTROLS)
def test_credentials_are_read_back(username: str, password: str) -> None:
    header = b"Basic " + base64.b64encode(f"{username}:{password}".encode())
    assert parse_basic(header) == Credentials(username=username, password=password)


PROXY_HEADERS = [
    SIGNATURE + b"\x21\x11\x00\x0c\xc0\x00\x02\x07\xc6\x33\x64\x01\xc3\x50\x20\xfb",
    SIGNATURE + b"\x21\x21\x00\x24" + bytes(36),
    SIGNATURE + b"\x20\x00\x00\x00",
]


@given(anything_or_nearly(PROXY_HEADERS))
@settings(max_examples=500)
@example(b"")
def test_a_proxy_header_gives_an_answer_or_a_bad_request(octets: bytes) -> None:
    answer = holds(parse_proxy_header, octets)
    assert isinstance(answer, NeedMore | Parsed | None)
    if isinstance(answer, Parsed):
        assert answer.consumed <= len(octets)


@given(anything_or_nearly(PROXY_HEADERS))
def test_a_proxy_header_means_the_same_octet_by_octet(octets: bytes) -> None:
    """Sent in pieces it is never refused or complete earlier with another meaning than when sent whole."""
    whole = holds(parse_proxy_header, octets)
    for length in range(len(octets)):
        piece = holds(parse_proxy_header, octets[:length])
        if not isinstance(piece, NeedMore):
            assert piece == whole
            break
        assert length + piece.octets <= len(octets) or isinstance(whole, NeedMore | None)


@given(
    st.one_of(st.binary(), nearly([b"/.well-known/est/plant/simpleenroll", b"/emCAServices/est/%41/cacerts"]))
)
@settings(max_examples=300)
def test_any_path_is_a_route_or_nothing(path: bytes) -> None:
    assert isinstance(route(path), Route | None)


@given(st.one_of(st.binary(), st.text()))
def test_any_content_type_is_read(value: bytes | str) -> None:
    essence = parse_media_type(value).essence
    assert essence == essence.strip().lower()


MESSAGES = [vector.der for vector in load_all("certs-only")]


@given(anything_or_nearly(MESSAGES))
def test_a_certs_only_message_gives_certificates_or_a_bad_request(octets: bytes) -> None:
    assert isinstance(holds(parse_certs_only, octets), tuple | None)


@given(st.lists(st.binary(max_size=200).map(lambda content: der.tlv(der.SEQUENCE, content))))
def test_certificates_come_out_of_a_bag_as_they_went_in(certificates: list[bytes]) -> None:
    assert sorted(parse_certs_only(certs_only(certificates))) == sorted(certificates)


@given(st.binary(max_size=200))
def test_a_blocklist_file_gives_records_or_a_bad_request(octets: bytes) -> None:
    holds(lambda content: list(read_records(content)), octets)
    holds(lambda content: list(read_hash_lines(content.splitlines())), octets)
