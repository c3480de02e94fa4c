"""An OpenID Connect provider, as its client: authorization code flow with PKCE, state and nonce.

OpenID Connect Core 1.0 section 3.1, OpenID Connect Discovery 1.0, RFC 7636, RFC 9207. What the provider publishes is
read when it is first needed, so that the portal starts without it, and again after an hour. The access token is not
used, and neither is the UserInfo endpoint, whose answers nobody signs.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import secrets
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from certuary.core.identity import OidcIdentity
from certuary.errors import InvalidValue, NotAuthenticated, Unavailable
from certuary.portal.id_token import Expected, Keys, UnknownKey, verify_id_token

FLOW_SECONDS: Final = 600
"""How long a person may take at the provider."""

_TIMEOUT_SECONDS: Final = 10.0
_MOST_OCTETS: Final = 256 * 1024
_READ_AGAIN_SECONDS: Final = 3600.0
_READ_KEYS_SECONDS: Final = 60.0
_ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSettings:
    """`claim` identifies a person. `asks_second_factor`: the portal asks for its own, whatever the provider did."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    name: str
    claim: str = "sub"
    acr: tuple[str, ...] = ()
    asks_second_factor: bool = True
    tls: ssl.SSLContext


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One sign-in under way; kept by the portal, for the browser that began it."""

    state: str
    nonce: str
    verifier: str
    redirect_uri: str
    next_url: str
    begun_at: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Flow:
        return cls(**value)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Published:
    """`read_at` is of a steady clock."""

    metadata: Mapping[str, Any]
    keys: Keys
    read_at: float


class Provider:
    """Serves many threads."""

    def __init__(self, settings: ProviderSettings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._published: _Published | None = None

    def begin(self, redirect_uri: str, next_url: str) -> tuple[str, Flow]:
        """Where to send the browser, and what to remember until it is back. `Unavailable`."""
        metadata = self._read().metadata
        flow = Flow(
            state=secrets.token_urlsafe(32),
            nonce=secrets.token_urlsafe(32),
            verifier=secrets.token_urlsafe(48),
            redirect_uri=redirect_uri,
            next_url=next_url,
            begun_at=time.time(),
        )
        digest = hashlib.sha256(flow.verifier.encode("ascii")).digest()
        query = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": redirect_uri,
            "scope": "openid",
            "state": flow.state,
            "nonce": flow.nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii"),
            "code_challenge_method": "S256",
        }
        if self.settings.claim != "sub":
            query["scope"] = "openid profile email"
        if self.settings.acr:
            query["acr_values"] = " ".join(self.settings.acr)
        endpoint = str(metadata["authorization_endpoint"])
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}", flow

    def finish(self, flow: Flow, answer: Mapping[str, str]) -> OidcIdentity:
        """Who signed in, by what the browser brought back. `NotAuthenticated`, `Unavailable`."""
        if not hmac.compare_digest(answer.get("state", "").encode(), flow.state.encode()):
            raise NotAuthenticated("the answer is of another sign-in: its state is not ours")
        if time.time() - flow.begun_at > FLOW_SECONDS:
            raise NotAuthenticated("the sign-in at the provider took too long")
        published = self._read()
        self._check_answer(answer, published.metadata)
        token = self._redeem(answer["code"], flow, published.metadata)
        claims = self._verify(token, flow, published)
        subject = claims.get(self.settings.claim)
        if not isinstance(subject, str):
            raise NotAuthenticated(f"the ID token has no claim {self.settings.claim!r} that is a text")
        try:
            return OidcIdentity(issuer=self.settings.issuer, claim=self.settings.claim, subject=subject)
        except InvalidValue as problem:
            raise NotAuthenticated(f"the provider's subject cannot be taken: {problem.detail}") from None

    def _check_answer(self, answer: Mapping[str, str], metadata: Mapping[str, Any]) -> None:
        """RFC 9207: the answer says whose it is, where the provider says so."""
        says_issuer = metadata.get("authorization_response_iss_parameter_supported") is True
        if answer.get("iss", "" if says_issuer else self.settings.issuer) != self.settings.issuer:
            raise NotAuthenticated("the answer is of another issuer")
        if "error" in answer:
            raise NotAuthenticated(f"the provider refused: {_line(answer['error'])}")
        if not answer.get("code"):
            raise NotAuthenticated("the provider's answer has no code")

    def _redeem(self, code: str, flow: Flow, metadata: Mapping[str, Any]) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": flow.redirect_uri,
            "code_verifier": flow.verifier,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        client_id, secret = self.settings.client_id, self.settings.client_secret
        methods = metadata.get("token_endpoint_auth_methods_supported")
        # OpenID Connect Discovery 1.0 section 3: the default.
        if not isinstance(methods, list) or "client_secret_basic" in methods:
            # RFC 6749 section 2.3.1: both are encoded as in a form before they are joined.
            pair = f"{quote(client_id, safe='')}:{quote(secret, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode('ascii')}"
        else:
            form |= {"client_id": client_id, "client_secret": secret}
        answer = self._fetch(str(metadata["token_endpoint"]), urlencode(form).encode("ascii"), headers)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise NotAuthenticated("the provider's answer has no ID token")
        return token

    def _verify(self, token: str, flow: Flow, published: _Published) -> dict[str, Any]:
        expected = Expected(
            issuer=self.settings.issuer,
            client_id=self.settings.client_id,
            nonce=flow.nonce,
            begun_at=flow.begun_at,
            acr=self.settings.acr,
        )
        try:
            return verify_id_token(token, published.keys, expected)
        except UnknownKey:
            if time.monotonic() - published.read_at < _READ_KEYS_SECONDS:
                raise
        return verify_id_token(token, self._read(again=True).keys, expected)

    def _read(self, *, again: bool = False) -> _Published:
        with self._lock:
            now, known = time.monotonic(), self._published
            if known is not None and not again and now - known.read_at < _READ_AGAIN_SECONDS:
                return known
            metadata = self._fetch(f"{self.settings.issuer.rstrip('/')}/.well-known/openid-configuration")
            self._check_metadata(metadata)
            keys = self._fetch(str(metadata["jwks_uri"])).get("keys")
            if not isinstance(keys, list):
                raise ProviderDown("the provider publishes no keys")
            usable = tuple(key for key in keys if isinstance(key, dict))
            self._published = _Published(metadata=metadata, keys=usable, read_at=now)
            return self._published

    def _check_metadata(self, metadata: Mapping[str, Any]) -> None:
        """OpenID Connect Discovery 1.0 section 4.3: the issuer must be just the one that was asked."""
        if metadata.get("issuer") != self.settings.issuer:
            raise ProviderDown(
                f"the provider calls itself {_line(str(metadata.get('issuer')))!r}, and not what oidc_issuer says"
            )
        for name in _ENDPOINTS:
            if not _is_https(str(metadata.get(name))):
                raise ProviderDown(f"the provider's {name} is no https:// address")

    def _fetch(
        self, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310  # https only: see _check_metadata
            url, body, {"Accept": "application/json", **(headers or {})}
        )
        opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=self.settings.tls), urllib.request.ProxyHandler({}), _Stay()
        )
        try:
            with opener.open(request, timeout=_TIMEOUT_SECONDS) as answer:
                octets = answer.read(_MOST_OCTETS + 1)
        except urllib.error.HTTPError as refusal:
            with refusal:
                raise _refused(refusal, is_token_request=body is not None) from None
        except (OSError, http.client.HTTPException, ValueError) as problem:
            # ValueError: an address that is no ASCII, or whose host has a part that no name may have.
            reason = getattr(problem, "reason", problem)
            raise ProviderDown(f"the provider cannot be reached: {_line(str(reason))}") from None
        return _object(octets)


class ProviderDown(Unavailable):
    """Signing in by it waits; every other way in stays."""

    rule = "provider-down"


class _Stay(urllib.request.HTTPRedirectHandler):
    """A provider's addresses are what it publishes: nothing leads elsewhere, a client secret least of all."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _is_https(url: str) -> bool:
    try:
        return urlsplit(url).scheme == "https"
    except ValueError:
        return False


def _refused(refusal: urllib.error.HTTPError, *, is_token_request: bool) -> NotAuthenticated | ProviderDown:
    if is_token_request and refusal.code in (400, 401):
        try:
            error = _object(refusal.read(_MOST_OCTETS)).get("error", refusal.code)
        except (ProviderDown, OSError):
            error = refusal.code
        return NotAuthenticated(f"the provider does not take the code: {_line(str(error))}")
    return ProviderDown(f"the provider answers {refusal.code}")


def _object(octets: bytes) -> dict[str, Any]:
    if len(octets) > _MOST_OCTETS:
        raise ProviderDown("the provider's answer is too long")
    try:
        value = json.loads(octets)
    except (ValueError, RecursionError):
        raise ProviderDown("the provider's answer is no JSON") from None
    if not isinstance(value, dict):
        raise ProviderDown("the provider's answer is no JSON object")
    return value


def _line(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text[:120])
