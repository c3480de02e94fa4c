from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from certuary.core import der, oids
from certuary.core.csr import MAX_ALTERNATIVE_NAMES, parse_csr, verify_proof_of_possession
from certuary.core.values import key_hash
from certuary.errors import BadProofOfPossession, BadRequest, KeyRefused, MalformedCsr
from tests.request_maker import (
    COMMON_NAME_DER,
    KEY,
    SigningKey,
    attribute,
    attributes,
    extension_request,
    info,
    name,
    request,
    spki,
    usual_request,
)
from tests.vectors.reader import load, load_all

RSA_KEY = rsa.generate_private_key(65537, 2048)
SAN = x509.SubjectAlternativeName([x509.DNSName("a.example"), x509.IPAddress(ip_address("10.0.0.1"))])


def utf8(text: str) -> bytes:
    return der.tlv(der.UTF8_STRING, text.encode())


def with_attributes(*each: bytes) -> bytes:
    return request(info(attributes=attributes(*each)))


def test_parse_csr_reads_what_a_usual_request_says() -> None:
    encoded = usual_request(alternative_names=list(SAN), challenge="abc")
    csr = parse_csr(encoded)
    assert csr.der == encoded
    assert csr.subject == name((NameOID.COMMON_NAME, "dev-1"))
    assert csr.public_key == KEY.public_key()
    assert csr.spki_der == spki(KEY)
    assert csr.key_hash == key_hash(spki(KEY))
    assert csr.alternative_names == tuple(SAN)
    assert csr.extensions == ()
    assert csr.challenge_password == "abc"
    assert csr.change_subject_name is None
    verify_proof_of_possession(csr)


def test_parse_csr_keeps_extensions_other_than_the_alternative_names() -> None:
    constraints = x509.BasicConstraints(ca=True, path_length=None)
    csr = parse_csr(with_attributes(extension_request(SAN, constraints)))
    assert [extension.value for extension in csr.extensions] == [constraints]
    assert csr.alternative_names == tuple(SAN)


def test_parse_csr_keeps_an_unknown_extension_with_its_criticality() -> None:
    unknown = der.tlv(
        der.SEQUENCE, bytes.fromhex("06032a0304"), b"\x01\x01\xff", der.tlv(der.OCTET_STRING, b"\x05\x00")
    )
    csr = parse_csr(with_attributes(attribute(oids.EXTENSION_REQUEST, der.tlv(der.SEQUENCE, unknown))))
    (only,) = csr.extensions
    assert only.critical
    assert only.oid.dotted_string == "1.2.3.4"


def test_parse_csr_reads_extensions_that_microsoft_tools_request() -> None:
    csr = parse_csr(with_attributes(extension_request(SAN, oid=oids.MICROSOFT_EXTENSION_REQUEST)))
    assert csr.alternative_names == tuple(SAN)


def test_parse_csr_ignores_attributes_it_does_not_know() -> None:
    client_version = attribute(bytes.fromhex("060a2b060104018237 0d0203"), der.tlv(der.IA5_STRING, b"10.0"))
    unstructured_name = attribute(bytes.fromhex("06092a864886f70d010902"), utf8("a"), utf8("b"))
    csr = parse_csr(with_attributes(client_version, unstructured_name, extension_request(SAN)))
    assert csr.alternative_names == tuple(SAN)


def test_parse_csr_reads_an_empty_subject() -> None:
    csr = parse_csr(request(info(subject_der=b"\x30\x00", attributes=attributes(extension_request(SAN)))))
    assert csr.subject == x509.Name([])


def test_parse_csr_tolerates_attributes_that_are_left_out() -> None:
    encoded = request(info(attributes=b""))
    csr = parse_csr(encoded)
    assert csr.challenge_password is None
    verify_proof_of_possession(csr)


def test_parse_csr_tolerates_attributes_that_are_not_sorted() -> None:
    each = [attribute(oids.CHALLENGE_PASSWORD, utf8("x" * 99)), extension_request(SAN)]
    encoded = request(info(attributes=der.tlv(der.CONTEXT_0, *each)))
    assert each != sorted(each)
    csr = parse_csr(encoded)
    assert csr.der == encoded
    assert csr.alternative_names == tuple(SAN)
    verify_proof_of_possession(csr)


