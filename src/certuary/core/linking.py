"""Linking proof of possession to the TLS connection. RFC 7030 section 3.5.

A client shows that it made the request for this very connection by putting the base64 of its `tls-unique`
value (RFC 5929 section 3) into the request's challengePassword. `tls-unique` ends with TLS 1.2 (RFC 9266
section 3), and no document says what HTTPS clients send on TLS 1.3, so a value there cannot be checked and is
refused.
"""

from __future__ import annotations

import binascii
import hmac

from certuary.errors import LinkingFailed


def check_linking(
    challenge_password: str | None, *, tls_unique: bytes | None, required: bool = False
) -> None:
    """Verify the value whenever it is present (S-16), demand it where policy does (S-17), or raise
    `LinkingFailed`.

    `tls_unique` is None where there is none: on TLS 1.3, or when a proxy ended the TLS connection. Give it
    only for TLS 1.2, since Python's `ssl` answers with a meaningless value on TLS 1.3.
    """
    if challenge_password is None:
        if required:
            raise LinkingFailed(
                "linking of identity and proof of possession is required: put the base64 of tls-unique into"
                " challengePassword, over TLS 1.2"
            )
        return
    if tls_unique is None:
        raise LinkingFailed(
            "the request holds a challengePassword, but this connection has no tls-unique value to compare it"
            " with: connect with TLS 1.2, or leave challengePassword out"
        )
    expected = binascii.b2a_base64(tls_unique, newline=False)
    if not hmac.compare_digest(challenge_password.encode(), expected):
        raise LinkingFailed(
            "linking of identity and proof of possession failed: challengePassword is not this connection's"
            " tls-unique value"
        )
