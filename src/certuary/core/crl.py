"""Full certificate revocation lists. RFC 5280 section 5.

Encoded by hand: `cryptography`'s builder makes a Python object and several encodings of every entry, which
takes tens of times as long and holds a list of 100,000 in memory twice.

    TBSCertList ::= SEQUENCE { version INTEGER (1), signature AlgorithmIdentifier, issuer Name,
                               thisUpdate Time, nextUpdate Time,
                               revokedCertificates SEQUENCE OF Entry OPTIONAL,
                               crlExtensions [0] EXPLICIT Extensions }
    Entry ::= SEQUENCE { serialNumber INTEGER, revocationDate Time, crlEntryExtensions Extensions OPTIONAL }
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from certuary.core import der, oids
from certuary.core.certificate import SigningKey, hash_for
from certuary.errors import InvalidValue

# RFC 5280 section 5.3.1. There is no 7; 8 (removeFromCRL) belongs to delta CRLs.
REASONS: Mapping[str, int] = MappingProxyType(
    {
        "unspecified": 0,
        "keyCompromise": 1,
        "cACompromise": 2,
        "affiliationChanged": 3,
        "superseded": 4,
        "cessationOfOperation": 5,
        "certificateHold": 6,
        "privilegeWithdrawn": 9,
        "aACompromise": 10,
    }
)


class Revoked(Protocol):
    """One entry, from whatever row holds it. `reason` is a name of `REASONS`."""

    @property
    def serial(self) -> int: ...

    @property
    def revoked_at(self) -> datetime: ...

    @property
    def reason(self) -> str: ...


def build_crl(
    *,
    issuer: x509.Certificate,
    signer: SigningKey,
    number: int,
    this_update: datetime,
    next_update: datetime,
    revoked: Iterable[Revoked],
    kept: Iterable[bytes] = (),
) -> bytes:
    """Make and sign the list; give back its DER. Times lose their fractions of a second.

    `kept` are entries of an earlier list, as `listed_entries` gave them: they come first.
    """
    algorithm = _signature_algorithm(signer)
    entries = b"".join((*kept, *map(_entry, revoked)))
    signed_part = der.tlv(
        der.SEQUENCE,
        der.integer(1),
        algorithm,
        issuer.subject.public_bytes(),
        _time(this_update),
        _time(next_update),
        # RFC 5280 section 5.1.2.6: with nothing revoked the list itself must be absent.
        der.tlv(der.SEQUENCE, entries) if entries else b"",
        der.tlv(der.CONTEXT_0, _extensions(issuer, number)),
    )
    signature = der.tlv(der.BIT_STRING, b"\x00", _sign(signer, signed_part))
    return der.tlv(der.SEQUENCE, signed_part, algorithm, signature)


def listed_entries(crl_der: bytes) -> Iterator[tuple[int, bytes]]:
    """Serial number and encoded entry of all that one of our own lists holds, in its order."""
    at, end = der.enter(crl_der, *der.enter(crl_der, 0, len(crl_der), der.SEQUENCE), der.SEQUENCE)
    # version, signature, issuer, thisUpdate, nextUpdate
    for _ in range(5):
        _, _, at = der.read(crl_der, at, end)
    tag, at, end = der.read(crl_der, at, end)
    if tag != der.SEQUENCE:  # nothing is revoked: these are the extensions
        return
    while at < end:
        # Each of our entries is shorter than 128 octets, and so are the serial numbers in them.
        stop = at + 2 + crl_der[at + 1]
        serial_at = at + 4
        serial_octets = crl_der[serial_at : serial_at + crl_der[at + 3]]
        yield int.from_bytes(serial_octets, "big"), crl_der[at:stop]
        at = stop


def check_reason(reason: str) -> str:
    """Give back a reason's name spelt as RFC 5280 does, in whatever case it came, or raise `InvalidValue`."""
    for name in REASONS:
        if name.lower() == reason.strip().lower():
            return name
    raise InvalidValue(f"{reason!r} is none of {', '.join(REASONS)}", rule="revocation-reason")


def _extensions(issuer: x509.Certificate, number: int) -> bytes:
    """Both are mandatory for a conforming CA and never critical (sections 5.2.1 and 5.2.3)."""
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    issuer_key = x509.AuthorityKeyIdentifier(identifier.digest, None, None).public_bytes()
    return der.tlv(
        der.SEQUENCE,
        der.tlv(der.SEQUENCE, oids.AUTHORITY_KEY_IDENTIFIER, der.tlv(der.OCTET_STRING, issuer_key)),
        der.tlv(der.SEQUENCE, oids.CRL_NUMBER, der.tlv(der.OCTET_STRING, der.integer(number))),
    )


def _reason_extensions(code: int) -> bytes:
    value = der.tlv(der.OCTET_STRING, der.tlv(der.ENUMERATED, bytes((code,))))
    return der.tlv(der.SEQUENCE, der.tlv(der.SEQUENCE, oids.CRL_REASON, value))


# "unspecified" is said by leaving the extension out (section 5.3.1).
_REASON_EXTENSIONS: Mapping[str, bytes] = {
    name: _reason_extensions(code) for name, code in REASONS.items() if code
}


def _entry(revoked: Revoked) -> bytes:
    return der.tlv(
        der.SEQUENCE,
        der.integer(revoked.serial),
        _time(revoked.revoked_at),
        # A word nobody knows must not keep the whole list from being published.
        _REASON_EXTENSIONS.get(revoked.reason, b""),
    )


def _time(moment: datetime) -> bytes:
    """UTCTime through 2049, GeneralizedTime from 2050 (section 5.1.2.4)."""
    text = moment.astimezone(UTC).strftime("%Y%m%d%H%M%SZ").encode()
    return der.tlv(der.UTC_TIME, text[2:]) if text < b"2050" else der.tlv(der.GENERALIZED_TIME, text)


_ECDSA_OF_HASH = {"sha256": oids.ECDSA_WITH_SHA256, "sha384": oids.ECDSA_WITH_SHA384}
_RSA_OF_HASH = {"sha256": oids.SHA256_WITH_RSA, "sha384": oids.SHA384_WITH_RSA}


def _signature_algorithm(signer: SigningKey) -> bytes:
    algorithm = hash_for(signer)
    if algorithm is None:
        return der.tlv(der.SEQUENCE, oids.ED25519)
    if isinstance(signer, rsa.RSAPrivateKey):
        return der.tlv(der.SEQUENCE, _RSA_OF_HASH[algorithm.name], der.NULL)
    return der.tlv(der.SEQUENCE, _ECDSA_OF_HASH[algorithm.name])


def _sign(signer: SigningKey, signed_part: bytes) -> bytes:
    if isinstance(signer, ec.EllipticCurvePrivateKey):
        return signer.sign(signed_part, ec.ECDSA(_hash(signer)))
    if isinstance(signer, rsa.RSAPrivateKey):
        return signer.sign(signed_part, padding.PKCS1v15(), _hash(signer))
    return signer.sign(signed_part)


def _hash(signer: SigningKey) -> hashes.HashAlgorithm:
    algorithm = hash_for(signer)
    assert algorithm is not None, "only Ed25519 brings its own"
    return algorithm