@pytest.mark.parametrize(
    ("encoded", "text"),
    [
        (der.tlv(der.PRINTABLE_STRING, b"+rrCir/7+EYu50T4"), "+rrCir/7+EYu50T4"),
        (utf8("caf\N{LATIN SMALL LETTER E WITH ACUTE}"), "caf\N{LATIN SMALL LETTER E WITH ACUTE}"),
        (der.tlv(der.IA5_STRING, b"abc"), "abc"),
        (der.tlv(der.T61_STRING, b"caf\xe9"), "caf\N{LATIN SMALL LETTER E WITH ACUTE}"),
        (der.tlv(der.BMP_STRING, "abc".encode("utf-16-be")), "abc"),
        (der.tlv(der.UNIVERSAL_STRING, "abc".encode("utf-32-be")), "abc"),
        (utf8("x" * 255), "x" * 255),
        (utf8(""), ""),
    ],
)
def test_parse_csr_reads_a_challenge_password_of_any_string_type(encoded: bytes, text: str) -> None:
    csr = parse_csr(with_attributes(attribute(oids.CHALLENGE_PASSWORD, encoded)))
    assert csr.challenge_password == text


def test_every_request_vector_is_accepted() -> None:
    challenges = {vector.name: parse_csr(vector.der).challenge_password for vector in load_all("csr")}
    assert challenges == {
        "rfc7030-a3-request": "+rrCir/7+EYu50T4",
        "rfc9148-a2-request": "vCv0)*&JKJ;\xe2\x80\x99/><.,=knv43##@= Nx~`",
        "rfc9148-a3-request": None,
    }


def test_a_request_of_rfc_9148_proves_possession() -> None:
    for which in ("rfc9148-a2-request", "rfc9148-a3-request"):
        verify_proof_of_possession(parse_csr(load(which).der))


# --- refusals of the structure

OTHER_VERSION = info(version=b"\x02\x01\x01")


REFUSED: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "text": lambda: b"hello",
    "a SET": lambda: b"\x31" + usual_request()[1:],
    "a request that is cut off": lambda: usual_request()[:-1],
    "an indefinite length": lambda: b"\x30\x80" + usual_request()[4:] + b"\x00\x00",
    "version 2": lambda: request(OTHER_VERSION),
    "a version of two octets": lambda: request(info(version=b"\x02\x02\x00\x00")),
    "no subject": lambda: request(info(subject_der=b"")),
    "attributes with another tag": lambda: request(info(attributes=b"\xa1\x00")),
    "octets after the attributes": lambda: request(info(attributes=b"\xa0\x00\x05\x00")),
    "an attribute that is no SEQUENCE": lambda: with_attributes(b"\x05\x00"),
    "an attribute without values": lambda: with_attributes(der.tlv(der.SEQUENCE, oids.CHALLENGE_PASSWORD)),
    "an extension request with no value": lambda: with_attributes(attribute(oids.EXTENSION_REQUEST)),
    "an extension request with two values": lambda: with_attributes(
        attribute(oids.EXTENSION_REQUEST, b"\x30\x00", b"\x30\x00")
    ),
    "an extension whose value is junk": lambda: with_attributes(
        attribute(
            oids.EXTENSION_REQUEST,
            der.tlv(der.SEQUENCE, der.tlv(der.SEQUENCE, oids.SUBJECT_ALTERNATIVE_NAME, b"\x04\x02\x30\x05")),
        )
    ),
    "an empty extended key usage": lambda: with_attributes(
        attribute(
            oids.EXTENSION_REQUEST,
            der.tlv(der.SEQUENCE, der.tlv(der.SEQUENCE, bytes.fromhex("0603551d25"), b"\x04\x02\x05\x00")),
        )
    ),
    "a TLS feature that nobody knows": lambda: with_attributes(
        attribute(
            oids.EXTENSION_REQUEST,
            der.tlv(
                der.SEQUENCE,
                der.tlv(der.SEQUENCE, bytes.fromhex("06082b06010505070118"), b"\x04\x05\x30\x03\x02\x01\x06"),
            ),
        )
    ),
    "unused bits in the signature": lambda: der.tlv(
        der.SEQUENCE, info(), der.tlv(der.SEQUENCE, oids.ECDSA_WITH_SHA256), b"\x03\x02\x01\x00"
    ),
    "an empty signature field": lambda: der.tlv(
        der.SEQUENCE, info(), der.tlv(der.SEQUENCE, oids.ECDSA_WITH_SHA256), b"\x03\x00"
    ),
    "octets after the signature": lambda: der.tlv(
        der.SEQUENCE, info(), der.tlv(der.SEQUENCE, oids.ECDSA_WITH_SHA256), b"\x03\x02\x00\x00", b"\x05\x00"
    ),
    "a subject that is junk": lambda: request(info(subject_der=b"\x30\x02\x31\x05")),
    "a common name that is an INTEGER": lambda: request(
        info(subject_der=_subject(oids.COMMON_NAME, der.integer(5)))
    ),
    "a common name that is not UTF-8": lambda: request(
        info(subject_der=_subject(oids.COMMON_NAME, der.tlv(der.UTF8_STRING, b"\xff\xfe")))
    ),
    "a challengePassword with no value": lambda: with_attributes(attribute(oids.CHALLENGE_PASSWORD)),
    "a challengePassword with two values": lambda: with_attributes(
        attribute(oids.CHALLENGE_PASSWORD, utf8("a"), utf8("b"))
    ),
    "a challengePassword that is a number": lambda: with_attributes(
        attribute(oids.CHALLENGE_PASSWORD, der.integer(5))
    ),
    "a challengePassword that is not its type": lambda: with_attributes(
        attribute(oids.CHALLENGE_PASSWORD, der.tlv(der.PRINTABLE_STRING, b"\xff"))
    ),
    "a challengePassword of 256 characters": lambda: with_attributes(
        attribute(oids.CHALLENGE_PASSWORD, utf8("x" * 256))
    ),
    "a public key that is no SEQUENCE": lambda: request(info(spki_der=b"\x31\x00")),
    "20,000 nested SEQUENCEs": lambda: _nested(20_000),
}


