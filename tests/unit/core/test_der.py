from __future__ import annotations

import pytest

from certuary.core import der
from certuary.core.der import NotDer

REFUSED = {
    "nothing": b"",
    "a tag without a length": b"\x30",
    "a tag number above 30": b"\x1f\x01\x00",
    "an indefinite length": b"\x30\x80\x00\x00",
    "a length of 126 octets": b"\x30\xfe" + b"\xff" * 126 + b"\x00",
    "a length that is cut off": b"\x30\x82\x01",
    "a long form where the short one fits": b"\x30\x81\x01\x00",
    "a length with a leading zero": b"\x30\x82\x00\x80" + bytes(128),
    "content that is cut off": b"\x30\x02\x00",
}


@pytest.mark.parametrize("encoded", REFUSED.values(), ids=REFUSED.keys())
def test_read_refuses(encoded: bytes) -> None:
    with pytest.raises(NotDer):
        der.read(encoded, 0, len(encoded))


@pytest.mark.parametrize("octets", [0, 1, 127, 128, 255, 256, 65535, 65536, 1 << 24])
def test_read_finds_what_tlv_wrote_at_every_length_form(octets: int) -> None:
    encoded = der.tlv(der.OCTET_STRING, bytes(octets))
    assert der.read(encoded, 0, len(encoded)) == (der.OCTET_STRING, len(encoded) - octets, len(encoded))


def test_read_stays_within_the_end_it_is_given() -> None:
    encoded = der.tlv(der.OCTET_STRING, b"abcd")
    with pytest.raises(NotDer, match="longer than what holds it"):
        der.read(encoded, 0, len(encoded) - 1)


def test_enter_refuses_another_tag() -> None:
    with pytest.raises(NotDer, match="expected tag 0x30, found 0x31"):
        der.enter(b"\x31\x00", 0, 2, der.SEQUENCE)


def test_elements_lists_each_one_in_order() -> None:
    encoded = b"\x02\x01\x05" + b"\x05\x00"
    assert der.elements(encoded, 0, 5) == [(der.INTEGER, 0, 2, 3), (0x05, 3, 5, 5)]


@pytest.mark.parametrize(
    ("number", "encoded"),
    [
        (0, "020100"),
        (127, "02017f"),
        (128, "02020080"),
        (255, "020200ff"),
        (256, "02020100"),
        (1 << 63, "0209008000000000000000"),
    ],
)
def test_integer_is_as_short_as_der_wants_it(number: int, encoded: str) -> None:
    assert der.integer(number).hex() == encoded
