"""Small values that everything shares: serial numbers, times, hashes, networks, and their one text form each.

A serial number is an `int` in memory and 36 lower-case hex digits in text. It is 18 octets: a 48-bit millisecond
clock, then 96 random bits. The clock keeps the serial index of a large database append-only; the random part is
more than the 64 bits that issuing practice asks for. RFC 5280 section 4.1.2.2 allows 20 octets and wants a positive
number; the clock's top bit stays clear until the year 6429, so no sign octet is added.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from certuary.errors import InvalidValue

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

SERIAL_RANDOM_OCTETS = 12
_SERIAL_HEX_DIGITS = 36


def make_serial(now_ms: int, random_octets: bytes) -> int:
    """Join a millisecond clock and `SERIAL_RANDOM_OCTETS` random octets into a serial number."""
    return (now_ms << (8 * SERIAL_RANDOM_OCTETS)) | int.from_bytes(random_octets, "big")


def serial_to_text(serial: int) -> str:
    return f"{serial:0{_SERIAL_HEX_DIGITS}x}"


def serial_from_text(text: str) -> int:
    """Read a serial as people type it: hex, any case, with or without colons, blanks and a leading 0x."""
    cleaned = text.strip().lower().removeprefix("0x").replace(":", "").replace(" ", "")
    if not cleaned or len(cleaned) > 40 or any(digit not in "0123456789abcdef" for digit in cleaned):
        raise InvalidValue("a serial number is up to 40 hex digits, for example 01a2b3", rule="serial-number")
    return int(cleaned, 16)


def time_to_text(moment: datetime) -> str:
    """The database's text form: UTC, no zone suffix, microseconds only where there are any."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(sep=" ")[: -len("+00:00")]


def time_from_text(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def key_hash(spki_der: bytes) -> str:
    """SHA-256 over a SubjectPublicKeyInfo in DER, as hex: the name of a public key in tables and blocklists."""
    return hashlib.sha256(spki_der).hexdigest()


def fold_address(text: str) -> Address:
    """Parse an address; an IPv4-mapped IPv6 one becomes the IPv4 address, a zone id is dropped."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


@lru_cache(maxsize=4096)  # thousands of applications share few networks
def parse_network(text: str) -> Network:
    """Parse an address or CIDR block; an IPv4-mapped IPv6 block becomes the IPv4 block."""
    try:
        network = ip_network(text.strip(), strict=True)
    except ValueError as problem:
        raise InvalidValue(
            f"{text!r} is not an address or CIDR block such as 10.0.0.0/24 or 2001:db8::/32 ({problem})",
            rule="network",
        ) from None
    if isinstance(network, IPv6Network) and network.prefixlen >= 96 and network.network_address.ipv4_mapped:
        return IPv4Network((network.network_address.ipv4_mapped, network.prefixlen - 96))
    return network
