"""What is written down when somebody signs in or out, or fails at the second factor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from allauth.mfa.signals import authentication_failed
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest

from certuary.portal.backend import refuse_user
from certuary.portal.deps import address_of, change_deps_of
from certuary.portal.models import PortalUser
from certuary.portal.sessions import ADDRESS_KEY, BROWSER_KEY
from certuary.portal.ways import way_in_words, way_of
from certuary.services.change_record import add_audit_event
from certuary.services.entitlement import Actor

_LONGEST = 200


@receiver(user_logged_in)
def note_sign_in(request: HttpRequest, user: PortalUser, **_: Any) -> None:
    request.session[ADDRESS_KEY] = address_of(request)
    request.session[BROWSER_KEY] = request.headers.get("User-Agent", "")[:_LONGEST]
    identity = way_of(request.session)
    detail = {"way": way_in_words(identity)}
    if identity is not None:
        detail["identity"] = identity.in_words
    _note(request, user, "user.signed-in", detail)


@receiver(user_logged_out)
def note_sign_out(request: HttpRequest, user: PortalUser | None, **_: Any) -> None:
    if user is not None and user.is_authenticated:
        _note(request, user, "user.signed-out", {})


@receiver(authentication_failed)
def note_wrong_factor(request: HttpRequest, user: PortalUser, **_: Any) -> None:
    refuse_user(request, user.name, "wrong second factor")


def _note(request: HttpRequest, user: PortalUser, kind: str, detail: Mapping[str, object]) -> None:
    actor = Actor(name=user.name, role=user.role)
    add_audit_event(actor, kind, f"user:{user.name}", detail, change_deps_of(request))
