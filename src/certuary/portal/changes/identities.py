"""Identities: bound to a user, and taken away. They open the portal, and sign nothing."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.http import HttpRequest

from certuary.core.certificate import certificate_from_pem
from certuary.core.identity import Identity, OidcIdentity, identity_from_json
from certuary.errors import NotAuthenticated
from certuary.portal.deps import deps_of
from certuary.portal.people import find_user
from certuary.portal.signing import Content, Done, Line, Review, ReviewGroup, covering
from certuary.portal.templatetags.portal import relative
from certuary.services.change_deps import ChangeDeps
from certuary.services.entitlement import Actor
from certuary.services.manage_identity import bind_identity, unbind_identity


class BindIdentity:
    def review(self, content: Content, request: HttpRequest) -> Review:
        user = find_user(request, int(content["id"]))
        name = str(user.values["name"])
        identity = identity_from_json(content["identity"])
        lines = _lines(identity)
        if content.get("certificate"):
            lines = (*lines, *certificate_lines(str(content["certificate"]), request))
        return Review(
            title=f"A way in for {name}",
            sentence=f"You let whoever has this identity in as {name}. It signs nothing: that takes their password.",
            groups=(
                ReviewGroup(
                    title=name,
                    lines=lines,
                    edit_url=f"/users/{user.id}/identities/new/?token={content['token']}",
                ),
            ),
            back_url=f"/users/{user.id}/",
            covers=covering(user),
        )

    def apply(self, content: Content, actor: Actor, deps: ChangeDeps, request: HttpRequest) -> Done:
        user = find_user(request, int(content["id"]))
        name = str(user.values["name"])
        bind_identity(actor, name, identity_from_json(content["identity"]), deps)
        return Done(message=f"{name} can sign in by this identity", url=f"/users/{user.id}/")


class UnbindIdentity:
    def review(self, content: Content, request: HttpRequest) -> Review:
        user = find_user(request, int(content["id"]))
        name = str(user.values["name"])
        return Review(
            title=f"Take a way in away from {name}",
            sentence="You take this identity away. Sessions that it opened end at once.",
            groups=(ReviewGroup(title=name, lines=_lines(identity_from_json(content["identity"]))),),
            button="Sign and Remove",
            is_destructive=True,
            back_url=f"/users/{user.id}/",
            covers=covering(user),
        )

    def apply(self, content: Content, actor: Actor, deps: ChangeDeps, request: HttpRequest) -> Done:
        user = find_user(request, int(content["id"]))
        name = str(user.values["name"])
        unbind_identity(actor, name, identity_from_json(content["identity"]), deps)
        return Done(message=f"{name} can no longer sign in by this identity", url=f"/users/{user.id}/")


def _lines(identity: Identity) -> tuple[Line, ...]:
    if isinstance(identity, OidcIdentity):
        return (
            Line(label="Identity provider", value=identity.issuer),
            Line(label="Claim", value=identity.claim),
            Line(label="Subject", value=identity.subject),
        )
    return (
        Line(label="Certificate of", value=identity.subject or "no subject"),
        Line(label="SHA-256", value=identity.sha256),
    )


def certificate_lines(pem: str, request: HttpRequest) -> tuple[Line, ...]:
    certificate, now = certificate_from_pem(pem.encode()), deps_of(request).clock.now()
    return (
        Line(label="Issued by", value=certificate.issuer.rfc4514_string()),
        Line(
            label="Valid until",
            value=f"{certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC",
            meaning=relative(certificate.not_valid_after_utc, now),
            warning=_why_not_now(certificate, request),
        ),
    )


def _why_not_now(certificate: x509.Certificate, request: HttpRequest) -> str:
    certificates = deps_of(request).ways.certificates
    if certificates is None:
        return "Client certificates open nothing here now: portal_client_ca_file is not set."
    try:
        certificates.check(certificate.public_bytes(Encoding.DER), deps_of(request).clock.now())
    except NotAuthenticated as problem:
        return f"It would open nothing now: {problem.reason}."
    return ""
