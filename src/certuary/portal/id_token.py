"""The ID token of a sign-in: what a provider says of who signed in there (OpenID Connect Core 1.0 section 3.1.3.7).

The signature is verified always, though the token comes straight from the provider over TLS: two checks that fail
apart.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import jwt

from certuary.errors import NotAuthenticated

ALGORITHMS: Final = (
    "ES256", "ES384", "ES512", "EdDSA", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512",
)  # fmt: skip
"""Signatures by a key pair only. "none" is no signature, and a secret shared with the client proves nothing to us."""

LEEWAY_SECONDS: Final = 60
"""How far the provider's clock may be off."""

Keys = Sequence[Mapping[str, Any]]
"""JSON Web Keys, as the provider publishes them (RFC 7517)."""


class UnknownKey(NotAuthenticated):
    """None of these keys has the token's identifier: they may have been replaced since they were read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the token must say. `begun_at`, a POSIX time: a token that is older is of another sign-in. `acr`, when there
    are any: how the person was authenticated must be one of them."""

    issuer: str
    client_id: str
    nonce: str = field(repr=False)
    begun_at: float
    acr: tuple[str, ...] = ()


def verify_id_token(token: str, keys: Keys, expected: Expected) -> dict[str, Any]:
    """Its claims. `NotAuthenticated` says what is wrong."""
    try:
        header = jwt.get_unverified_header(token)
        algorithm = header.get("alg")
        if algorithm not in ALGORITHMS:
            raise NotAuthenticated(f"the ID token is signed by {str(algorithm)[:16]!r}, which proves nothing")
        claims: dict[str, Any] = jwt.decode(
            token,
            _key_for(header, keys),
            algorithms=[algorithm],
            audience=expected.client_id,
            issuer=expected.issuer,
            leeway=LEEWAY_SECONDS,
            options={
                "require": ["iss", "sub", "aud", "exp", "iat", "nonce"],
                "enforce_minimum_key_length": True,
            },
        )
        _check_audience(claims, expected.client_id)
        _check_flow(claims, expected)
    except (jwt.PyJWTError, ValueError, TypeError) as problem:
        # ValueError: JSON can hold a text that is no Unicode.
        raise NotAuthenticated(f"the ID token is not to be believed: {_said(problem)}") from None
    return claims


def _key_for(header: Mapping[str, Any], keys: Keys) -> jwt.PyJWK:
    """The one that the token names, for the algorithm that it names; or the only one where it names none."""
    wanted = header.get("kid")
    fitting = [
        key
        for key in keys
        if (wanted is None or key.get("kid") == wanted)
        and key.get("use", "sig") == "sig"
        and key.get("alg", header["alg"]) == header["alg"]
    ]
    if len(fitting) != 1:
        raise UnknownKey("the ID token's key is none that the provider publishes")
    return jwt.PyJWK(dict(fitting[0]), algorithm=header["alg"])


def _check_audience(claims: Mapping[str, Any], client_id: str) -> None:
    """For us alone: a token that others take, too, may have come from them."""
    if claims["aud"] not in (client_id, [client_id]):
        raise NotAuthenticated("the ID token is for others, too")
    if claims.get("azp", client_id) != client_id:
        raise NotAuthenticated("the ID token was issued to somebody else")


def _check_flow(claims: Mapping[str, Any], expected: Expected) -> None:
    if not hmac.compare_digest(str(claims["nonce"]).encode(), expected.nonce.encode()):
        raise NotAuthenticated("the ID token is of another sign-in: its nonce is not ours")
    # RFC 7519 section 2: a NumericDate. The library takes whatever `int` does; to Python, True is a number.
    if type(claims["iat"]) not in (int, float):
        raise NotAuthenticated("the ID token does not say when it was issued: its iat is no number")
    if claims["iat"] < expected.begun_at - LEEWAY_SECONDS:
        raise NotAuthenticated("the ID token is older than this sign-in")
    if expected.acr and claims.get("acr") not in expected.acr:
        raise NotAuthenticated("the provider did not authenticate the user as oidc_acr asks for")


def _said(problem: Exception) -> str:
    return str(problem)[:160] or type(problem).__name__