def _subject(oid: bytes, value: bytes) -> bytes:
    return der.tlv(der.SEQUENCE, der.tlv(der.SET, der.tlv(der.SEQUENCE, oid, value)))


def _nested(depth: int) -> bytes:
    encoded = b""
    for _ in range(depth):
        encoded = der.tlv(der.SEQUENCE, encoded)
    return encoded


def test_parse_csr_says_which_version_it_wants() -> None:
    with pytest.raises(MalformedCsr, match="version is not 0"):
        parse_csr(request(OTHER_VERSION))


@pytest.mark.parametrize("make", REFUSED.values(), ids=REFUSED.keys())
def test_parse_csr_refuses(make: Callable[[], bytes]) -> None:
    with pytest.raises(MalformedCsr):
        parse_csr(make())


NAMED: dict[str, tuple[str, Callable[[], bytes]]] = {
    "trailing octets": ("trailing-bytes", lambda: usual_request() + b"\x00"),
    "an attribute twice": (
        "duplicate-attribute",
        lambda: with_attributes(*[attribute(oids.CHALLENGE_PASSWORD, utf8("a"))] * 2),
    ),
    "both kinds of extension request": (
        "duplicate-attribute",
        lambda: with_attributes(
            extension_request(SAN), extension_request(SAN, oid=oids.MICROSOFT_EXTENSION_REQUEST)
        ),
    ),
    "an extension twice": ("duplicate-extension", lambda: with_attributes(extension_request(SAN, SAN))),
    "a common name of 65 octets": (
        "name-length",
        lambda: request(info(subject_der=_subject(oids.COMMON_NAME, utf8("x" * 65)))),
    ),
    "an empty common name": (
        "name-length",
        lambda: request(info(subject_der=_subject(oids.COMMON_NAME, utf8("")))),
    ),
    "a country of three letters": (
        "name-length",
        lambda: request(info(subject_der=_subject(oids.COUNTRY_NAME, der.tlv(der.PRINTABLE_STRING, b"DEU")))),
    ),
    "a jurisdiction of one letter": (
        "name-length",
        lambda: request(
            info(subject_der=_subject(oids.JURISDICTION_COUNTRY_NAME, der.tlv(der.PRINTABLE_STRING, b"D")))
        ),
    ),
    "a long common name inside an alternative name": (
        "name-length",
        lambda: with_attributes(attribute(oids.EXTENSION_REQUEST, _directory_name("x" * 65))),
    ),
    "1,001 alternative names": (
        "too-many-names",
        lambda: usual_request(alternative_names=[x509.DNSName("a")] * (MAX_ALTERNATIVE_NAMES + 1)),
    ),
    "an alternative name of an unsupported kind": (
        "unsupported-name",
        lambda: with_attributes(attribute(oids.EXTENSION_REQUEST, _alternative_name(b"\xa3\x02\x30\x00"))),
    ),
}


