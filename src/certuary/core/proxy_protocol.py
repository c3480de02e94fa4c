"""PROXY protocol, version 2: the client's address, told by a TCP balancer ahead of the TLS bytes.

The published specification ("The PROXY protocol, versions 1 and 2", section 2.2). Version 1, datagrams and
UNIX sockets are refused: nothing of them can be in front of an HTTPS listener.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from certuary.core.values import Address
from certuary.errors import MalformedRequest

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
MAX_PAYLOAD_OCTETS = 2048
"""Addresses take 36 octets; the rest is room for the extensions (TLVs) that balancers add, which we skip."""

_FIXED = 16
_LOCAL, _PROXY = 0x20, 0x21
_UNSPECIFIED, _TCP4, _TCP6 = 0x00, 0x11, 0x21


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedMore:
    """The header is not complete; at least this many octets are missing."""

    octets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """`consumed` octets belong to the header. `source` is None where the balancer speaks for itself (a health
    check)."""

    consumed: int
    source: Address | None


def parse_proxy_header(buffer: bytes) -> NeedMore | Parsed:
    """Read a header at the start of what has arrived so far, or raise `MalformedRequest`."""
    if buffer[:12] != SIGNATURE[: len(buffer)]:
        raise MalformedRequest("no PROXY protocol version 2 header, which this peer must send")
    if len(buffer) < _FIXED:
        return NeedMore(octets=_FIXED - len(buffer))
    command, family = buffer[12], buffer[13]
    payload_octets = int.from_bytes(buffer[14:16], "big")
    if payload_octets > MAX_PAYLOAD_OCTETS:
        raise MalformedRequest("the PROXY header is too long")
    if command not in (_LOCAL, _PROXY):
        raise MalformedRequest("the PROXY header's version or command is unknown")
    end = _FIXED + payload_octets
    if len(buffer) < end:
        return NeedMore(octets=end - len(buffer))
    # A LOCAL header's family and addresses must be skipped, whatever they hold.
    source = _source(family, buffer[_FIXED:end]) if command == _PROXY else None
    return Parsed(consumed=end, source=source)


def _source(family: int, payload: bytes) -> Address | None:
    if family == _UNSPECIFIED:
        return None
    if family == _TCP4 and len(payload) >= 12:
        return IPv4Address(payload[:4])
    if family == _TCP6 and len(payload) >= 36:
        address = IPv6Address(payload[:16])
        return address.ipv4_mapped or address
    raise MalformedRequest("the PROXY header's addresses are not those of a TCP connection")
