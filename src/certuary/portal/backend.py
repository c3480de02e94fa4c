"""Sign in to the portal: the same check as a command's, seals included. EST credentials open nothing."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.http import HttpRequest

from certuary.core.identity import Identity
from certuary.errors import CertuaryError, InvalidSeal, NotAuthenticated
from certuary.portal.deps import change_deps_of, deps_of
from certuary.portal.models import PortalUser
from certuary.portal.ways import way_holds
from certuary.services.authenticate_identity import authenticate_identity
from certuary.services.authenticate_user import authenticate_user
from certuary.services.change_record import add_audit_event
from certuary.services.entitlement import Actor
from certuary.services.second_factors import ALTERED


class PortalBackend(BaseBackend):
    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **_: Any
    ) -> PortalUser | None:
        """None for whatever is wrong: the audit event has the reason."""
        # The library's tables can be imported only once Django's applications are there.
        from certuary.portal.second_factors import are_as_signed

        if request is None or not username or not password:
            return None
        deps = deps_of(request)
        if not deps.ways.password:
            refuse_user(request, username, "passwords open nothing here: portal_password_sign_in is false")
            return None
        try:
            signer = authenticate_user(
                username, password, deps.passwords, deps.gate(), change_deps_of(request)
            )
        except (NotAuthenticated, InvalidSeal):
            return None
        record = deps.records.find("user", name=signer.actor.name)
        if record is None or not are_as_signed(record):
            refuse_user(request, username, ALTERED)
            return None
        return PortalUser.objects.filter(name=signer.actor.name, removed_at__isnull=True).first()

    def get_user(self, user_id: int) -> PortalUser | None:
        """Of a session. Whether the record still holds is asked on every request (`portal.middleware`)."""
        return PortalUser.objects.filter(pk=user_id, removed_at__isnull=True, enabled=True).first()


def user_of_identity(request: HttpRequest, identity: Identity) -> PortalUser:
    """`NotAuthenticated` for whatever is wrong: the audit event has the reason."""
    from certuary.portal.second_factors import are_as_signed

    deps = deps_of(request)
    record = authenticate_identity(identity, deps.gate(), change_deps_of(request))
    if not are_as_signed(record):
        refuse_user(request, str(record.values["name"]), ALTERED)
        raise NotAuthenticated(ALTERED)
    return PortalUser.objects.get(pk=record.id)


def is_believed(request: HttpRequest, user: PortalUser) -> bool:
    """The record, the second factors that were asked for on its word, and what opened the session."""
    from certuary.portal.second_factors import are_as_signed

    deps = deps_of(request)
    try:
        record = deps.records.find("user", id=user.pk)
        if record is None:
            return False
        deps.gate().check(record)
    except CertuaryError:
        return False
    return are_as_signed(record) and way_holds(request, record, deps.ways, deps.clock)


def refuse_user(request: HttpRequest, name: str, reason: str) -> None:
    """The audit event of a sign-in that did not get far; `name` is "" where nobody is known."""
    nobody = Actor(name=name, role="")
    target = f"user:{name}" if name else ""
    add_audit_event(nobody, "user.refused", target, {"reason": reason}, change_deps_of(request))
