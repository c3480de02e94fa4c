"""Serial numbers, times, addresses and networks: one form each, whatever people and databases write."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from ipaddress import ip_address, ip_network

import pytest
from cryptography import x509

from certuary.core.values import (
    SERIAL_RANDOM_OCTETS,
    fold_address,
    key_hash,
    make_serial,
    parse_network,
    serial_from_text,
    serial_to_text,
    time_from_text,
    time_to_text,
)
from certuary.errors import InvalidValue

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_a_serial_is_the_clock_and_then_randomness() -> None:
    serial = make_serial(1, b"\xff" * SERIAL_RANDOM_OCTETS)
    assert serial == (1 << 96) + (1 << 96) - 1
    assert make_serial(2, b"\0" * SERIAL_RANDOM_OCTETS) > serial


def test_a_serial_is_positive_and_fits_a_certificate_until_the_year_6429() -> None:
    last = datetime(6429, 1, 1, tzinfo=UTC)
    serial = make_serial(int(last.timestamp() * 1000), b"\xff" * SERIAL_RANDOM_OCTETS)
    assert serial.bit_length() <= 143
    assert x509.CertificateBuilder().serial_number(serial)


@pytest.mark.parametrize("text", ["1a2b", "1A2B", "0x1a2b", " 1a:2b ", "1a 2b", "00001a2b"])
def test_a_serial_is_read_as_people_type_it(text: str) -> None:
    assert serial_from_text(text) == 0x1A2B


@pytest.mark.parametrize("text", ["", "  ", "0x", "1a2g", "-1", "1_0", "\u0661", "1" * 41])
def test_what_is_no_serial_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        serial_from_text(text)
    assert refused.value.rule == "serial-number"


def test_a_serials_text_keeps_its_order_and_leads_back() -> None:
    serials = [1, 255, 1 << 95, make_serial(1, b"\0" * 12), make_serial(1 << 40, b"\1" * 12)]
    texts = [serial_to_text(serial) for serial in serials]
    assert texts == sorted(texts)
    assert [serial_from_text(text) for text in texts] == serials


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (NOON, "2026-11-23 12:00:00"),
        (NOON + timedelta(microseconds=5), "2026-11-23 12:00:00.000005"),
        (datetime(2026, 11, 23, 14, tzinfo=timezone(timedelta(hours=2))), "2026-11-23 12:00:00"),
    ],
)
def test_a_time_has_one_text_in_utc(moment: datetime, text: str) -> None:
    assert time_to_text(moment) == text
    assert time_from_text(text) == moment


def test_a_time_with_a_zone_is_read_in_utc() -> None:
    read = time_from_text("2026-11-23 14:00:00+02:00")
    assert (read, read.tzinfo) == (NOON, UTC)


def test_a_key_is_named_by_its_sha_256() -> None:
    assert key_hash(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("10.0.0.7", "10.0.0.7"),
        ("::ffff:10.0.0.7", "10.0.0.7"),
        ("fe80::1%eth0", "fe80::1"),
        ("2001:db8::1", "2001:db8::1"),
    ],
)
def test_an_address_is_folded(text: str, address: str) -> None:
    assert fold_address(text) == ip_address(address)


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("10.0.0.0/24", "10.0.0.0/24"),
        (" 10.0.0.7 ", "10.0.0.7/32"),
        ("::ffff:10.0.0.0/120", "10.0.0.0/24"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("::/0", "::/0"),
    ],
)
def test_a_network_is_folded(text: str, network: str) -> None:
    assert parse_network(text) == ip_network(network)


@pytest.mark.parametrize("text", ["", "10.0.0.1/24", "10.0.0.0/33", "example.com", "10.0.0"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        parse_network(text)
    assert refused.value.rule == "network"
