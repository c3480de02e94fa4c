"""One's own second factors: added, removed, and recovery codes made anew. Each is signed by who has them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any, Final

from django.http import HttpRequest

from certuary.errors import Conflict, NotFound
from certuary.portal.deps import deps_of
from certuary.portal.models import PortalUser
from certuary.portal.people import viewer
from certuary.portal.second_factors import PASSKEY, RECOVERY_CODES, TOTP, digests_of, factors_of
from certuary.portal.signing import Content, Done, Line, Review, ReviewGroup, Secret, covering
from certuary.services.change_deps import ChangeDeps
from certuary.services.entitlement import Actor
from certuary.services.manage_user import change_authenticators

_BACK: Final = "/account/"
_FINGERPRINT: Final = 16


class AddTotp:
    def review(self, content: Content, request: HttpRequest) -> Review:
        warning = "" if factors_of(viewer(request).pk).codes_left is not None else _CODES_FOLLOW
        return _review(
            request,
            title="An authenticator app for you",
            sentence="From then on, signing in takes your password and a code of this app.",
            lines=(
                Line(label="Second factor", value="Authenticator app (TOTP)", meaning=warning),
                Line(label="Secret, by its digest", value=_digest(content["secret"])),
            ),
            edit_url="/account/2fa/totp/",
        )

    def apply(self, content: Content, actor: Actor, deps: ChangeDeps, request: HttpRequest) -> Done:
        from allauth.mfa.models import Authenticator

        user = viewer(request)
        if factors_of(user.pk).totp is not None:
            raise Conflict("you have an authenticator app already; remove it first")

        def write() -> None:
            Authenticator.objects.create(user=user, type=TOTP, data={"secret": content["secret"]})

        return _add(user, write, actor, deps, "The authenticator app is set up")


class AddPasskey:
    def review(self, content: Content, request: HttpRequest) -> Review:
        warning = "" if factors_of(viewer(request).pk).codes_left is not None else _CODES_FOLLOW
        return _review(
            request,
            title="A passkey for you",
            sentence="From then on, signing in takes your password and a second factor, such as this passkey.",
            lines=(
                Line(label="Second factor", value="Passkey", meaning=warning),
                Line(label="Name", value=str(content["name"])),
                Line(label="Credential, by its digest", value=_digest(json.dumps(content["credential"]))),
            ),
            edit_url="/account/2fa/passkeys/new/",
        )

    def apply(self, content: Content, actor: Actor, deps: ChangeDeps, request: HttpRequest) -> Done:
        from allauth.mfa.models import Authenticator

        user = viewer(request)
        data = {"name": content["name"], "credential": content["credential"]}

        def write() -> None:
            Authenticator.objects.create(user=user, type=PASSKEY, data=data)

        return _add(user, write, actor, deps, f"Passkey {content['name']} is set up")


class RemoveFactor:
    """The last one takes the recovery codes with it: they only stand in for it."""

    def review(self, content: Content, request: HttpRequest) -> Review:
        factors = factors_of(viewer(request).pk)
        named = {factor.id: factor.name for factor in (factors.totp, *factors.passkeys) if factor is not None}
        name = named.get(int(content["id"]))
        if name is None:
            raise NotFound("you have no such second factor")
        is_last = len(named) == 1
        return _review(
            request,
            title=f"Remove {name}",
            sentence="You remove a second factor.",
            lines=(
                Line(
                    label="Second factor",
                    value=name,
                    warning="It is your last one: the password alone will let you in." if is_last else "",
                ),
            ),
            button="Sign and Remove",
            is_destructive=True,
        )

    def apply(self, content: Content, actor: Actor, deps: ChangeDeps, request: HttpRequest) -> Done:
        from allauth.mfa.models import Authenticator

        user = viewer(request)

        def write() -> tuple[str, ...]:
            rows = Authenticator.objects.filter(user_id=user.pk)
            rows.filter(pk=content["id"]).exclude(type=RECOVERY_CODES).delete()
            if not rows.exclude(type=RECOVERY_CODES).exists():
                rows.delete()
            return digests_of(user.pk)

        change_authenticators(actor, write, deps)
        return Done(message="The second factor is removed", url=_BACK)


class NewRecoveryCodes:
    def review(self, content: Content, request: HttpRequest) -> Review:
        factors = factors_of(viewer(request).pk)
        if not factors.is_any:
            raise Conflict("recovery codes stand in for a second factor; set one up first")
        left = factors.codes_left
        return _review(
            request,
            title="New recovery codes",
            sentence="You make new recovery codes; those you have now stop working.",
            lines=(
                Line(
                    label="Recovery codes",
                    value="ten new ones, shown once after you sign",
                    before=f"{left} left" if left is not None else "none",
                ),
            ),
        )

    def apply(self, content: Content, actor: Actor, deps: ChangeDeps, request: HttpRequest) -> Done:
        from allauth.mfa.models import Authenticator

        user = viewer(request)

        def write() -> None:
            Authenticator.objects.filter(user_id=user.pk, type=RECOVERY_CODES).delete()

        return _add(user, write, actor, deps, "The new recovery codes are there")


_CODES_FOLLOW: Final = "Ten recovery codes, for the day you lose it, are shown once after you sign."


def _review(
    request: HttpRequest,
    *,
    title: str,
    sentence: str,
    lines: tuple[Line, ...],
    edit_url: str = "",
    **more: Any,
) -> Review:
    user = viewer(request)
    record = deps_of(request).records.find("user", id=user.pk)
    group = ReviewGroup(title=user.name, lines=lines, edit_url=edit_url)
    return Review(
        title=title, sentence=sentence, groups=(group,), back_url=_BACK, covers=covering(record), **more
    )


def _add(user: PortalUser, write: Callable[[], None], actor: Actor, deps: ChangeDeps, message: str) -> Done:
    """With recovery codes, when there are none: they are shown once."""
    from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes

    shown: list[str] = []

    def write_all() -> tuple[str, ...]:
        write()
        if factors_of(user.pk).codes_left is None:
            shown.extend(RecoveryCodes.activate(user).generate_codes())
        return digests_of(user.pk)

    change_authenticators(actor, write_all, deps)
    return Done(message=message, url=_BACK, secrets=_codes(user, shown))


def _codes(user: PortalUser, codes: list[str]) -> tuple[Secret, ...]:
    if not codes:
        return ()
    text = "\n".join(codes)
    content = f"Certuary recovery codes of {user.name}; each works once\n\n{text}\n"
    return (
        Secret(
            label="Recovery codes: each lets you in once without your second factor",
            value=text,
            filename="certuary-recovery-codes.txt",
            content=content.encode(),
        ),
    )


def _digest(text: object) -> str:
    return hashlib.sha256(str(text).encode()).hexdigest()[:_FINGERPRINT]
