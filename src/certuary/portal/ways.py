"""The ways to sign in that are configured, and by which one a session was opened.

A session that an identity opened holds while the user's sealed record names that identity; one that a certificate
opened, while the connection presents that very certificate, and it is good now.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth import SESSION_KEY, logout
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest

from certuary.core.identity import BoundCertificate, Identity, OidcIdentity, identity_from_json
from certuary.errors import InvalidValue, NotAuthenticated
from certuary.portal.provider import Provider
from certuary.services.authenticate_identity import has_identity
from certuary.services.ports import Clock, Record
from certuary.services.user_certificate import UserCertificates

TLS_EXTENSION: Final = "certuary.tls"
"""Where `server.bounded_http` puts what it knows of the connection."""
OPENED_BY: Final = "opened_by"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    password: bool = True
    provider: Provider | None = None
    certificates: UserCertificates | None = None

    @property
    def has_others(self) -> bool:
        """Than the password."""
        return self.provider is not None or self.certificates is not None


def note_way(request: HttpRequest, identity: Identity | None) -> None:
    """Before the sign-in is complete: a second factor may be asked for yet. None: by password.

    A session that is there already ends first. Django would empty another user's only when it opens the new one, and
    this note with it."""
    if SESSION_KEY in request.session:
        logout(request)
    request.session[OPENED_BY] = None if identity is None else identity.to_json()


def way_of(data: SessionBase | Mapping[str, Any]) -> Identity | None:
    """By which identity a session was opened; None by password. `InvalidValue` for what `note_way` never wrote."""
    if OPENED_BY not in data:
        raise InvalidValue("the session does not say what opened it", rule="identity")
    found = data[OPENED_BY]
    return None if found is None else identity_from_json(found)


def way_in_words(identity: Identity | None) -> str:
    if identity is None:
        return "password"
    return "identity provider" if isinstance(identity, OidcIdentity) else "certificate"


def way_holds(request: HttpRequest, user: Record, ways: Ways, clock: Clock) -> bool:
    """Whether what opened this session would open it now."""
    try:
        identity = way_of(request.session)
    except InvalidValue:
        return False
    if identity is None:
        return ways.password
    if not has_identity(user, identity):
        return False
    if isinstance(identity, BoundCertificate):
        return presented(request, ways, clock) == identity.key
    return ways.provider is not None and ways.provider.settings.issuer == identity.issuer


def presented(request: HttpRequest, ways: Ways, clock: Clock) -> tuple[str, ...] | None:
    """The identity of the connection's certificate, when it is good."""
    octets = certificate_of(request)
    if ways.certificates is None or octets is None:
        return None
    try:
        return ways.certificates.check(octets, clock.now()).key
    except NotAuthenticated:
        return None


def certificate_of(request: HttpRequest) -> bytes | None:
    """DER of what the TLS connection presented. Of the connection itself: a header could say anything."""
    scope = getattr(request, "scope", None) or {}
    octets = scope.get("extensions", {}).get(TLS_EXTENSION, {}).get("client_certificate_der")
    return octets if isinstance(octets, bytes) else None
