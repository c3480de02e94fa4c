"""Degenerate ("certs-only") CMS SignedData, a bag of certificates. RFC 5652 section 5.1, RFC 7030 4.1.3.

ContentInfo ::= SEQUENCE { id-signedData, [0] SignedData }
SignedData  ::= SEQUENCE { version 1, digestAlgorithms SET {}, encapContentInfo SEQUENCE { id-data },
                           certificates [0] IMPLICIT SET OF Certificate, signerInfos SET {} }
"""

from __future__ import annotations

from collections.abc import Sequence

from certuary.core import der, oids
from certuary.errors import MalformedBody

_BEFORE_CERTIFICATES = der.integer(1) + der.tlv(der.SET) + der.tlv(der.SEQUENCE, oids.ID_DATA)
_EMPTY_SET = der.tlv(der.SET)


def certs_only(certificates_der: Sequence[bytes]) -> bytes:
    """Wrap certificates, sorted as DER wants a SET OF: their order means nothing to a reader."""
    bag = der.tlv(der.CONTEXT_0, *sorted(certificates_der))
    signed_data = der.tlv(der.SEQUENCE, _BEFORE_CERTIFICATES, bag, _EMPTY_SET)
    return der.tlv(der.SEQUENCE, oids.ID_SIGNED_DATA, der.tlv(der.CONTEXT_0, signed_data))


def parse_certs_only(content: bytes) -> tuple[bytes, ...]:
    """Take the certificates out, in the order they stand in (RFC 7030's own example is not sorted)."""
    try:
        return _certificates(content)
    except der.NotDer as problem:
        raise MalformedBody(f"not a certs-only CMS message: {problem.detail}") from None


def _certificates(content: bytes) -> tuple[bytes, ...]:
    at, end = der.enter(content, 0, len(content), der.SEQUENCE)
    if end != len(content):
        raise der.NotDer("octets follow the message")
    if not content.startswith(oids.ID_SIGNED_DATA, at):
        raise der.NotDer("the content is not SignedData")
    at, end = der.enter(content, at + len(oids.ID_SIGNED_DATA), end, der.CONTEXT_0)
    at, end = der.enter(content, at, end, der.SEQUENCE)
    parts = der.elements(content, at, end)
    if [tag for tag, *_ in parts[:3]] != [der.INTEGER, der.SET, der.SEQUENCE] or parts[-1][0] != der.SET:
        raise der.NotDer("SignedData lacks a part")
    bag = [part for part in parts[3:-1] if part[0] == der.CONTEXT_0]
    if len(bag) != 1:
        raise der.NotDer("SignedData holds no certificates")
    _, _, start, stop = bag[0]
    return tuple(content[at:end] for _, at, _, end in der.elements(content, start, stop))
