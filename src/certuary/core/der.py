"""The few DER primitives our own encoders and bounds checks need (X.690 sections 8 and 10).

`read` is strict: definite, shortest lengths and one-octet tags, which is all that the structures we walk use.
Whatever is not walked here is read by `cryptography`.
"""

from __future__ import annotations

from certuary.errors import BadRequest

INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
NULL = b"\x05\x00"
OBJECT_IDENTIFIER = 0x06
ENUMERATED = 0x0A
UTF8_STRING = 0x0C
PRINTABLE_STRING = 0x13
T61_STRING = 0x14
IA5_STRING = 0x16
UTC_TIME = 0x17
GENERALIZED_TIME = 0x18
UNIVERSAL_STRING = 0x1C
BMP_STRING = 0x1E
SEQUENCE = 0x30
SET = 0x31
CONTEXT_0 = 0xA0
CONTEXT_1 = 0xA1


class NotDer(BadRequest):
    """Callers re-raise it as what was being read."""

    rule = "not-der"


def read(buffer: bytes, at: int, end: int) -> tuple[int, int, int]:
    """Read one header at `at`: (tag, start of the content, end of the content), all within `end`."""
    if at + 2 > end:
        raise NotDer("the data ends inside an element")
    tag = buffer[at]
    if tag & 0x1F == 0x1F:
        raise NotDer("a tag number above 30 has no place here")
    length = buffer[at + 1]
    start = at + 2
    if length >= 0x80:
        size = length - 0x80
        start += size
        if size == 0 or start > end:
            raise NotDer("a length is indefinite or cut off")
        length = int.from_bytes(buffer[at + 2 : start], "big")
        if length < 0x80 or length >> (8 * (size - 1)) == 0:
            raise NotDer("a length is not in its shortest form")
    stop = start + length
    if stop > end:
        raise NotDer("an element is longer than what holds it")
    return tag, start, stop


def enter(buffer: bytes, at: int, end: int, tag: int) -> tuple[int, int]:
    """Read a header that must have this tag: (start, end) of the content."""
    found, start, stop = read(buffer, at, end)
    if found != tag:
        raise NotDer(f"expected tag {tag:#04x}, found {found:#04x}")
    return start, stop


def elements(buffer: bytes, at: int, end: int) -> list[tuple[int, int, int, int]]:
    """Read all elements up to `end`: (tag, start of the element, start of its content, end) of each."""
    found = []
    while at < end:
        tag, start, stop = read(buffer, at, end)
        found.append((tag, at, start, stop))
        at = stop
    return found


def tlv(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def integer(value: int) -> bytes:
    """Encode a number that is not negative; a set top bit gets its sign octet."""
    return tlv(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))
