"""What networks and subject rules are said to mean."""

from __future__ import annotations

import pytest

from certuary.core.subject_rule import SubjectRule
from certuary.portal.words import network_lines, rule_in_words, understand_networks


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("10.0.0.0/24", "10.0.0.0/24: 256 addresses"),
        ("192.0.2.7", "192.0.2.7: one address"),
        ("::ffff:10.0.0.0/120", "10.0.0.0/24: 256 addresses"),
        ("2001:db8::/32", "2001:db8::/32: 2^96 addresses"),
        ("0.0.0.0/0", "0.0.0.0/0: every IPv4 address"),
    ],
)
def test_a_network_is_said_with_its_size(text: str, words: str) -> None:
    assert [(line.text, line.is_good) for line in understand_networks(text)] == [(words, True)]


def test_an_address_within_a_block_names_the_block_that_was_meant() -> None:
    (line,) = understand_networks("10.0.0.5/24")
    assert not line.is_good
    assert "the block is 10.0.0.0/24" in line.text


def test_networks_are_parted_by_lines_commas_and_semicolons() -> None:
    assert network_lines(" 10.0.0.1,\n10.0.0.2; 10.0.0.3\n\n") == ("10.0.0.1", "10.0.0.2", "10.0.0.3")


def test_a_rule_says_what_it_permits_of_each_kind() -> None:
    rule = SubjectRule.parse("CN=dev-*,O=Acme; dns=.plant.example,host.example; uri=urn:acme:")
    assert rule_in_words(rule) == (
        "Subject: CN is dev-*, and O is acme; nothing else, in any case of letters. A * stands for any characters.",
        "DNS names: any name ending .plant.example, host.example.",
        "IP addresses: none.",
        "E-mail addresses: none.",
        "URIs: anything that begins urn:acme:.",
    )


def test_no_rule_is_any_name() -> None:
    assert rule_in_words(None) == ("Any name that its profiles allow.",)
