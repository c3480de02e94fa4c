from __future__ import annotations

from ipaddress import ip_address

import pytest

from certuary.core.proxy_protocol import (
    MAX_PAYLOAD_OCTETS,
    SIGNATURE,
    NeedMore,
    Parsed,
    parse_proxy_header,
)
from certuary.errors import MalformedRequest


def header(family: int, payload: bytes, *, command: int = 0x21) -> bytes:
    return SIGNATURE + bytes((command, family)) + len(payload).to_bytes(2, "big") + payload


def addresses(source: str, destination: str) -> bytes:
    ports = (50000).to_bytes(2, "big") + (8443).to_bytes(2, "big")
    return ip_address(source).packed + ip_address(destination).packed + ports


TCP4 = header(0x11, addresses("192.0.2.7", "198.51.100.1"))
TCP6 = header(0x21, addresses("2001:db8::7", "2001:db8::1"))

ACCEPTED = {
    "TCP over IPv4": (TCP4, "192.0.2.7"),
    "TCP over IPv6": (TCP6, "2001:db8::7"),
    "an IPv4-mapped address": (header(0x21, addresses("::ffff:192.0.2.7", "::1")), "192.0.2.7"),
    "extensions after the addresses": (
        header(0x11, addresses("192.0.2.7", "::1") + b"\x20\x00\x01x"),
        "192.0.2.7",
    ),
    "a health check": (header(0x00, b"", command=0x20), None),
    "a health check with addresses to skip": (
        header(0x11, addresses("192.0.2.7", "::1"), command=0x20),
        None,
    ),
    "an unspecified family": (header(0x00, b"anything"), None),
    "the longest payload": (
        header(0x11, addresses("192.0.2.7", "::1").ljust(MAX_PAYLOAD_OCTETS, b"\x04")),
        "192.0.2.7",
    ),
}


@pytest.mark.parametrize(("data", "source"), ACCEPTED.values(), ids=ACCEPTED.keys())
def test_parse_proxy_header_accepts(data: bytes, source: str | None) -> None:
    expected = None if source is None else ip_address(source)
    assert parse_proxy_header(data + b"\x16\x03\x01") == Parsed(consumed=len(data), source=expected)


@pytest.mark.parametrize("data", [TCP4, TCP6])
def test_parse_proxy_header_asks_for_what_is_missing_at_every_cut(data: bytes) -> None:
    for length in range(len(data)):
        answer = parse_proxy_header(data[:length])
        assert isinstance(answer, NeedMore)
        assert answer.octets == (16 if length < 16 else len(data)) - length


REFUSED = {
    "TLS at once": b"\x16\x03\x01\x02\x00",
    "plain HTTP": b"GET / HTTP/1.1\r\n",
    "version 1": b"PROXY TCP4 192.0.2.7 198.51.100.1 50000 443\r\n",
    "one wrong octet in the signature": SIGNATURE[:-1] + b"\x00",
    "version 3": header(0x11, addresses("192.0.2.7", "::1"), command=0x31),
    "an unknown command": header(0x11, addresses("192.0.2.7", "::1"), command=0x22),
    "a datagram": header(0x12, addresses("192.0.2.7", "::1")),
    "a UNIX socket": header(0x31, bytes(216)),
    "IPv4 addresses that are cut off": header(0x11, bytes(11)),
    "IPv6 addresses that are cut off": header(0x21, bytes(35)),
    "a payload one octet too long": header(0x11, bytes(MAX_PAYLOAD_OCTETS + 1)),
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED.keys())
def test_parse_proxy_header_refuses(data: bytes) -> None:
    with pytest.raises(MalformedRequest):
        parse_proxy_header(data)


def test_parse_proxy_header_refuses_a_long_payload_before_it_arrives() -> None:
    with pytest.raises(MalformedRequest, match="too long"):
        parse_proxy_header(SIGNATURE + b"\x21\x11\xff\xff")