def _directory_name(common_name: str) -> bytes:
    return _alternative_name(der.tlv(0xA4, _subject(oids.COMMON_NAME, utf8(common_name))))


def _alternative_name(general_name: bytes) -> bytes:
    value = der.tlv(der.OCTET_STRING, der.tlv(der.SEQUENCE, general_name))
    return der.tlv(der.SEQUENCE, der.tlv(der.SEQUENCE, oids.SUBJECT_ALTERNATIVE_NAME, value))


@pytest.mark.parametrize(("rule", "make"), NAMED.values(), ids=NAMED.keys())
def test_parse_csr_names_the_rule_when_it_refuses(rule: str, make: Callable[[], bytes]) -> None:
    with pytest.raises(MalformedCsr) as caught:
        parse_csr(make())
    assert caught.value.rule == rule
    assert str(caught.value).startswith(f"{rule}: ")


def test_parse_csr_accepts_names_at_their_bounds() -> None:
    csr = parse_csr(
        usual_request(common_name="x" * 64, alternative_names=[x509.DNSName("a")] * MAX_ALTERNATIVE_NAMES)
    )
    assert len(csr.alternative_names) == MAX_ALTERNATIVE_NAMES


def test_parse_csr_leaves_a_list_of_attribute_types_alone() -> None:
    """The octets of a common name's identifier may stand where no name is."""
    types = der.tlv(der.SEQUENCE, oids.COMMON_NAME, oids.COUNTRY_NAME)
    at_the_end = attribute(bytes.fromhex("06032a0304"), types)
    assert parse_csr(with_attributes(at_the_end)).subject == name((NameOID.COMMON_NAME, "dev-1"))


def test_parse_csr_refuses_a_key_by_its_size_before_it_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def loaded(_: bytes) -> None:
        raise AssertionError("the key was loaded")

    monkeypatch.setattr("certuary.core.keypolicy.load_der_public_key", loaded)
    numbers = der.tlv(der.SEQUENCE, der.integer((1 << 131_071) + 1), der.integer(65537))
    huge = der.tlv(
        der.SEQUENCE,
        der.tlv(der.SEQUENCE, oids.RSA_ENCRYPTION, der.NULL),
        der.tlv(der.BIT_STRING, b"\x00", numbers),
    )
    with pytest.raises(KeyRefused) as caught:
        parse_csr(request(info(spki_der=huge)))
    assert caught.value.rule == "rsa-modulus-too-large"


RELATIVE_NAME = COMMON_NAME_DER[2:]

HOSTILE = {
    "60 KB of alternative names": lambda: usual_request(alternative_names=[x509.DNSName("a")] * 20_000),
    "nested SEQUENCEs": lambda: _nested(15_000),
    "a giant identifier": lambda: with_attributes(
        attribute(der.tlv(der.OBJECT_IDENTIFIER, b"\x81" * 60_000 + b"\x01"), b"\x05\x00")
    ),
    "10,000 attributes": lambda: with_attributes(
        *(attribute(der.tlv(der.OBJECT_IDENTIFIER, n.to_bytes(2, "big")), b"") for n in range(10_000))
    ),
    "5,000 relative names": lambda: request(
        info(subject_der=der.tlv(der.SEQUENCE, *[RELATIVE_NAME] * 5_000))
    ),
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE.keys())
def test_parse_csr_is_done_with_hostile_requests_fast(make: Callable[[], bytes]) -> None:
    encoded = make()
    started = time.process_time()
    with contextlib.suppress(BadRequest):
        parse_csr(encoded)
    assert time.process_time() - started < 0.2


