from __future__ import annotations

import base64

import pytest

from certuary.core.basic import MAX_HEADER_OCTETS, parse_basic
from certuary.errors import MalformedRequest


def _header(credentials: bytes) -> bytes:
    return b"Basic " + base64.b64encode(credentials)


ACCEPTED = {
    "RFC 7617 section 2": (b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame"),
    "RFC 7617 section 2.1": (b"Basic dGVzdDoxMjPCow==", "test", "123\N{POUND SIGN}"),
    "an empty username": (b"Basic OnNlY3JldA==", "", "secret"),
    "an empty password": (_header(b"plant:"), "plant", ""),
    "colons in the password": (_header(b"plant:a:b:"), "plant", "a:b:"),
    "another case of the scheme": (b"bAsIc cGxhbnQ6eA==", "plant", "x"),
    "several blanks": (b" Basic   cGxhbnQ6eA== \t", "plant", "x"),
    "Latin-1": (
        _header(b"plant:\xe9t\xe9"),
        "plant",
        "\N{LATIN SMALL LETTER E WITH ACUTE}t\N{LATIN SMALL LETTER E WITH ACUTE}",
    ),
}


@pytest.mark.parametrize(("header", "username", "password"), ACCEPTED.values(), ids=ACCEPTED.keys())
def test_parse_basic_accepts(header: bytes, username: str, password: str) -> None:
    credentials = parse_basic(header)
    assert (credentials.username, credentials.password) == (username, password)


REFUSED = {
    "nothing": b"",
    "another scheme": b"Bearer cGxhbnQ6eA==",
    "the scheme alone": b"Basic",
    "no blank after the scheme": b"BasiccGxhbnQ6eA==",
    "two tokens": b"Basic cGxhbnQ6eA== cGxhbnQ6eA==",
    "a header list": b"Basic cGxhbnQ6eA==, Basic cGxhbnQ6eA==",
    "padding that is missing": b"Basic cGxhbnQ6eA",
    "too much padding": b"Basic cGxhbnQ6eHg==",
    "the base64url alphabet": b"Basic cGxhbnQ6_w==",
    "no colon": _header(b"plant"),
    "a line end": _header(b"plant:a\nb"),
    "a NUL in the username": _header(b"pl\x00ant:a"),
    "a DEL": _header(b"plant:\x7f"),
    "more than four kilobytes": _header(b"plant:" + b"x" * (MAX_HEADER_OCTETS * 3 // 4)),
}


@pytest.mark.parametrize("header", REFUSED.values(), ids=REFUSED.keys())
def test_parse_basic_refuses(header: bytes) -> None:
    with pytest.raises(MalformedRequest):
        parse_basic(header)


def test_parse_basic_never_repeats_the_credentials_in_its_refusal() -> None:
    with pytest.raises(MalformedRequest) as caught:
        parse_basic(_header(b"plant:hunter2\x01"))
    assert "hunter2" not in str(caught.value)
    assert "aHVudGVyMg" not in str(caught.value)


def test_credentials_hide_the_password_when_they_are_printed() -> None:
    shown = repr(parse_basic(_header(b"plant:hunter2")))
    assert "plant" in shown
    assert "hunter2" not in shown
