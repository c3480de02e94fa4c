"""Subject rules: what they permit, what they refuse, and which texts are no rules."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from cryptography import x509
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from certuary.core.subject_rule import SubjectRule
from certuary.errors import InvalidValue, SubjectRefused
from tests.unit.core.issuing import address, dns, mailbox, subject, uri

RULE = "CN=dev-*,O=Acme; dns=.plant.example,host.example; ip=10.0.0.0/24; email=.acme.example"


def permits(rule: str, name: x509.Name, *alternative_names: x509.GeneralName) -> bool:
    try:
        SubjectRule.parse(rule).check(name, alternative_names)
    except SubjectRefused:
        return False
    return True


ACME_DEVICE = subject(("O", "Acme"), ("CN", "dev-1"))


@pytest.mark.parametrize(
    "name",
    [
        ACME_DEVICE,
        subject(("CN", "dev-1"), ("O", "Acme")),
        subject(("O", "ACME"), ("CN", "DEV-1.plant.example")),
        subject(("O", " Acme "), ("CN", "dev-")),
        subject(("O", "Acme"), ("CN", "dev-" + "a" * 60)),
    ],
)
def test_a_subject_inside_the_template_is_permitted(name: x509.Name) -> None:
    assert permits(RULE, name)


@pytest.mark.parametrize(
    "name",
    [
        subject(("O", "Acme"), ("CN", "gw-1")),
        subject(("O", "Acme"), ("CN", "my-dev-1")),
        subject(("O", "Acme"), ("CN", "dev")),
        subject(("O", "Evil"), ("CN", "dev-1")),
        subject(("O", "Acme Ltd"), ("CN", "dev-1")),
        subject(("CN", "dev-1")),
        subject(("O", "Acme")),
        subject(("O", "Acme"), ("CN", "dev-1"), ("OU", "Admins")),
        subject(("O", "Acme"), ("CN", "dev-1"), ("CN", "admin")),
        subject(("O", "Acme"), ("CN", "dev-1"), ("O", "Evil")),
        subject(("O", "Acme"), ("CN", "dev-1,CN=admin")),
        subject(("O", "Acme"), ("CN", "dev-1+UID=0")),
        subject(("O", "Acme"), ("CN", "dev-1\x00")),
        subject(("O", "Acme"), ("CN", "dev-1\uff0cOU\uff1dx")),
        subject(("O", "Acme"), ("serialNumber", "dev-1")),
        x509.Name([]),
    ],
)
def test_a_subject_outside_the_template_is_refused(name: x509.Name) -> None:
    assert not permits(RULE, name)


def test_a_value_far_too_long_is_refused_before_it_is_compared() -> None:
    name = subject(("O", "Acme"), ("title", "dev-" + "a" * 253))
    assert not permits("title=dev-*,O=Acme", name)


def test_a_value_that_is_not_a_text_is_refused() -> None:
    bits = x509.NameAttribute(NameOID.X500_UNIQUE_IDENTIFIER, b"\x00", _ASN1Type.BitString)
    with pytest.raises(SubjectRefused, match=r"2\.5\.4\.45"):
        SubjectRule.parse("CN=*").check(x509.Name([bits]), ())


def test_the_refusal_names_what_is_refused() -> None:
    rule = SubjectRule.parse(RULE)
    with pytest.raises(SubjectRefused, match="O='Evil'"):
        rule.check(subject(("O", "Evil"), ("CN", "dev-1")), ())
    with pytest.raises(SubjectRefused, match="wants a subject with CN, O"):
        rule.check(x509.Name([]), ())
    with pytest.raises(SubjectRefused, match=r"DNSName 'evil\.example'"):
        rule.check(ACME_DEVICE, dns("evil.example"))


@pytest.mark.parametrize(
    ("pattern", "value", "fits"),
    [
        ("*", "anything", True),
        ("**", "anything", True),
        ("a**b", "a-b", True),
        ("a*b*c", "abc", True),
        ("a*b*c", "a-b-b-c", True),
        ("a*b*c", "acb", False),
        ("a*b*c", "a,b-c", False),
        ("a*b*c", "a-b,c", False),
        ("ab*ba", "aba", False),
        ("*x*", "axb", True),
        ("*x*", "ab", False),
        ("dev\\*", "dev*", True),
        ("dev\\*", "dev-1", False),
        ("a\\,b", "a,b", True),
        ("a\\\\b", "a\\b", True),
        ("Plant *", "plant 7", True),
        ("Plant *", "plant", False),
    ],
)
def test_a_star_stands_for_characters_of_one_value(pattern: str, value: str, fits: bool) -> None:
    assert permits(f"CN={pattern}", subject(("CN", value))) is fits


def test_several_patterns_for_one_attribute_are_alternatives() -> None:
    rule = "CN=dev-*,CN=gw-*"
    assert permits(rule, subject(("CN", "dev-1")))
    assert permits(rule, subject(("CN", "gw-1")))
    assert not permits(rule, subject(("CN", "pc-1")))


@pytest.mark.parametrize(
    "name",
    [
        *dns("a.plant.example", "a.b.plant.example", "A.PLANT.Example", "host.example", "*.plant.example"),
        address("10.0.0.7"),
        address("::ffff:10.0.0.7"),
        mailbox("ops@mail.acme.example"),
    ],
)
def test_an_alternative_name_inside_the_rule_is_permitted(name: x509.GeneralName) -> None:
    assert permits(RULE, ACME_DEVICE, name)


@pytest.mark.parametrize(
    "name",
    [
        *dns(
            "plant.example",
            "evilplant.example",
            "plant.example.evil.test",
            "a.host.example",
            "*.host.example",
            "*.example",
            "a..plant.example",
            "a.plant.example.",
            "a b.plant.example",
            "a\x00.plant.example",
            ".plant.example",
        ),
        address("10.0.1.7"),
        address("2001:db8::1"),
        x509.IPAddress(ip_network("10.0.0.0/30")),
        mailbox("ops@acme.example"),
        mailbox("ops@evilacme.example"),
        mailbox("mail.acme.example"),
        mailbox("@mail.acme.example"),
        mailbox("a@b@mail.acme.example"),
        uri("https://a.plant.example/"),
        x509.DirectoryName(ACME_DEVICE),
        x509.OtherName(x509.ObjectIdentifier("1.2.3"), b"\x05\x00"),
        x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
    ],
)
def test_an_alternative_name_outside_the_rule_is_refused(name: x509.GeneralName) -> None:
    assert not permits(RULE, ACME_DEVICE, name)


def test_every_alternative_name_is_looked_at() -> None:
    assert not permits(RULE, ACME_DEVICE, *dns("a.plant.example", "evil.example"))


def test_a_kind_without_a_clause_is_refused() -> None:
    assert permits("CN=dev-*", subject(("CN", "dev-1")))
    for name in (*dns("dev-1"), address("10.0.0.1"), mailbox("a@b.example")):
        assert not permits("CN=dev-*", subject(("CN", "dev-1")), name)


@pytest.mark.parametrize(
    ("common_name", "fits"),
    [
        ("a.plant.example", True),
        ("10.0.0.5", True),
        ("plant.example", False),
        ("10.0.1.5", False),
        ("anything", False),
    ],
)
def test_a_common_name_outside_the_template_must_be_a_permitted_host(common_name: str, fits: bool) -> None:
    rule = "dns=.plant.example; ip=10.0.0.0/24"
    assert permits(rule, subject(("CN", common_name))) is fits
    assert permits(rule, x509.Name([]), *dns("a.plant.example"))
    assert not permits(rule, subject(("O", common_name)))


def test_mail_addresses_are_permitted_by_mailbox_by_host_and_by_domain() -> None:
    rule = "email=Ops@A.example,b.example,.c.example"
    for text in ("Ops@a.example", "Ops@A.EXAMPLE", "any@b.example", "any@x.c.example"):
        assert permits(rule, x509.Name([]), mailbox(text)), text
    for text in ("ops@a.example", "any@a.example", "any@x.b.example", "any@c.example", "a@.c.example"):
        assert not permits(rule, x509.Name([]), mailbox(text)), text


def test_uris_are_permitted_whole_or_by_a_prefix_that_ends_at_a_boundary() -> None:
    rule = "uri=urn:acme:device:,spiffe://acme.example/plant/,https://a.example/exact"
    for text in ("urn:acme:device:1", "spiffe://acme.example/plant/x", "https://a.example/exact"):
        assert permits(rule, x509.Name([]), uri(text)), text
    for text in (
        "urn:acme:device:",
        "urn:acme:devices:1",
        "spiffe://acme.example/plant/../admin",
        "spiffe://acme.example/plants",
        "https://a.example/exact/more",
    ):
        assert not permits(rule, x509.Name([]), uri(text)), text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "CN",
        "CN=",
        "CN=a,",
        "=a",
        "XX=a",
        "CN=a;",
        "CN=a;;O=b",
        "dns=",
        "dns=a.example,",
        "dns=a b",
        "dns=*.example",
        "dns=..example",
        "dns=user@a.example",
        "ip=10.0.0.0/33",
        "ip=10.0.0.1/24",
        "email=@a.example",
        "email=a@.example",
        "email=a@",
        "uri=noscheme",
        "uri=https://host.example:",
        "uri=https://a b",
        "CN=a\x00b",
        "CN=a\nO=b",
        "CN=" + "a" * 5000,
    ],
)
def test_a_text_that_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        SubjectRule.parse(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (RULE, RULE),
        (" cn = dev-* , O=Acme ;DNS= .Plant.example , h ", "cn = dev-*,O=Acme; dns=.Plant.example,h"),
        ("CN=a\\;b\\,c", "CN=a\\;b\\,c"),
        ("ip=::ffff:10.0.0.0/120", "ip=::ffff:10.0.0.0/120"),
    ],
)
def test_a_rule_shows_as_it_was_written(text: str, shown: str) -> None:
    rule = SubjectRule.parse(text)
    assert str(rule) == shown
    assert SubjectRule.parse(shown) == rule


def test_the_same_clause_twice_adds_up() -> None:
    rule = "dns=a.example; dns=b.example"
    assert permits(rule, x509.Name([]), *dns("a.example", "b.example"))


@given(st.text(max_size=60) | st.from_regex(r"[A-Za-z=*,;\\. @:/0-9]{0,40}", fullmatch=True))
def test_any_text_is_a_rule_that_reads_back_or_an_invalid_value(text: str) -> None:
    try:
        rule = SubjectRule.parse(text)
    except InvalidValue:
        return
    assert SubjectRule.parse(str(rule)) == rule


@given(
    st.lists(st.sampled_from(["a", "b", ",", "*", "ab"]), max_size=8).map("".join),
    st.text("ab,", max_size=10),
)
def test_star_matching_never_permits_more_than_a_regular_expression_would(pattern: str, value: str) -> None:
    import re

    if not value or not pattern.replace(",", "").strip():
        return
    escaped = pattern.replace(",", "\\,")
    expression = "".join("[^,]*" if each == "*" else re.escape(each) for each in pattern)
    expected = re.fullmatch(expression, value) is not None
    found = permits(f"CN={escaped}", subject(("CN", value)))
    assert not found or expected
