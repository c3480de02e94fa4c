from __future__ import annotations

import base64

import pytest

from certuary.core.transfer import decode_body, encode_body
from certuary.errors import MalformedBody
from tests.request_maker import usual_request

DER = usual_request()
TEXT = base64.b64encode(DER)
PEM = (
    b"-----BEGIN CERTIFICATE REQUEST-----\n" + base64.encodebytes(DER) + b"-----END CERTIFICATE REQUEST-----"
)


def _wrapped(columns: int, line_end: bytes) -> bytes:
    return line_end.join(TEXT[start : start + columns] for start in range(0, len(TEXT), columns)) + line_end


ACCEPTED = {
    "one line": TEXT,
    "64 columns, LF": _wrapped(64, b"\n"),
    "76 columns, CRLF": _wrapped(76, b"\r\n"),
    "a blank after every character": _wrapped(1, b" "),
    "tabs": _wrapped(10, b"\t"),
    "whitespace around it": b"\r\n \t" + TEXT + b"\t \r\n",
    "PEM": PEM,
    "PEM with CRLF and a line end": PEM.replace(b"\n", b"\r\n") + b"\r\n",
    "PEM of Microsoft's tools": PEM.replace(b"CERTIFICATE", b"NEW CERTIFICATE"),
    "PEM after an empty line": b"\n" + PEM,
    "raw DER": DER,
    "raw DER and a stray CRLF": DER + b"\r\n",
}


@pytest.mark.parametrize("body", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_decode_body_accepts(body: bytes) -> None:
    assert decode_body(body) == DER


REFUSED = {
    "an empty body": b"",
    "only whitespace": b" \r\n\t",
    "a character outside the alphabet": TEXT[:8] + b"!" + TEXT[9:],
    "the base64url alphabet": b"MA-_" + TEXT,
    "a NUL": TEXT[:8] + b"\x00" + TEXT[8:],
    "padding that is missing": base64.b64encode(DER[: len(DER) // 3 * 3 - 1]).rstrip(b"="),
    "data after the padding": base64.b64encode(b"0") + TEXT,
    "padding in the middle": b"MA==" + b"MA==",
    "another PEM label": PEM.replace(b"CERTIFICATE REQUEST", b"CERTIFICATE"),
    "PEM labels that differ": PEM.replace(b"END CERTIFICATE", b"END NEW CERTIFICATE"),
    "two PEM requests": PEM + b"\n" + PEM,
    "PEM without an end": PEM[:-10],
    "text after the PEM": PEM + b"\nhello",
    "PEM around nothing": b"-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----",
    "a PEM header line": PEM.replace(b"-----\n", b"-----\nProc-Type: 4,ENCRYPTED\n", 1),
    "a UTF-8 mark": b"\xef\xbb\xbf" + TEXT,
}


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED.keys())
def test_decode_body_refuses(body: bytes) -> None:
    with pytest.raises(MalformedBody):
        decode_body(body)


def test_decode_body_tells_what_an_empty_body_should_have_been() -> None:
    with pytest.raises(MalformedBody, match=r"empty.*PKCS#10"):
        decode_body(b"\n")


@pytest.mark.parametrize(
    "der",
    [
        b"\x30\x04\x02\x02\x0d\x0a",  # the content itself ends in CRLF
        b"\x30\x20\x0a",  # the length runs beyond the body
        b"\x30\x0a",  # nothing but a header, whose length looks like a line end
        b"\x30\x81\x02\x0d\x0a",
    ],
)
def test_decode_body_leaves_raw_der_alone_where_the_line_end_is_part_of_it(der: bytes) -> None:
    assert decode_body(der) == der


def test_decode_body_cuts_a_line_end_after_a_long_length() -> None:
    der = b"\x30\x82\x01\x00" + b"x" * 255 + b"\n"
    assert decode_body(der + b"\r\n") == der


def test_decode_body_keeps_other_octets_after_raw_der_for_the_parser_to_refuse() -> None:
    assert decode_body(DER + b"A\n") == DER + b"A\n"


def test_encode_body_is_one_line_without_a_line_end() -> None:
    body = encode_body(DER)
    assert body == TEXT
    assert b"\n" not in body
