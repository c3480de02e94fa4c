"""PKCS#10 certification requests: read, and proof of possession. RFC 2986, RFC 7030 section 4.2.1.

    CertificationRequest ::= SEQUENCE { info, signatureAlgorithm AlgorithmIdentifier, signature BIT STRING }
    info ::= SEQUENCE { version INTEGER (0), subject Name, subjectPKInfo SubjectPublicKeyInfo,
                        attributes [0] IMPLICIT SET OF Attribute }

We walk the outer structure ourselves, which is cheap and lets the size rules of the key policy come before
anything is loaded; names and extensions are read by `cryptography`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from certuary.core import der, oids
from certuary.core.keypolicy import PublicKey, load_public_key
from certuary.core.values import key_hash
from certuary.errors import BadProofOfPossession, MalformedCsr

MAX_ALTERNATIVE_NAMES = 1000
"""A sanity bound; what a profile allows is far less."""
MAX_CHALLENGE_CHARACTERS = 255

_VERSION_0 = b"\x02\x01\x00"
_EMPTY_NAME = der.tlv(der.SEQUENCE)
_EXTENSION_REQUESTS = (oids.EXTENSION_REQUEST, oids.MICROSOFT_EXTENSION_REQUEST)

# DirectoryString of X.520, and IA5String, which tools emit though RFC 2985 does not list it.
_STRING_CODECS = {
    der.UTF8_STRING: "utf-8",
    der.PRINTABLE_STRING: "ascii",
    der.IA5_STRING: "ascii",
    der.T61_STRING: "latin-1",
    der.BMP_STRING: "utf-16-be",
    der.UNIVERSAL_STRING: "utf-32-be",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSubjectName:
    """The names the client wants instead of those it has (RFC 6402 section 2.8, S-32).

    Where one is absent the certificate shall have none, so an absent subject is the empty name here.
    """

    subject: x509.Name
    alternative_names: tuple[x509.GeneralName, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Csr:
    """A well-formed request whose proof of possession is still to be verified.

    `spki_der` is the key's usual encoding and `key_hash` its hash; `extensions` leave out the alternative
    names.
    """

    der: bytes
    subject: x509.Name
    public_key: PublicKey
    spki_der: bytes
    key_hash: str
    alternative_names: tuple[x509.GeneralName, ...]
    extensions: tuple[x509.Extension[x509.ExtensionType], ...]
    challenge_password: str | None
    change_subject_name: ChangeSubjectName | None
    signed_der: bytes
    signature_algorithm_der: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outline:
    """The encoded parts of a request. `is_der` is False where its attributes are left out or not sorted."""

    info: bytes
    subject: bytes
    spki: bytes
    attributes: tuple[bytes, ...]
    is_der: bool
    signature_algorithm: bytes
    signature: bytes


def parse_csr(csr_der: bytes) -> Csr:
    """Read a request, or raise `MalformedCsr`; `KeyRefused` for a key whose encoding alone rules it out."""
    outline = _outline(csr_der)
    _check_name_lengths(csr_der)
    values = _values_by_type(outline.attributes)
    public_key, spki_der = load_public_key(outline.spki)
    # `cryptography` wants the attributes to be there and sorted; some tools do neither, and nothing hangs on it.
    readable = csr_der if outline.is_der else _request_with(outline.subject, outline.attributes, outline)
    subject, alternative_names, extensions = _names_and_extensions(readable, bool(outline.attributes))
    return Csr(
        der=csr_der,
        subject=subject,
        public_key=public_key,
        spki_der=spki_der,
        key_hash=key_hash(spki_der),
        alternative_names=alternative_names,
        extensions=extensions,
        challenge_password=_challenge_password(values.get(oids.CHALLENGE_PASSWORD)),
        change_subject_name=_change_subject_name(values.get(oids.CHANGE_SUBJECT_NAME), outline),
        signed_der=outline.info,
        signature_algorithm_der=outline.signature_algorithm,
        signature=outline.signature,
    )


def verify_proof_of_possession(csr: Csr) -> None:
    """Verify that the request is signed by the key it is for (S-22), or raise `BadProofOfPossession`."""
    try:
        _verify(csr)
    except InvalidSignature:
        raise BadProofOfPossession("the request is not signed by the private key of its public key") from None


def _outline(csr_der: bytes) -> _Outline:
    try:
        return _walk(csr_der)
    except der.NotDer as problem:
        raise MalformedCsr(problem.detail) from None


def _walk(csr_der: bytes) -> _Outline:
    info_start, end = der.enter(csr_der, 0, len(csr_der), der.SEQUENCE)
    if end != len(csr_der):
        raise MalformedCsr("octets follow the request", rule="trailing-bytes")
    at, info_end = der.enter(csr_der, info_start, end, der.SEQUENCE)
    if not csr_der.startswith(_VERSION_0, at):
        raise MalformedCsr("the version is not 0, which means PKCS#10 version 1")
    subject_start = at + len(_VERSION_0)
    _, spki_start = der.enter(csr_der, subject_start, info_end, der.SEQUENCE)
    _, spki_end = der.enter(csr_der, spki_start, info_end, der.SEQUENCE)
    _, algorithm_end = der.enter(csr_der, info_end, end, der.SEQUENCE)
    signature, signature_end = der.enter(csr_der, algorithm_end, end, der.BIT_STRING)
    if signature_end != end or csr_der[signature : signature + 1] != b"\x00":
        raise MalformedCsr("the signature is not a whole number of octets at the request's end")
    attributes = _attributes(csr_der, spki_end, info_end)
    return _Outline(
        info=csr_der[info_start:info_end],
        subject=csr_der[subject_start:spki_start],
        spki=csr_der[spki_start:spki_end],
        attributes=attributes,
        is_der=spki_end < info_end and attributes == tuple(sorted(attributes)),
        signature_algorithm=csr_der[info_end:algorithm_end],
        signature=csr_der[signature + 1 : end],
    )


def _attributes(csr_der: bytes, at: int, end: int) -> tuple[bytes, ...]:
    if at == end:
        return ()
    at, stop = der.enter(csr_der, at, end, der.CONTEXT_0)
    if stop != end:
        raise MalformedCsr("octets follow the attributes")
    return tuple(csr_der[start:stop] for _, start, _, stop in der.elements(csr_der, at, end))


def _values_by_type(attributes: tuple[bytes, ...]) -> dict[bytes, bytes]:
    try:
        by_type = dict(map(_type_and_values, attributes))
    except der.NotDer as problem:
        raise MalformedCsr(f"an attribute cannot be read: {problem.detail}") from None
    if len(by_type) != len(attributes):
        raise MalformedCsr("an attribute occurs twice", rule="duplicate-attribute")
    if all(oid in by_type for oid in _EXTENSION_REQUESTS):
        raise MalformedCsr("extensions are requested twice", rule="duplicate-attribute")
    return by_type


def _type_and_values(attribute: bytes) -> tuple[bytes, bytes]:
    """Attribute ::= SEQUENCE { type OBJECT IDENTIFIER, values SET }; the content of the SET is given back."""
    at, end = der.enter(attribute, 0, len(attribute), der.SEQUENCE)
    _, type_end = der.enter(attribute, at, end, der.OBJECT_IDENTIFIER)
    values, values_end = der.enter(attribute, type_end, end, der.SET)
    return attribute[at:type_end], attribute[values:values_end]


_SHORT_ATTRIBUTE = re.compile(
    b"|".join(map(re.escape, (oids.COMMON_NAME, oids.COUNTRY_NAME, oids.JURISDICTION_COUNTRY_NAME)))
)


def _check_name_lengths(csr_der: bytes) -> None:
    """Refuse common names over 64 octets and countries that are not 2, wherever in the request they stand.

    `cryptography` only warns about them, which would let strangers write to a worker's log. Whatever else is
    wrong with a name is left to it.
    """
    for found in _SHORT_ATTRIBUTE.finditer(csr_der):
        octets = _text_octets(csr_der, found.end())
        if octets is None:
            continue
        if found[0] != oids.COMMON_NAME and octets != 2:
            raise MalformedCsr("a country name is not two letters", rule="name-length")
        if not 1 <= octets <= 64:
            raise MalformedCsr("a common name is not 1 to 64 octets long", rule="name-length")


def _text_octets(csr_der: bytes, at: int) -> int | None:
    """How long the text at this place is in UTF-8; None when there is none that can be read."""
    try:
        tag, start, stop = der.read(csr_der, at, len(csr_der))
        return len(csr_der[start:stop].decode(_STRING_CODECS[tag]).encode())
    except (der.NotDer, KeyError, UnicodeError):
        return None


def _names_and_extensions(
    csr_der: bytes, has_attributes: bool
) -> tuple[x509.Name, tuple[x509.GeneralName, ...], tuple[x509.Extension[x509.ExtensionType], ...]]:
    try:
        request = x509.load_der_x509_csr(csr_der)
        subject = request.subject
        extensions = tuple(request.extensions) if has_attributes else ()
    except x509.DuplicateExtension as problem:
        raise MalformedCsr("an extension occurs twice", rule="duplicate-extension") from problem
    except x509.UnsupportedGeneralNameType as problem:
        raise MalformedCsr(
            "an alternative name is of a kind that is not supported", rule="unsupported-name"
        ) from problem
    except Exception as problem:
        # Not only ValueError: an unknown TLS feature, for one, ends in a KeyError.
        raise MalformedCsr("the names or extensions cannot be read") from problem
    alternative_names: tuple[x509.GeneralName, ...] = ()
    others = []
    for extension in extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            alternative_names = tuple(extension.value)
        else:
            others.append(extension)
    if len(alternative_names) > MAX_ALTERNATIVE_NAMES:
        raise MalformedCsr(f"more than {MAX_ALTERNATIVE_NAMES} alternative names", rule="too-many-names")
    return subject, alternative_names, tuple(others)


def _challenge_password(values: bytes | None) -> str | None:
    if values is None:
        return None
    try:
        tag, start, stop = der.read(values, 0, len(values))
        text = values[start:stop].decode(_STRING_CODECS[tag])
    except (der.NotDer, KeyError, UnicodeError):
        raise MalformedCsr("challengePassword is not a text") from None
    if stop != len(values):
        raise MalformedCsr("challengePassword has more than one value")
    if len(text) > MAX_CHALLENGE_CHARACTERS:
        raise MalformedCsr("challengePassword is longer than 255 characters")
    return text


def _change_subject_name(values: bytes | None, outline: _Outline) -> ChangeSubjectName | None:
    if values is None:
        return None
    try:
        subject_der, names_der = _change_parts(values)
    except der.NotDer as problem:
        raise MalformedCsr(f"ChangeSubjectName cannot be read: {problem.detail}") from None
    attributes = () if names_der is None else (_extension_request(names_der),)
    changed = _request_with(subject_der, attributes, outline)
    subject, alternative_names, _ = _names_and_extensions(changed, bool(attributes))
    return ChangeSubjectName(subject=subject, alternative_names=alternative_names)


def _change_parts(values: bytes) -> tuple[bytes, bytes | None]:
    """Split into a Name and the content of GeneralNames.

    ChangeSubjectName ::= SEQUENCE { subject Name OPTIONAL, subjectAlt [1] IMPLICIT GeneralNames OPTIONAL }

    RFC 6402 printed it without the tag, so the untagged form is read too: a Name's elements are SETs, those
    of GeneralNames carry context tags.
    """
    at, end = der.enter(values, 0, len(values), der.SEQUENCE)
    parts = der.elements(values, at, end)
    if end != len(values) or not parts:
        raise der.NotDer("it holds neither a subject nor alternative names")
    subject_der = _EMPTY_NAME
    tag, at, start, stop = parts[0]
    if tag == der.SEQUENCE and (start == stop or values[start] == der.SET):
        subject_der = values[at:stop]
        parts = parts[1:]
    if not parts:
        return subject_der, None
    tag, _, start, stop = parts[0]
    if len(parts) > 1 or tag not in (der.CONTEXT_1, der.SEQUENCE) or start == stop:
        raise der.NotDer("the alternative names are empty, or something else stands in their place")
    return subject_der, values[start:stop]


def _extension_request(names_der: bytes) -> bytes:
    names = der.tlv(der.OCTET_STRING, der.tlv(der.SEQUENCE, names_der))
    extensions = der.tlv(der.SEQUENCE, der.tlv(der.SEQUENCE, oids.SUBJECT_ALTERNATIVE_NAME, names))
    return der.tlv(der.SEQUENCE, oids.EXTENSION_REQUEST, der.tlv(der.SET, extensions))


def _request_with(subject_der: bytes, attributes: tuple[bytes, ...], outline: _Outline) -> bytes:
    """Make a request around these names, so that the one reader of names and extensions reads them too."""
    info = der.tlv(
        der.SEQUENCE, _VERSION_0, subject_der, outline.spki, der.tlv(der.CONTEXT_0, *sorted(attributes))
    )
    return der.tlv(der.SEQUENCE, info, outline.signature_algorithm, der.tlv(der.BIT_STRING, b"\x00"))


_Sha2 = hashes.SHA256 | hashes.SHA384 | hashes.SHA512
_ECDSA_SHA2: dict[bytes, _Sha2] = {
    der.tlv(der.SEQUENCE, oids.ECDSA_WITH_SHA256): hashes.SHA256(),
    der.tlv(der.SEQUENCE, oids.ECDSA_WITH_SHA384): hashes.SHA384(),
    der.tlv(der.SEQUENCE, oids.ECDSA_WITH_SHA512): hashes.SHA512(),
}
_RSA_SHA2: dict[bytes, _Sha2] = {
    der.tlv(der.SEQUENCE, oid, parameters): algorithm
    for oid, algorithm in (
        (oids.SHA256_WITH_RSA, hashes.SHA256()),
        (oids.SHA384_WITH_RSA, hashes.SHA384()),
        (oids.SHA512_WITH_RSA, hashes.SHA512()),
    )
    # RFC 4055 section 5 wants the NULL; some tools leave it out.
    for parameters in (der.NULL, b"")
}
_ED25519 = der.tlv(der.SEQUENCE, oids.ED25519)


def _verify(csr: Csr) -> None:
    key = csr.public_key
    algorithm = csr.signature_algorithm_der
    if isinstance(key, ec.EllipticCurvePublicKey) and algorithm in _ECDSA_SHA2:
        key.verify(csr.signature, csr.signed_der, ec.ECDSA(_ECDSA_SHA2[algorithm]))
    elif isinstance(key, rsa.RSAPublicKey) and algorithm in _RSA_SHA2:
        key.verify(csr.signature, csr.signed_der, padding.PKCS1v15(), _RSA_SHA2[algorithm])
    elif isinstance(key, ed25519.Ed25519PublicKey) and algorithm == _ED25519:
        key.verify(csr.signature, csr.signed_der)
    elif isinstance(key, rsa.RSAPublicKey) and oids.RSASSA_PSS in algorithm:
        _verify_pss(csr, key)
    else:
        raise _weak_algorithm()


def _verify_pss(csr: Csr, key: rsa.RSAPublicKey) -> None:
    try:
        request = x509.load_der_x509_csr(csr.der)
        algorithm, parameters = request.signature_hash_algorithm, request.signature_algorithm_parameters
    except (ValueError, UnsupportedAlgorithm):
        raise _weak_algorithm() from None
    if not isinstance(algorithm, _Sha2) or not isinstance(parameters, padding.PSS):
        raise _weak_algorithm()
    key.verify(csr.signature, csr.signed_der, parameters, algorithm)


def _weak_algorithm() -> BadProofOfPossession:
    return BadProofOfPossession(
        "sign the request with SHA-256, SHA-384 or SHA-512, or as Ed25519, and with its own kind of key",
        rule="signature-algorithm",
    )
