"""An OpenID Connect provider that speaks the real protocol over TLS on loopback, and can be told to misbehave.

Discovery, keys, an authorize page where somebody says who they are, and a token endpoint that checks client, code and
PKCE. Written against the specifications and not against our client, so that both must have understood them alike.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import secrets
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

CLIENT_ID: Final = "certuary"
CLIENT_SECRET: Final = "a secret: of the client/&+"
HOST: Final = "127.0.0.1"
"""To a browser this is another site than `localhost`, where the portal is."""

Claims = dict[str, Any]
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(slots=True, kw_only=True)
class Grant:
    """What a code stands for."""

    subject: str
    nonce: str
    challenge: str
    redirect_uri: str
    claims: Claims


@dataclass(slots=True, kw_only=True)
class OidcProvider:
    """`change` is given the claims of each ID token before it is signed; `forge`, a header and claims, makes the whole
    token itself. `metadata` are added to what is published. `requests` are what was asked: path and form or query."""

    issuer: str
    ca_pem: bytes
    algorithm: str = "ES256"
    keys: dict[str, Key] = field(default_factory=dict)
    kid: str = "first"
    change: Callable[[Claims], None] = lambda claims: None
    forge: Callable[[dict[str, Any], Claims], str] | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def published(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            **self.metadata,
        }

    def key(self, kid: str) -> Key:
        if kid not in self.keys:
            self.keys[kid] = (
                ec.generate_private_key(ec.SECP256R1())
                if self.algorithm == "ES256"
                else rsa.generate_private_key(65537, 2048)
            )
        return self.keys[kid]

    def authorize(self, query: dict[str, str], subject: str, **claims: Any) -> str:
        """Somebody has said who they are: where their browser is sent."""
        assert query["response_type"] == "code"
        assert query["client_id"] == CLIENT_ID
        assert "openid" in query["scope"].split()
        assert query["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self.grants[code] = Grant(
            subject=subject,
            nonce=query["nonce"],
            challenge=query["code_challenge"],
            redirect_uri=query["redirect_uri"],
            claims=claims,
        )
        answer = {"code": code, "state": query["state"], "iss": self.issuer}
        return f"{query['redirect_uri']}?{urlencode(answer)}"

    def redeem(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        """RFC 6749 section 4.1.3, RFC 7636 section 4.6."""
        if _client_of(form, authorization) != (CLIENT_ID, CLIENT_SECRET):
            return 401, {"error": "invalid_client"}
        grant = self.grants.pop(form.get("code", ""), None)
        if grant is None or form.get("redirect_uri") != grant.redirect_uri:
            return 400, {"error": "invalid_grant"}
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if _text(digest) != grant.challenge:
            return 400, {"error": "invalid_grant"}
        return 200, {
            "access_token": secrets.token_urlsafe(8),
            "token_type": "Bearer",
            "expires_in": 60,
            "id_token": self.id_token(grant),
        }

    def id_token(self, grant: Grant) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": grant.subject,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": grant.nonce,
            **grant.claims,
        }
        self.change(claims)
        header = {"alg": self.algorithm, "kid": self.kid, "typ": "JWT"}
        return self.forge(header, claims) if self.forge else sign(header, claims, self.key(self.kid))

    def jwks(self) -> dict[str, Any]:
        self.key(self.kid)
        return {"keys": [_public(kid, key) for kid, key in self.keys.items()]}


def sign(header: dict[str, Any], claims: Claims, key: Key) -> str:
    """A JWS in compact form: RFC 7515."""
    signed = f"{_json(header)}.{_json(claims)}"
    if isinstance(key, rsa.RSAPrivateKey):
        signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    else:
        r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return f"{signed}.{_text(signature)}"


def unsigned(header: dict[str, Any], claims: Claims) -> str:
    return f"{_json({**header, 'alg': 'none'})}.{_json(claims)}."


@contextmanager
def oidc_provider(directory: Path, algorithm: str = "ES256") -> Iterator[OidcProvider]:
    """Running, on a free port."""
    certificate_pem, key_pem, root_pem = _identity()
    files = directory / "provider.pem", directory / "provider.key"
    for file, content in zip(files, (certificate_pem, key_pem), strict=True):
        file.write_bytes(content)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    server = ThreadingHTTPServer((HOST, 0), _Handler)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    provider = OidcProvider(
        issuer=f"https://{HOST}:{server.server_port}", ca_pem=root_pem, algorithm=algorithm
    )
    server.provider = provider  # type: ignore[attr-defined]  # read by the handler
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    timeout = 10

    @property
    def provider(self) -> OidcProvider:
        provider = self.server.provider  # type: ignore[attr-defined]  # set above
        assert isinstance(provider, OidcProvider)
        return provider

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.provider.requests.append((parts.path, query))
        if parts.path == "/.well-known/openid-configuration":
            self._send_json(200, self.provider.published())
        elif parts.path == "/keys":
            self._send_json(200, self.provider.jwks())
        elif parts.path == "/authorize":
            self._send(200, "text/html", _page(query).encode())
        else:
            self._send(404, "text/plain", b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        self.provider.requests.append((self.path, form))
        if self.path == "/token":
            self._send_json(*self.provider.redeem(form, self.headers.get("Authorization", "")))
        else:
            subject = form.pop("subject")
            self.send_response(303)
            self.send_header("Location", self.provider.authorize(form, subject))
            self.end_headers()

    def _send_json(self, status: int, value: dict[str, Any]) -> None:
        self._send(status, "application/json", json.dumps(value).encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


def _page(query: dict[str, str]) -> str:
    kept = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, value in query.items()
    )
    return (
        '<!doctype html><html lang="en"><title>Provider</title><link rel="icon" href="data:,"><main>'
        f'<h1>Provider</h1><form method="post" action="/signed-in">{kept}'
        '<label>Who are you? <input name="subject"></label><button>Continue</button></form></main>'
    )


def _client_of(form: dict[str, str], authorization: str) -> tuple[str, str]:
    if not authorization.startswith("Basic "):
        return form.get("client_id", ""), form.get("client_secret", "")
    name, _, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
    return unquote(name), unquote(secret)


def _public(kid: str, key: Key) -> dict[str, str]:
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.public_key().public_numbers()
        return {"kty": "RSA", "kid": kid, "use": "sig", "n": _number(numbers.n), "e": _number(numbers.e)}
    point = key.public_key().public_numbers()
    return {"kty": "EC", "crv": "P-256", "kid": kid, "x": _number(point.x, 32), "y": _number(point.y, 32)}


def _number(value: int, octets: int | None = None) -> str:
    return _text(value.to_bytes(octets or (value.bit_length() + 7) // 8, "big"))


def _json(value: object) -> str:
    return _text(json.dumps(value).encode())


def _text(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def _identity() -> tuple[bytes, bytes, bytes]:
    """A certificate for this address, its key, and the root above it, in PEM."""
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    address = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(HOST))])
    basic = x509.BasicConstraints(ca=True, path_length=0)
    root = _certificate("root of the provider of these tests", root_key, root_key, basic)
    certificate = _certificate("provider of these tests", key, root_key, address)
    key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return certificate.public_bytes(Encoding.PEM), key_pem, root.public_bytes(Encoding.PEM)


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
    extension: x509.ExtensionType,
) -> x509.Certificate:
    now = datetime.now(UTC)
    issuer = "root of the provider of these tests"
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        .sign(issuer_key, hashes.SHA256())
    )


def settings_for(provider: OidcProvider, directory: Path, **more: object) -> str:
    """The lines of `certuary.toml`; the files they name are written beside."""
    secret, ca = directory / "client-secret", directory / "provider-ca.pem"
    secret.write_text(CLIENT_SECRET + "\n")
    secret.chmod(0o600)
    ca.write_bytes(provider.ca_pem)
    values: dict[str, object] = {
        "oidc_issuer": provider.issuer,
        "oidc_client_id": CLIENT_ID,
        "oidc_client_secret_file": str(secret),
        "oidc_ca_file": str(ca),
        "oidc_name": "Acme",
        **more,
    }
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())
