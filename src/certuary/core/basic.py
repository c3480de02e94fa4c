"""HTTP Basic credentials. RFC 7617 section 2."""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass, field

from certuary.errors import MalformedRequest

MAX_HEADER_OCTETS = 4096

# The scheme's name compares without case; the credentials are one token68.
_BASIC = re.compile(rb"[ \t]*basic +([A-Za-z0-9+/]+={0,2})[ \t]*", re.IGNORECASE)
# RFC 7617 section 2: neither part may hold a control character (CTL of RFC 5234).
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    username: str
    password: str = field(repr=False)


def parse_basic(header_value: bytes) -> Credentials:
    """Read the value of an Authorization header, or raise `MalformedRequest`, whose text never repeats it.

    An empty username is legal (S-15). The password may hold colons, the username may not. UTF-8 is tried
    first, then Latin-1, since the charset parameter is only advice and old clients do not read it.
    """
    if len(header_value) > MAX_HEADER_OCTETS:
        raise MalformedRequest("the Authorization header is too long")
    found = _BASIC.fullmatch(header_value)
    if found is None:
        raise MalformedRequest("the Authorization header does not hold Basic credentials")
    try:
        decoded = binascii.a2b_base64(found[1], strict_mode=True)
    except binascii.Error:
        raise MalformedRequest("the Basic credentials are not base64") from None
    username, colon, password = _to_text(decoded).partition(":")
    if not colon:
        raise MalformedRequest("the Basic credentials hold no colon")
    return Credentials(username=username, password=password)


def _to_text(decoded: bytes) -> str:
    try:
        text = decoded.decode("utf-8")
    except UnicodeDecodeError:
        text = decoded.decode("latin-1")
    if _CONTROL.search(text):
        raise MalformedRequest("the Basic credentials hold a control character")
    return text
