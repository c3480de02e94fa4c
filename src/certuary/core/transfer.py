"""Request and answer bodies: base64 of DER. RFC 8951 section 3.

We send one line without a line end, since strongSwan 5.9.8 fails on any other form, and accept what real
clients send: any wrapping, PEM armour, raw DER.
"""

from __future__ import annotations

import binascii
import re

from certuary.errors import MalformedBody

_WHITESPACE = b"\r\n \t"
_PEM = re.compile(
    rb"-----BEGIN ((?:NEW )?CERTIFICATE REQUEST)-----([A-Za-z0-9+/=\r\n \t]*)-----END \1-----", re.ASCII
)


def decode_body(body: bytes) -> bytes:
    """Take the DER out of a request body, or raise `MalformedBody`.

    S-10, S-11: whatever a Content-Transfer-Encoding header claims is ignored, and CR, LF, space and tab may
    stand anywhere in base64.
    """
    # Base64 of a SEQUENCE always begins with "M", so a first octet of 0x30 ("0") can only be raw DER.
    if body[:1] == b"\x30":
        return _cut_line_end(body)
    text = body.translate(None, _WHITESPACE)
    if text[:5] == b"-----":
        text = _unarmour(body.strip(_WHITESPACE))
    if not text:
        raise MalformedBody("the body is empty; send the base64 of a PKCS#10 request in DER")
    return _decode(text)


def encode_body(der: bytes) -> bytes:
    return binascii.b2a_base64(der, newline=False)


def _decode(text: bytes) -> bytes:
    try:
        # Strict mode also refuses NUL, the base64url alphabet and anything after the padding.
        return binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        raise MalformedBody(
            "the body is not base64 (RFC 4648 section 4) of a PKCS#10 request in DER"
        ) from None


def _unarmour(pem: bytes) -> bytes:
    found = _PEM.fullmatch(pem)
    if found is None:
        raise MalformedBody("the PEM armour is not exactly one CERTIFICATE REQUEST")
    return found[2].translate(None, _WHITESPACE)


def _cut_line_end(body: bytes) -> bytes:
    """Drop a line end that a client left after raw DER, and only where the DER ends before it."""
    kept = body.rstrip(_WHITESPACE)
    if len(kept) == len(body):
        return body
    length = _outer_length(body)
    return body[:length] if len(kept) <= length <= len(body) else body


def _outer_length(body: bytes) -> int:
    first = body[1]
    if first < 0x80:
        return 2 + first
    size = first - 0x80
    return 2 + size + int.from_bytes(body[2 : 2 + size], "big")
