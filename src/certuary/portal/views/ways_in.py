"""Sign in by what was proved elsewhere: to an identity provider, or by the key of a client certificate.

Both end in the library's own flow of signing in, so that the second factor, the new session and the audit event are the
same as after a password.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from allauth.account.internal.flows.login import perform_login
from allauth.account.models import Login
from allauth.core.internal import ratelimit
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from certuary.core.identity import Identity
from certuary.errors import InvalidSeal, NotAuthenticated, NotFound
from certuary.portal.adapter import skip_second_factor
from certuary.portal.backend import refuse_user, user_of_identity
from certuary.portal.deps import deps_of
from certuary.portal.flows import forget_flow, keep_flow, take_flow
from certuary.portal.problem import problem_page
from certuary.portal.provider import Flow, Provider, ProviderDown
from certuary.portal.ways import certificate_of, note_way
from certuary.services.user_certificate import UserCertificates

_NOBODY = (
    "Nobody is let in by this identity, or this user may not sign in. A CA Administrator binds identities to users, "
    "under Manage Users & Roles."
)
_GONE = (
    "This sign-in is over: it was used already, took longer than ten minutes, or was begun in another browser. "
    "Begin anew."
)
_GONE_NOTED = {"gone": "10/m/ip"}
"""How many of these get an audit event; all get the same page."""
_NO_CERTIFICATE = (
    "Your browser sent no certificate. It asks for one when it connects: close all its windows, open this page again, "
    "and choose the certificate."
)


@require_POST
def begin_at_provider(request: HttpRequest) -> HttpResponse:
    """Answers with a page that leads there: a redirect would be part of the form's submission, which the policy of our
    pages keeps to this site."""
    provider = _provider(request)
    if request.user.is_authenticated:
        return redirect("/")
    if (too_often := _too_often(request)) is not None:
        return too_often
    callback = request.build_absolute_uri(reverse("sign-in-oidc-back"))
    try:
        url, flow = provider.begin(callback, _next_url(request))
    except ProviderDown as problem:
        return problem_page(request, problem)
    where = f"{provider.settings.name} ({urlsplit(url).netloc})"
    response = _passing(request, url, title=f"To {provider.settings.name}", text=f"You sign in at {where}.")
    keep_flow(response, flow)
    return response


@require_GET
def back_from_provider(request: HttpRequest) -> HttpResponse:
    """A navigation from another site, which brings the cookie of the flow and not the session's."""
    provider = _provider(request)
    flow = take_flow(request)
    # Any site's page can make its readers' browsers come here: without a flow that is no try of theirs.
    response = _gone(request) if flow is None else _too_often(request) or _finish(request, provider, flow)
    forget_flow(response)
    return response


@require_POST
def sign_in_by_certificate(request: HttpRequest) -> HttpResponse:
    certificates = deps_of(request).ways.certificates
    if certificates is None:
        raise NotFound("client certificates open nothing here: portal_client_ca_file is not set")
    if request.user.is_authenticated:
        return redirect("/")
    if (too_often := _too_often(request)) is not None:
        return too_often
    octets = certificate_of(request)
    if octets is None:
        return _refused(request, _NO_CERTIFICATE)
    try:
        identity = _check(request, certificates, octets)
        return _sign_in(request, identity, _next_url(request))
    except (NotAuthenticated, InvalidSeal):
        return _refused(request, _NOBODY)


def _gone(request: HttpRequest) -> HttpResponse:
    if ratelimit.consume(request, app="certuary.portal", action="gone", config=_GONE_NOTED, limit_get=True):
        refuse_user(request, "", "an answer of the provider to a sign-in that this browser did not begin")
    return _refused(request, _GONE)


def _finish(request: HttpRequest, provider: Provider, flow: Flow) -> HttpResponse:
    try:
        identity = _identify(request, provider, flow)
        if not provider.settings.asks_second_factor:
            skip_second_factor(request)
        response = _sign_in(request, identity, flow.next_url)
    except ProviderDown as problem:
        return problem_page(request, problem)
    except (NotAuthenticated, InvalidSeal):
        return _refused(request, _NOBODY)
    if not response.has_header("Location"):
        return response
    # The next navigation must be ours, or the browser sends no session with it: a page that leads on, no redirect.
    return _passing(
        request,
        response["Location"],
        title="Welcome back",
        text=f"{provider.settings.name} knows who you are.",
    )


def _identify(request: HttpRequest, provider: Provider, flow: Flow) -> Identity:
    try:
        return provider.finish(flow, request.GET.dict())
    except NotAuthenticated as problem:
        refuse_user(request, "", problem.reason)
        raise


def _check(request: HttpRequest, certificates: UserCertificates, octets: bytes) -> Identity:
    try:
        return certificates.check(octets, deps_of(request).clock.now())
    except NotAuthenticated as problem:
        refuse_user(request, "", problem.reason)
        raise


def _sign_in(request: HttpRequest, identity: Identity, next_url: str) -> HttpResponse:
    user = user_of_identity(request, identity)
    note_way(request, identity)
    response: HttpResponse = perform_login(request, Login(user=user, redirect_url=next_url or None))
    return response


def _provider(request: HttpRequest) -> Provider:
    provider = deps_of(request).ways.provider
    if provider is None:
        raise NotFound("there is no identity provider: oidc_issuer is not set")
    return provider


def _too_often(request: HttpRequest) -> HttpResponse | None:
    """After as many tries as with a password, of one address."""
    usage = ratelimit.consume(request, app="allauth.account", action="login", limit_get=True)
    refusal: HttpResponse | None = None if usage else ratelimit.respond_429(request)
    return refusal


def _next_url(request: HttpRequest) -> str:
    """The page that was asked for before, of this site only."""
    url = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(url, allowed_hosts={request.get_host()}, require_https=True)
    return url if is_ours else ""


def _passing(request: HttpRequest, url: str, *, title: str, text: str) -> HttpResponse:
    return render(request, "portal/passing.html", {"url": url, "title": title, "text": text})


def _refused(request: HttpRequest, text: str) -> HttpResponse:
    return render(request, "portal/not_signed_in.html", {"text": text}, status=403)
