from __future__ import annotations

import base64

import pytest

from certuary.core.linking import check_linking
from certuary.errors import LinkingFailed

# RFC 7030 appendix A.3: twelve octets, sixteen characters.
TEXT = "+rrCir/7+EYu50T4"
TLS_UNIQUE = base64.b64decode(TEXT)


def test_check_linking_accepts_the_value_of_this_connection() -> None:
    check_linking(TEXT, tls_unique=TLS_UNIQUE)
    check_linking(TEXT, tls_unique=TLS_UNIQUE, required=True)


def test_check_linking_accepts_no_value_unless_it_is_required() -> None:
    check_linking(None, tls_unique=TLS_UNIQUE)
    check_linking(None, tls_unique=None)


@pytest.mark.parametrize("tls_unique", [TLS_UNIQUE, None])
def test_check_linking_names_linking_when_a_required_value_is_missing(tls_unique: bytes | None) -> None:
    with pytest.raises(LinkingFailed, match="linking of identity and proof of possession is required"):
        check_linking(None, tls_unique=tls_unique, required=True)


FOREIGN = {
    "another connection's value": base64.b64encode(bytes(12)).decode(),
    "one bit off": base64.b64encode(bytes((TLS_UNIQUE[0] ^ 1,)) + TLS_UNIQUE[1:]).decode(),
    "an empty value": "",
    "a value cut short": TEXT[:12],
    "a value with a line end": TEXT + "\n",
    "a password of another kind": "v@v0*&JfJ;\N{CENT SIGN}",
}


@pytest.mark.parametrize("value", FOREIGN.values(), ids=FOREIGN.keys())
def test_check_linking_refuses(value: str) -> None:
    with pytest.raises(LinkingFailed, match="is not this connection's"):
        check_linking(value, tls_unique=TLS_UNIQUE)


def test_check_linking_refuses_any_value_where_there_is_no_binding_and_says_what_to_do() -> None:
    with pytest.raises(LinkingFailed, match=r"connect with TLS 1\.2, or leave challengePassword out"):
        check_linking(TEXT, tls_unique=None)
