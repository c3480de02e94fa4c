"""An identity as a caller names it: by what the provider calls the user, or by a certificate's fingerprint."""

from __future__ import annotations

from django.http import HttpRequest

from certuary.core.identity import BoundCertificate, Identity, OidcIdentity
from certuary.errors import InvalidValue
from certuary.portal.api.schemas import IdentityGiven
from certuary.portal.deps import deps_of


def given_identity(request: HttpRequest, given: IdentityGiven) -> Identity:
    """Of the configured provider where none is named. `InvalidValue` for anything but one identity."""
    if (given.subject is None) == (given.sha256 is None):
        raise InvalidValue("name one identity: subject, or sha256", rule="identity")
    if given.sha256 is not None:
        return BoundCertificate(sha256=given.sha256.replace(":", "").strip().lower(), subject="")
    provider = deps_of(request).ways.provider
    issuer = given.issuer or (provider.settings.issuer if provider else "")
    if not issuer:
        raise InvalidValue("which provider? Give issuer: none is configured here", rule="identity")
    claim = given.claim or (provider.settings.claim if provider else "sub")
    return OidcIdentity(issuer=issuer, claim=claim, subject=str(given.subject))
