"""My account: who I am here, how I sign in, and where I am signed in."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime

from allauth.mfa.adapter import get_adapter
from allauth.mfa.totp.internal.auth import generate_totp_secret
from allauth.mfa.webauthn.internal.auth import begin_registration
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from certuary.core.identity import identities_from_json
from certuary.errors import CertuaryError, InvalidValue, NotAuthenticated
from certuary.portal.deps import deps_of
from certuary.portal.forms.account import PasskeyForm, PasswordForm, TotpForm
from certuary.portal.models import PortalSession, PortalUser
from certuary.portal.people import viewer
from certuary.portal.scope import Scope
from certuary.portal.second_factors import factors_of
from certuary.portal.sessions import SessionStore, key_hash, live_sessions
from certuary.portal.signing import propose, sign_in_to_sign
from certuary.portal.user_agents import browser_in_words
from certuary.portal.ways import way_in_words, way_of
from certuary.services.manage_user import set_user_password
from certuary.store.sign_ins import last_sign_ins

_HOME = "/account/"
_BEING_SHOWN = "totp-secret"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSession:
    key: str
    address: str
    browser: str
    begun_at: datetime
    seen_at: datetime
    is_this: bool
    way: str


def account(request: HttpRequest) -> HttpResponse:
    user = viewer(request)
    groups = {group.id: group for group in deps_of(request).records.all("group")}
    context = {
        "groups": [groups[number] for number in user.group_ids if number in groups],
        "sees_all": Scope.of(request).sees_everything,
        "factors": factors_of(user.pk),
        "sessions": _sessions(request),
        "identities": identities_from_json(user.identities),
        "opened_by": way_of(request.session),
        "opens_by_password": deps_of(request).ways.password,
        "signed_in_at": last_sign_ins([user.name]).get(user.name),
    }
    return render(request, "portal/account.html", context)


@require_http_methods(["GET", "POST"])
def change_password(request: HttpRequest) -> HttpResponse:
    """Signed at once with the present password: the new one is never kept, not even until a confirmation."""
    user = viewer(request)
    form = PasswordForm(user, request.POST or None)
    if request.method == "POST" and form.is_valid() and _sign_password(request, user, form):
        messages.success(request, "Your password is changed, and your other sessions are ended")
        return redirect(_HOME)
    return render(request, "portal/password.html", {"form": form}, status=400 if form.errors else 200)


def _sign_password(request: HttpRequest, user: PortalUser, form: PasswordForm) -> bool:
    old, new = form.cleaned_data["old"], form.cleaned_data["new"]
    try:
        actor, deps = sign_in_to_sign(request, user.name, old, replaces_password=True)
        set_user_password(actor, user.name, new, deps_of(request).passwords, deps)
    except NotAuthenticated:
        form.add_error("old", "This is not your present password. Nothing was signed.")
        return False
    except CertuaryError as problem:
        form.refuse(None, problem)
        return False
    user.refresh_from_db()
    update_session_auth_hash(request, user)
    return True


@require_http_methods(["GET", "POST"])
def add_totp(request: HttpRequest) -> HttpResponse:
    user = viewer(request)
    if factors_of(user.pk).totp is not None:
        return redirect(_HOME)
    adapter = get_adapter()
    secret = _secret_being_shown(request)
    form = TotpForm(user, secret, request.POST or None)
    if request.method == "POST" and form.is_valid():
        return redirect(propose(request, "factor-totp", {"secret": request.session.pop(_BEING_SHOWN)}))
    picture = adapter.build_totp_svg(adapter.build_totp_url(user, secret))
    context = {
        "form": form,
        "picture": f"data:image/svg+xml;base64,{b64encode(picture.encode()).decode('ascii')}",
        "secret": secret,
        "spaced": " ".join(secret[start : start + 4] for start in range(0, len(secret), 4)),
    }
    return render(request, "portal/totp.html", context)


def _secret_being_shown(request: HttpRequest) -> str:
    """The same until its code was typed. Encrypted, as who reads the database reads sessions, too."""
    adapter = get_adapter()
    if _BEING_SHOWN not in request.session:
        request.session[_BEING_SHOWN] = adapter.encrypt(generate_totp_secret())
    secret: str = adapter.decrypt(request.session[_BEING_SHOWN])
    return secret


@require_http_methods(["GET", "POST"])
def add_passkey(request: HttpRequest) -> HttpResponse:
    user = viewer(request)
    form = PasskeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        return redirect(propose(request, "factor-passkey", form.cleaned_data))
    options = json.dumps(begin_registration(user, False))
    return render(request, "portal/passkey.html", {"form": form, "options": options})


@require_POST
def remove_factor(request: HttpRequest, number: int) -> HttpResponse:
    return redirect(propose(request, "factor-remove", {"id": number}))


@require_POST
def new_recovery_codes(request: HttpRequest) -> HttpResponse:
    return redirect(propose(request, "recovery-codes", {}))


@require_POST
def end_sessions(request: HttpRequest) -> HttpResponse:
    """One of one's own, by its key's hash, or all but this one."""
    own = PortalSession.objects.filter(user_id=viewer(request).pk)
    this = _this_session(request)
    which = request.POST.get("session", "")
    rows = own.exclude(key_hash=this) if which == "others" else own.filter(key_hash=which)
    ended, _ = rows.delete()
    messages.success(request, f"{ended} session{'' if ended == 1 else 's'} ended")
    return redirect(_HOME if which != this else "/sign-in/")


def _sessions(request: HttpRequest) -> tuple[ShownSession, ...]:
    this = _this_session(request)
    return tuple(
        ShownSession(
            key=row.key_hash,
            address=row.address,
            browser=browser_in_words(row.user_agent),
            begun_at=row.created_at,
            seen_at=row.seen_at,
            is_this=row.key_hash == this,
            way=_way(row),
        )
        for row in live_sessions(viewer(request).pk)
    )


def _way(row: PortalSession) -> str:
    try:
        return way_in_words(way_of(SessionStore().decode(row.data)))
    except InvalidValue:
        return "unknown"


def _this_session(request: HttpRequest) -> str:
    assert request.session.session_key is not None
    return key_hash(request.session.session_key)
