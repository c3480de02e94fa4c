"""Names as text, folded for comparing and searching."""

from __future__ import annotations

import json
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from certuary.core.certificate import sign_plan
from certuary.core.names import (
    alternative_names_text,
    certificate_alternative_names,
    fold,
    same_names,
    subject_key,
    subject_search_key,
    subject_text,
)
from tests.unit.core.issuing import address, asked, dns, issuing, planned, signing_key, subject


def test_a_subject_reads_as_rfc_4514_writes_it() -> None:
    name = subject(("O", "Acme, Inc."), ("serialNumber", "7"), ("CN", "dev-1"))
    assert subject_text(name) == "CN=dev-1,serialNumber=7,O=Acme\\, Inc."


def test_an_empty_subject_is_an_empty_text() -> None:
    assert subject_text(x509.Name([])) == subject_key(x509.Name([])) == ""


@pytest.mark.parametrize(
    ("name", "key"),
    [
        (subject(("O", "Acme"), ("CN", "Dev-1")), "cn=dev-1,o=acme"),
        (subject(("O", "  Acme   Ltd ")), "o=acme ltd"),
        (subject(("CN", "Straße")), "cn=strasse"),
        (subject(("CN", "\uff44\uff45\uff56")), "cn=dev"),
        (subject(("CN", "a,o=b")), "cn=a\\,o=b"),
        (subject(("CN", "a+b=c")), "cn=a\\+b=c"),
        (subject(("CN", "#616263")), "cn=\\#616263"),
        (subject(("CN", "a\x00b")), "cn=a\\00b"),
        (subject(("serialNumber", "A1"), ("unstructuredName", "R1")), "unstructuredname=r1,serialnumber=a1"),
        (x509.Name([x509.NameAttribute(x509.ObjectIdentifier("1.2.3.4"), "X")]), "1.2.3.4=x"),
        (
            x509.Name([x509.NameAttribute(NameOID.X500_UNIQUE_IDENTIFIER, b"\x00\xa1", _ASN1Type.BitString)]),
            "2.5.4.45=#00a1",
        ),
    ],
)
def test_a_subject_key_is_folded_and_unambiguous(name: x509.Name, key: str) -> None:
    assert subject_key(name) == key


def test_a_subject_key_does_not_depend_on_the_order_inside_one_rdn() -> None:
    pair = [x509.NameAttribute(NameOID.COMMON_NAME, "a"), x509.NameAttribute(NameOID.SERIAL_NUMBER, "1")]
    one = x509.Name([x509.RelativeDistinguishedName(pair)])
    other = x509.Name([x509.RelativeDistinguishedName(pair[::-1])])
    assert subject_key(one) == subject_key(other) == "cn=a+serialnumber=1"
    assert subject_key(x509.Name(pair)) != subject_key(one)


def test_the_quick_fold_and_the_full_fold_agree() -> None:
    for text in ("dev-1", "Dev 1", "a  b", " a", "a ", "10.0.0.1", "x:y/z@w_1", "É", "a\tb"):
        assert subject_key(subject(("CN", text))) == "cn=" + fold(text)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("Dev-1", subject(("O", "Acme"), ("CN", "dev-17"))),
        ("CN=Dev-1", subject(("O", "Acme"), ("CN", "dev-17"))),
        ("cn = dev-17 , O = ACME", subject(("O", "Acme"), ("CN", "dev-17"))),
        ("O=Acme\\, Inc", subject(("O", "Acme, Inc."))),
    ],
)
def test_what_people_type_is_the_beginning_of_the_key(typed: str, name: x509.Name) -> None:
    assert subject_key(name).startswith(subject_search_key(typed))


def test_alternative_names_are_a_sorted_json_list_of_distinct_names() -> None:
    names = (
        *dns("B.example", "a.example", "b.EXAMPLE"),
        address("10.0.0.1"),
        address("2001:DB8::1"),
        x509.RFC822Name("Ops@Plant.Example"),
        x509.UniformResourceIdentifier("urn:Acme:1"),
        x509.DirectoryName(subject(("CN", "Dev"))),
        x509.OtherName(x509.ObjectIdentifier("1.2.3"), b"\x0c\x01a"),
        x509.RegisteredID(x509.ObjectIdentifier("1.2.3.4")),
    )
    text = alternative_names_text(names)
    assert text == alternative_names_text(reversed(names))
    assert json.loads(text) == [
        "DNS:a.example",
        "DNS:b.example",
        "IP:10.0.0.1",
        "IP:2001:db8::1",
        "RID:1.2.3.4",
        "URI:urn:Acme:1",
        "dirName:cn=dev",
        "email:Ops@plant.example",
        "otherName:1.2.3;0c0161",
    ]
    assert alternative_names_text(()) == "[]"
    assert alternative_names_text(dns("a.example")) == '["DNS:a.example"]'


@pytest.mark.parametrize(
    ("other_subject", "other_names", "same"),
    [
        (subject(("O", "ACME"), ("CN", "dev-1")), dns("b.example", "A.example"), True),
        (subject(("O", "Acme"), ("CN", "dev-2")), dns("a.example", "b.example"), False),
        (subject(("CN", "dev-1"), ("O", "Acme")), dns("a.example", "b.example"), False),
        (subject(("O", "Acme"), ("CN", "dev-1")), dns("a.example"), False),
        (
            subject(("O", "Acme"), ("CN", "dev-1")),
            (*dns("a.example", "b.example"), address("10.0.0.1")),
            False,
        ),
        (subject(("O", "Acme"), ("CN", "dev-1")), (), False),
    ],
)
def test_names_are_the_same_by_folded_subject_and_set_of_alternative_names(
    other_subject: x509.Name, other_names: tuple[x509.GeneralName, ...], same: bool
) -> None:
    name = subject(("O", "Acme"), ("CN", "dev-1"))
    assert same_names(name, dns("a.example", "b.example"), other_subject, other_names) is same


def test_an_address_and_a_dns_name_of_the_same_letters_differ() -> None:
    name = subject(("CN", "a"))
    assert not same_names(name, [x509.IPAddress(ip_address("10.0.0.1"))], name, dns("10.0.0.1"))


def test_the_alternative_names_of_a_certificate_are_read_back() -> None:
    issued = sign_plan(planned(asked(alternative_names=dns("a.example"))), signing_key("issuing"))
    assert certificate_alternative_names(issued.certificate) == dns("a.example")
    assert certificate_alternative_names(issuing()) == ()