# --- ChangeSubjectName


def _change(*parts: bytes) -> bytes:
    return with_attributes(attribute(oids.CHANGE_SUBJECT_NAME, der.tlv(der.SEQUENCE, *parts)))


NEW_SUBJECT = name((NameOID.COMMON_NAME, "new-name"))
NEW_NAMES = b"\x82\x0bnew.example"


@pytest.mark.parametrize("form", ["tagged", "untagged"])
def test_parse_csr_reads_both_forms_of_change_subject_name(form: str) -> None:
    csr = parse_csr(with_attributes(load(f"change-subject-name-{form}").der))
    assert csr.subject == name((NameOID.COMMON_NAME, "dev-1"))
    assert csr.change_subject_name is not None
    assert csr.change_subject_name.subject == NEW_SUBJECT
    assert csr.change_subject_name.alternative_names == (x509.DNSName("new.example"),)


def test_change_subject_name_without_alternative_names_removes_them() -> None:
    change = parse_csr(_change(NEW_SUBJECT.public_bytes())).change_subject_name
    assert change is not None
    assert change.subject == NEW_SUBJECT
    assert change.alternative_names == ()


@pytest.mark.parametrize("tag", [der.CONTEXT_1, der.SEQUENCE])
def test_change_subject_name_without_a_subject_empties_it(tag: int) -> None:
    change = parse_csr(_change(der.tlv(tag, NEW_NAMES))).change_subject_name
    assert change is not None
    assert change.subject == x509.Name([])
    assert change.alternative_names == (x509.DNSName("new.example"),)


def test_change_subject_name_may_hold_an_empty_subject() -> None:
    change = parse_csr(_change(b"\x30\x00", der.tlv(der.CONTEXT_1, NEW_NAMES))).change_subject_name
    assert change is not None
    assert change.subject == x509.Name([])


BAD_CHANGES = {
    "nothing in it": _change(),
    "empty alternative names": _change(NEW_SUBJECT.public_bytes(), b"\xa1\x00"),
    "three parts": _change(NEW_SUBJECT.public_bytes(), der.tlv(der.CONTEXT_1, NEW_NAMES), b"\x05\x00"),
    "another tag": _change(NEW_SUBJECT.public_bytes(), der.tlv(0xA2, NEW_NAMES)),
    "alternative names that are junk": _change(der.tlv(der.CONTEXT_1, b"\x82\x05a")),
    "a subject that is junk": _change(b"\x30\x02\x31\x05"),
    "a subject with a long common name": _change(_subject(oids.COMMON_NAME, utf8("x" * 65))),
    "no value": with_attributes(attribute(oids.CHANGE_SUBJECT_NAME)),
    "two values": with_attributes(
        attribute(oids.CHANGE_SUBJECT_NAME, *[der.tlv(der.SEQUENCE, COMMON_NAME_DER)] * 2)
    ),
}


@pytest.mark.parametrize("encoded", BAD_CHANGES.values(), ids=BAD_CHANGES.keys())
def test_parse_csr_refuses_a_change_subject_name_with(encoded: bytes) -> None:
    with pytest.raises(MalformedCsr):
        parse_csr(encoded)


# --- proof of possession


Sha2 = hashes.SHA256 | hashes.SHA384 | hashes.SHA512


def _signed(key: SigningKey, algorithm: Sha2 | None, pss: padding.PSS | None = None) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(NEW_SUBJECT)
    if pss is not None:
        assert isinstance(key, rsa.RSAPrivateKey)
        return builder.sign(key, algorithm, rsa_padding=pss).public_bytes(Encoding.DER)
    return builder.sign(key, algorithm).public_bytes(Encoding.DER)


PSS = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)

PROVEN: dict[str, Callable[[], bytes]] = {
    "P-256 with SHA-256": lambda: _signed(KEY, hashes.SHA256()),
    "P-384 with SHA-384": lambda: _signed(ec.generate_private_key(ec.SECP384R1()), hashes.SHA384()),
    "P-521 with SHA-512": lambda: _signed(ec.generate_private_key(ec.SECP521R1()), hashes.SHA512()),
    "RSA with SHA-256": lambda: _signed(RSA_KEY, hashes.SHA256()),
    "RSA with SHA-512": lambda: _signed(RSA_KEY, hashes.SHA512()),
    "RSA-PSS": lambda: _signed(RSA_KEY, hashes.SHA256(), PSS),
    "Ed25519": lambda: _signed(ed25519.Ed25519PrivateKey.generate(), None),
}


@pytest.mark.parametrize("make", PROVEN.values(), ids=PROVEN.keys())
def test_verify_proof_of_possession_accepts(make: Callable[[], bytes]) -> None:
    verify_proof_of_possession(parse_csr(make()))


@pytest.mark.parametrize("make", PROVEN.values(), ids=PROVEN.keys())
def test_verify_proof_of_possession_refuses_a_changed_request_with(make: Callable[[], bytes]) -> None:
    changed = make().replace(b"new-name", b"old-name")
    with pytest.raises(BadProofOfPossession, match="is not signed by the private key") as caught:
        verify_proof_of_possession(parse_csr(changed))
    assert caught.value.rule == "proof-of-possession"


def test_verify_proof_of_possession_refuses_each_flipped_bit_of_a_signature() -> None:
    encoded = usual_request()
    length = len(parse_csr(encoded).signature)
    for place in range(len(encoded) - length, len(encoded)):
        flipped = encoded[:place] + bytes((encoded[place] ^ 1,)) + encoded[place + 1 :]
        with pytest.raises(BadProofOfPossession):
            verify_proof_of_possession(parse_csr(flipped))


def test_verify_proof_of_possession_accepts_rsa_without_the_null() -> None:
    body = info(spki_der=spki(RSA_KEY))
    signature = RSA_KEY.sign(body, padding.PKCS1v15(), hashes.SHA256())
    algorithm = der.tlv(der.SEQUENCE, oids.SHA256_WITH_RSA)
    verify_proof_of_possession(parse_csr(request(body, algorithm=algorithm, signature=signature)))


RSA_BODY = info(spki_der=spki(RSA_KEY))
SHA1_PSS = bytes.fromhex("300d06092a864886f70d01010a3000")
UNKNOWN_PSS = der.tlv(
    der.SEQUENCE,
    oids.RSASSA_PSS,
    der.tlv(
        der.SEQUENCE, der.tlv(der.CONTEXT_0, der.tlv(der.SEQUENCE, bytes.fromhex("06032a0304"), der.NULL))
    ),
)

WEAK = {
    "RSA with SHA-1": load("rfc7030-a3-request").der,
    "ECDSA with SHA-1": request(info(), algorithm=bytes.fromhex("300906072a8648ce3d0401")),
    "RSA with MD5": request(
        RSA_BODY, algorithm=bytes.fromhex("300d06092a864886f70d0101040500"), signature=b"x"
    ),
    "RSA-PSS with SHA-1": request(RSA_BODY, algorithm=SHA1_PSS, signature=b"x"),
    "RSA-PSS with an unknown hash": request(RSA_BODY, algorithm=UNKNOWN_PSS, signature=b"x"),
    "RSA-PSS with junk": request(
        RSA_BODY, algorithm=bytes.fromhex("300d06092a864886f70d01010a0500"), signature=b"x"
    ),
    "ECDSA for an RSA key": request(RSA_BODY),
    "RSA for an EC key": request(info(), algorithm=der.tlv(der.SEQUENCE, oids.SHA256_WITH_RSA, der.NULL)),
    "Ed25519 for an EC key": request(info(), algorithm=der.tlv(der.SEQUENCE, oids.ED25519)),
    "no signature at all": request(
        info(), algorithm=bytes.fromhex("300a06082b06010505070602"), signature=b""
    ),
}


@pytest.mark.parametrize("encoded", WEAK.values(), ids=WEAK.keys())
def test_verify_proof_of_possession_refuses_the_algorithm_of(encoded: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        verify_proof_of_possession(parse_csr(encoded))
    assert caught.value.rule in {"signature-algorithm", "malformed-csr"}
