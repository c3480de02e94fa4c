"""Signing in by an OpenID Connect provider, at the wire: what opens the portal, and what does not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from certuary.core.identity import OidcIdentity
from certuary.keystore.file import UnlockedKeys
from certuary.services.entitlement import OFFICER
from certuary.services.manage_identity import bind_identity, unbind_identity
from certuary.services.manage_user import declare_key_compromised, set_user_enabled
from tests.oidc_provider import OidcProvider, oidc_provider, settings_for, sign, unsigned
from tests.wire.portal.pages import ADMIN, PASSWORD, Page, Portal, PortalClient, confirm_change, text_of
from tests.wire.portal.test_account import set_up_totp

SUBJECT = "248289761001"


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[OidcProvider]:
    with oidc_provider(tmp_path) as running:
        yield running


@pytest.fixture
def oidc(portal_home: Path, portal_keys: UnlockedKeys, provider: OidcProvider) -> Iterator[Portal]:
    """The portal with that provider."""
    yield from opened(portal_home, portal_keys, provider)


def opened(home: Path, keys: UnlockedKeys, provider: OidcProvider, **more: object) -> Iterator[Portal]:
    from django.core.cache import cache
    from django.db import connections

    cache.clear()
    with (home / "certuary.toml").open("a") as file:
        file.write(settings_for(provider, home, **more))
    yield Portal.open(home, keys)
    connections.close_all()


def bind(portal: Portal, provider: OidcProvider, name: str = ADMIN, subject: str = SUBJECT) -> OidcIdentity:
    identity = OidcIdentity(issuer=provider.issuer, claim="sub", subject=subject)
    actor, deps = portal.changes_as()
    bind_identity(actor, name, identity, deps)
    return identity


def begin(browser: PortalClient, next_url: str = "") -> str:
    """Press the button; where the page leads."""
    answer = browser.post_form("/sign-in/oidc/", {"next": next_url}, page="/sign-in/")
    assert answer.status_code == 200, text_of(answer)
    return leads_to(answer)


def leads_to(page: Page) -> str:
    found = re.search(r'http-equiv="refresh" content="0; url=([^"]*)"', page.content.decode())
    assert found is not None, text_of(page)
    return unescape(found[1])


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def back(browser: PortalClient, url: str) -> Page:
    """From another site: no browser sends a Strict cookie with that."""
    kept = dict(browser.cookies)
    for name in list(browser.cookies):
        if browser.cookies[name]["samesite"] == "Strict":
            del browser.cookies[name]
    answer = browser.get(url.removeprefix("https://localhost"))
    for name, morsel in kept.items():
        if name not in browser.cookies:
            browser.cookies[name] = morsel
    return answer


def sign_in(
    browser: PortalClient, provider: OidcProvider, subject: str = SUBJECT, **claims: object
) -> object:
    return back(browser, provider.authorize(query_of(begin(browser)), subject, **claims))


def is_signed_in(browser: PortalClient) -> bool:
    return bool(browser.get("/account/").status_code == 200)


def reasons(portal: Portal) -> list[str]:
    from certuary.store.models import AuditEvent

    events = AuditEvent.objects.filter(kind="user.refused").order_by("id")
    return [json.loads(detail)["reason"] for detail in events.values_list("detail", flat=True)]


def test_a_user_whose_record_names_the_subject_signs_in(
    oidc: Portal, visitor: PortalClient, provider: OidcProvider
) -> None:
    identity = bind(oidc, provider)
    answer = sign_in(visitor, provider)
    assert leads_to(answer) == "/"
    assert is_signed_in(visitor)
    assert oidc.audit_kinds()[-1] == "user.signed-in"
    assert detail_of_last(oidc) == {"way": "identity provider", "identity": identity.in_words}


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_both_usual_signatures_are_taken(
    oidc: Portal, visitor: PortalClient, provider: OidcProvider, algorithm: str
) -> None:
    provider.algorithm = algorithm
    bind(oidc, provider)
    sign_in(visitor, provider)
    assert is_signed_in(visitor)


def test_a_provider_that_takes_its_client_by_form_only_is_served_so(
    oidc: Portal, visitor: PortalClient, provider: OidcProvider
) -> None:
    provider.metadata["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    bind(oidc, provider)
    sign_in(visitor, provider)
    assert is_signed_in(visitor)
    assert "client_secret" in dict(provider.requests)["/token"]


@pytest.mark.parametrize("methods", [None, 7, {}])
def test_a_provider_that_names_no_methods_is_served_by_the_default(
    oidc: Portal, visitor: PortalClient, provider: OidcProvider, methods: object
) -> None:
    """OpenID Connect Discovery 1.0 section 3: it is client_secret_basic."""
    provider.metadata["token_endpoint_auth_methods_supported"] = methods
    bind(oidc, provider)
    sign_in(visitor, provider)
    assert is_signed_in(visitor)
    assert "client_secret" not in dict(provider.requests)["/token"]


def test_a_key_that_was_replaced_since_is_read_again(
    oidc: Portal, visitor: PortalClient, provider: OidcProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    bind(oidc, provider)
    sign_in(visitor, provider)
    provider.kid = "second"
    monkeypatch.setattr("certuary.portal.provider._READ_KEYS_SECONDS", 0.0)
    other = PortalClient()
    sign_in(other, provider)
    assert is_signed_in(other)


def test_who_signs_in_is_led_to_the_page_they_asked_for_and_nowhere_else(
    oidc: Portal, provider: OidcProvider
) -> None:
    bind(oidc, provider)
    for wanted, led_to in (
        ("/groups/", "/groups/"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        (r"/\evil.example", "/"),
        ("javascript:alert(1)", "/"),
    ):
        browser = PortalClient()
        url = provider.authorize(query_of(begin(browser, wanted)), SUBJECT)
        assert leads_to(back(browser, url)) == led_to


def test_the_browser_is_sent_with_state_nonce_and_pkce_and_comes_back_here(
    oidc: Portal, visitor: PortalClient, provider: OidcProvider
) -> None:
    first, second = query_of(begin(visitor)), query_of(begin(PortalClient()))
    assert first["redirect_uri"] == "https://localhost/sign-in/oidc/back/"
    assert first["scope"] == "openid"
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name]) >= 43
        assert first[name] != second[name]


def test_the_cookie_of_a_sign_in_under_way_is_lax_short_lived_and_opens_nothing(
    oidc: Portal, visitor: PortalClient, provider: OidcProvider
) -> None:
    begin(visitor)
    cookie = visitor.cookies["__Host-certuary-flow"]
    assert (cookie["samesite"], cookie["secure"], cookie["httponly"], cookie["path"]) == (
        "Lax",
        True,
        True,
        "/",
    )
    assert cookie["max-age"] == 600
    thief = PortalClient()
    thief.cookies["__Host-certuary-session"] = cookie.value
    assert not is_signed_in(thief)


def test_the_session_cookie_stays_strict_and_is_new(
    oidc: Portal, visitor: PortalClient, provider: OidcProvider
) -> None:
    bind(oidc, provider)
    visitor.get("/sign-in/")
    planted = visitor.session
    planted["planted"] = True
    planted.save()
    before = str(planted.session_key)
    visitor.cookies["__Host-certuary-session"] = before
    url = provider.authorize(query_of(begin(visitor)), SUBJECT)
    visitor.get(url.removeprefix("https://localhost"))  # a browser that sends the planted cookie, too
    cookie = visitor.cookies["__Host-certuary-session"]
    assert cookie.value != before
    assert cookie["samesite"] == "Strict"
    stranger = PortalClient()
    stranger.cookies["__Host-certuary-session"] = before
    assert is_signed_in(visitor)
    assert not is_signed_in(stranger)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda claims: claims.update(nonce="another"), "its nonce is not ours"),
        (lambda claims: claims.pop("nonce"), "nonce"),
        (lambda claims: claims.update(iss="https://evil.example"), "issuer"),
        (lambda claims: claims.update(aud="another-client"), "udience"),
        (lambda claims: claims.update(aud=["certuary", "another-client"]), "is for others, too"),
        (lambda claims: claims.update(azp="another-client"), "issued to somebody else"),
        (lambda claims: claims.update(exp=claims["exp"] - 3600), "expired"),
        (lambda claims: claims.pop("exp"), "exp"),
        (lambda claims: claims.update(iat=claims["iat"] - 3600), "older than this sign-in"),
        (lambda claims: claims.update(iat=claims["iat"] + 3600), "iat"),
        (lambda claims: claims.update(iat=str(claims["iat"])), "iat is no number"),
        (lambda claims: claims.update(iat=True), "iat is no number"),
        (lambda claims: claims.update(nonce="\ud800"), "surrogates"),
        (lambda claims: claims.update(sub=7), "ubject"),
        (lambda claims: claims.update(sub=" "), "subject"),
        (lambda claims: claims.update(sub="somebody-else"), "no user has this identity"),
    ],
)
def test_a_token_that_says_something_else_opens_nothing(
    oidc: Portal, visitor: PortalClient, provider: OidcProvider, change: object, reason: str
) -> None:
    bind(oidc, provider)
    provider.change = change  # type: ignore[assignment]
    assert_refused(sign_in(visitor, provider), visitor, oidc, reason)


def test_a_token_signed_by_another_key_opens_nothing(
    oidc: Portal, visitor: PortalClient, provider: OidcProvider
) -> None:
    bind(oidc, provider)
    provider.jwks()  # the published key is there
    other = type(provider)(issuer=provider.issuer, ca_pem=b"").key("first")
    provider.forge = lambda header, claims: sign(header, claims, other)
    assert_refused(sign_in(visitor, provider), visitor, oidc, "ignature")


def test_a_token_without_a_signature_opens_nothing(
    oidc: Portal, visitor: PortalClient, provider: OidcProvider
) -> None:
    bind(oidc, provider)
    provider.forge = unsigned
    assert_refused(sign_in(visitor, provider), visitor, oidc, "'none', which proves nothing")


def test_a_token_signed_with_the_client_secret_opens_nothing(
    oidc: Portal, visitor: PortalClient, provider: OidcProvider
) -> None:
    import jwt

    from tests.oidc_provider import CLIENT_SECRET

    bind(oidc, provider)
    secret = CLIENT_SECRET.ljust(32, "x")
    provider.forge = lambda header, claims: jwt.encode(claims, secret, "HS256", {"kid": header["kid"]})
    assert_refused(sign_in(visitor, provider), visitor, oidc, "'HS256', which proves nothing")


def test_a_token_changed_after_it_was_signed_opens_nothing(
    oidc: Portal, visitor: PortalClient, provider: OidcProvider
) -> None:
    bind(oidc, provider)

    def swap(header: dict[str, object], claims: dict[str, object]) -> str:
        genuine = sign(header, {**claims, "sub": "mallory"}, provider.key(provider.kid)).split(".")
        genuine[1] = sign(header, claims, provider.key(provider.kid)).split(".")[1]
        return ".".join(genuine)

    provider.forge = swap
    assert_refused(sign_in(visitor, provider), visitor, oidc, "ignature")


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "..", "e30.e30.e30"])
def test_a_token_that_is_none_opens_nothing(
    oidc: Portal, visitor: PortalClient, provider: OidcProvider, token: str
) -> None:
    bind(oidc, provider)
    provider.forge = lambda header, claims: token
    assert_refused(sign_in(visitor, provider), visitor, oidc, "ID token")


def test_an_answer_works_once(oidc: Portal, visitor: PortalClient, provider: OidcProvider) -> None:
    bind(oidc, provider)
    url = provider.authorize(query_of(begin(visitor)), SUBJECT)
    kept = str(visitor.cookies["__Host-certuary-flow"].value)
    back(visitor, url)
    assert is_signed_in(visitor)
    thief = PortalClient()
    thief.cookies["__Host-certuary-flow"] = kept
    assert_refused(back(thief, url), thief, oidc, "did not begin")


def test_somebody_else_s_answer_signs_nobody_in(
    oidc: Portal, visitor: PortalClient, provider: OidcProvider
) -> None:
    """Login CSRF: the victim works in the attacker's session, and does not know it."""
    bind(oidc, provider)
    attacker = PortalClient()
    url = provider.authorize(query_of(begin(attacker)), SUBJECT)
    assert_refused(back(visitor, url), visitor, oidc, "did not begin")


def test_the_answer_to_another_sign_in_of_this_browser_opens_nothing(
    oidc: Portal, visitor: PortalClient, provider: OidcProvider
) -> None:
    bind(oidc, provider)
    attacker = PortalClient()
    url = provider.authorize(query_of(begin(attacker)), SUBJECT)
    begin(visitor)
    assert_refused(back(visitor, url), visitor, oidc, "its state is not ours")


def test_a_code_of_somebody_else_under_this_browser_s_state_opens_nothing(
    oidc: Portal, visitor: PortalClient, provider: OidcProvider
) -> None:
    """Code injection: the verifier of PKCE does not fit."""
    bind(oidc, provider)
    stolen = query_of(provider.authorize(query_of(begin(PortalClient())), SUBJECT))["code"]
    own = provider.authorize(query_of(begin(visitor)), "mallory")
    url = own.replace(query_of(own)["code"], stolen)
    assert_refused(back(visitor, url), visitor, oidc, "invalid_grant")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda url: url.replace("iss=", "iss=x"), "of another issuer"),
        (lambda url: re.sub("&iss=[^&]*", "", url), "of another issuer"),
        (lambda url: re.sub("code=[^&]*", "error=access_denied%0A", url), "refused: access_denied?"),
        (lambda url: re.sub("code=[^&]*", "code=", url), "has no code"),
        (lambda url: re.sub("state=[^&]*", "", url), "state"),
    ],
)
def test_an_answer_that_is_not_as_it_should_be_opens_nothing(
    oidc: Portal, visitor: PortalClient, provider: OidcProvider, change: object, reason: str
) -> None:
    bind(oidc, provider)
    url = provider.authorize(query_of(begin(visitor)), SUBJECT)
    assert_refused(back(visitor, change(url)), visitor, oidc, reason)  # type: ignore[operator]


def test_a_sign_in_that_takes_too_long_is_over(
    oidc: Portal, visitor: PortalClient, provider: OidcProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    bind(oidc, provider)
    url = provider.authorize(query_of(begin(visitor)), SUBJECT)
    monkeypatch.setattr("certuary.portal.provider.FLOW_SECONDS", -1)
    assert_refused(back(visitor, url), visitor, oidc, "too long")


def test_a_disabled_user_is_refused_like_an_unknown_one(
    oidc: Portal, visitor: PortalClient, provider: OidcProvider
) -> None:
    name = officer(oidc, provider)
    actor, deps = oidc.changes_as()
    set_user_enabled(actor, name, enabled=False, deps=deps)
    disabled = sign_in(visitor, provider)
    unknown = sign_in(PortalClient(), provider, "nobody")
    assert without_request_id(disabled) == without_request_id(unknown)
    assert reasons(oidc)[-2:][0] == "disabled user"


def test_a_user_whose_key_counts_as_compromised_is_refused(
    oidc: Portal, visitor: PortalClient, provider: OidcProvider
) -> None:
    name = officer(oidc, provider)
    actor, deps = oidc.changes_as()
    declare_key_compromised(actor, name, deps.clock.now(), deps)
    assert_refused(sign_in(visitor, provider), visitor, oidc, "compromised")


def test_an_identity_written_by_sql_opens_nothing(
    oidc: Portal, visitor: PortalClient, provider: OidcProvider
) -> None:
    planted = json.dumps([OidcIdentity(issuer=provider.issuer, claim="sub", subject=SUBJECT).to_json()])
    oidc.execute("UPDATE users SET identities = %s WHERE name = 'admin'", planted)
    assert_refused(sign_in(visitor, provider), visitor, oidc, "cannot be believed: identities")


def test_an_identity_copied_to_another_user_by_sql_keeps_nobody_out(
    oidc: Portal, visitor: PortalClient, provider: OidcProvider
) -> None:
    name = officer(oidc, provider)
    oidc.execute(
        "UPDATE users SET identities = (SELECT identities FROM users WHERE name = %s) WHERE name = 'admin'",
        name,
    )
    sign_in(visitor, provider)
    assert name in text_of(visitor.get("/account/"))


def test_another_claim_or_issuer_of_the_same_value_is_somebody_else(
    oidc: Portal, visitor: PortalClient, provider: OidcProvider
) -> None:
    actor, deps = oidc.changes_as()
    for identity in (
        OidcIdentity(issuer=provider.issuer, claim="email", subject=SUBJECT),
        OidcIdentity(issuer=provider.issuer + "/other", claim="sub", subject=SUBJECT),
    ):
        bind_identity(actor, ADMIN, identity, deps)
    assert_refused(sign_in(visitor, provider, email=SUBJECT), visitor, oidc, "no user has this identity")


def test_taking_an_identity_away_ends_the_sessions_that_it_opened_and_no_other(
    oidc: Portal, provider: OidcProvider
) -> None:
    identity = bind(oidc, provider)
    by_provider, by_password = PortalClient(), PortalClient()
    sign_in(by_provider, provider)
    by_password.sign_in(ADMIN)
    actor, deps = oidc.changes_as()
    unbind_identity(actor, ADMIN, identity, deps)
    assert not is_signed_in(by_provider)
    assert is_signed_in(by_password)


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("second_factor", [False, True])
def test_a_session_of_somebody_else_ends_and_the_new_one_is_the_identity_s(
    oidc: Portal, visitor: PortalClient, provider: OidcProvider, enabled: bool, second_factor: bool
) -> None:
    """Of somebody who is disabled, too: their cookie still names a session."""
    identity = bind(oidc, provider)
    codes = set_up_second_factor(ADMIN)[1] if second_factor else []
    url = provider.authorize(query_of(begin(visitor)), SUBJECT)
    name = oidc.user_of(OFFICER, ("GRP_001",))
    visitor.sign_in(name)
    actor, deps = oidc.changes_as()
    set_user_enabled(actor, name, enabled=enabled, deps=deps)

    visitor.get(url.removeprefix("https://localhost"))  # a browser that sends the session's cookie, too
    if second_factor:
        visitor.post_form("/sign-in/second-factor/", {"code": codes[0]})
    assert detail_of_last(oidc) == {"way": "identity provider", "identity": identity.in_words}
    assert "Opened by sub" in text_of(visitor.get("/account/"))
    unbind_identity(actor, ADMIN, identity, deps)
    assert not is_signed_in(visitor)


def test_a_session_that_does_not_say_what_opened_it_holds_for_nobody(
    oidc: Portal, visitor: PortalClient
) -> None:
    visitor.sign_in(ADMIN)
    assert is_signed_in(visitor)
    session = visitor.session
    del session["opened_by"]
    session.save()
    assert not is_signed_in(visitor)


def test_the_second_factor_is_asked_for_after_the_provider_too(
    oidc: Portal, visitor: PortalClient, provider: OidcProvider
) -> None:
    bind(oidc, provider)
    _, codes = set_up_second_factor(ADMIN)
    assert leads_to(sign_in(visitor, provider)) == "/sign-in/second-factor/"
    assert not is_signed_in(visitor)
    page = visitor.get("/sign-in/second-factor/")
    assert "The identity provider of admin was right" in text_of(page)
    visitor.post_form("/sign-in/second-factor/", {"code": codes[0]})
    assert is_signed_in(visitor)
    assert "Opened by sub" in text_of(visitor.get("/account/"))


def test_altered_second_factors_keep_out_who_comes_by_the_provider(
    oidc: Portal, visitor: PortalClient, provider: OidcProvider
) -> None:
    bind(oidc, provider)
    set_up_second_factor(ADMIN)
    oidc.execute("DELETE FROM mfa_authenticator")
    assert_refused(sign_in(visitor, provider), visitor, oidc, "second factors in the database")


def test_a_provider_that_is_trusted_with_the_second_factor_suffices_when_it_says_so(
    portal_home: Path, portal_keys: UnlockedKeys, provider: OidcProvider
) -> None:
    more = {"oidc_second_factor": "provider", "oidc_acr": ["phr", "phrh"]}
    for portal in opened(portal_home, portal_keys, provider, **more):
        bind(portal, provider)
        set_up_second_factor(ADMIN)
        lax, strong = PortalClient(), PortalClient()
        assert query_of(begin(lax))["acr_values"] == "phr phrh"
        assert_refused(sign_in(lax, provider), lax, portal, "as oidc_acr asks for")
        assert_refused(sign_in(lax, provider, acr="password"), lax, portal, "as oidc_acr asks for")
        assert leads_to(sign_in(strong, provider, acr="phr")) == "/"
        assert is_signed_in(strong)
        by_password = PortalClient()
        assert by_password.sign_in(ADMIN)["location"] == "/sign-in/second-factor/"


def test_another_claim_can_identify_people(
    portal_home: Path, portal_keys: UnlockedKeys, provider: OidcProvider
) -> None:
    for portal in opened(portal_home, portal_keys, provider, oidc_claim="oid"):
        identity = OidcIdentity(issuer=provider.issuer, claim="oid", subject="object-7")
        actor, deps = portal.changes_as()
        bind_identity(actor, ADMIN, identity, deps)
        browser = PortalClient()
        assert_refused(sign_in(browser, provider, "object-7"), browser, portal, "no claim 'oid'")
        sign_in(browser, provider, "anything", oid="object-7")
        assert is_signed_in(browser)


def test_who_comes_by_the_provider_signs_with_the_password(
    oidc: Portal, visitor: PortalClient, provider: OidcProvider
) -> None:
    bind(oidc, provider)
    sign_in(visitor, provider)
    visitor.username = ADMIN
    waiting = visitor.post_form("/groups/new/", {"name": "Line 1"})["location"]
    assert confirm_change(visitor, waiting, password="wrong").status_code != 302
    assert confirm_change(visitor, waiting).status_code == 302


def test_guessing_a_password_neither_keeps_the_provider_out_nor_is_forgiven_by_it(
    oidc: Portal, visitor: PortalClient, provider: OidcProvider
) -> None:
    bind(oidc, provider)
    guesser = PortalClient()
    for _ in range(5):
        guesser.sign_in(ADMIN, "wrong")
    sign_in(visitor, provider)
    assert is_signed_in(visitor)
    assert "Too many attempts" in text_of(guesser.sign_in(ADMIN))


def test_after_thirty_tries_in_a_minute_an_address_waits(
    oidc: Portal, visitor: PortalClient, provider: OidcProvider
) -> None:
    bind(oidc, provider)
    url = provider.authorize(query_of(begin(visitor)), SUBJECT)
    for _ in range(29):
        begin(PortalClient())
    before = len(reasons(oidc))
    assert back(visitor, url).status_code == 429
    assert not is_signed_in(visitor)
    assert len(reasons(oidc)) == before


def test_answers_that_another_site_makes_up_keep_nobody_of_that_address_out(
    oidc: Portal, visitor: PortalClient, provider: OidcProvider
) -> None:
    """Such as images of its page, which anybody's browser asks for."""
    bind(oidc, provider)
    for _ in range(40):
        answer = PortalClient().get("/sign-in/oidc/back/?state=x&code=y")
        assert (answer.status_code, "This sign-in is over" in text_of(answer)) == (403, True)
    assert len(reasons(oidc)) == 10, "each of them written down would be a way to fill the audit log"
    sign_in(visitor, provider)
    assert is_signed_in(visitor)
    assert PortalClient().sign_in(ADMIN).status_code == 302


def test_a_provider_that_is_away_is_said_and_passwords_still_open(
    oidc: Portal, visitor: PortalClient, provider: OidcProvider
) -> None:
    provider.metadata["issuer"] = "https://evil.example"
    answer = visitor.post_form("/sign-in/oidc/", {}, page="/sign-in/")
    assert answer.status_code == 503
    assert "provider-down" in text_of(answer)
    assert visitor.sign_in(ADMIN).status_code == 302


@pytest.mark.parametrize("address", ["https://127.0.0.1/\u00e9", "https://" + "x" * 64 + "/"])
def test_an_address_that_cannot_be_asked_is_the_provider_s_fault(
    oidc: Portal, visitor: PortalClient, provider: OidcProvider, address: str
) -> None:
    provider.metadata["jwks_uri"] = address
    answer = visitor.post_form("/sign-in/oidc/", {}, page="/sign-in/")
    assert answer.status_code == 503
    assert "the provider cannot be reached" in text_of(answer)


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/", "https://[", None])
@pytest.mark.parametrize("endpoint", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
def test_a_provider_that_leads_off_https_is_not_followed(
    oidc: Portal, visitor: PortalClient, provider: OidcProvider, endpoint: str, address: object
) -> None:
    provider.metadata[endpoint] = address
    answer = visitor.post_form("/sign-in/oidc/", {}, page="/sign-in/")
    assert f"{endpoint} is no https:// address" in text_of(answer)


def test_the_button_is_pressed_on_our_own_page_only(
    oidc: Portal, visitor: PortalClient, provider: OidcProvider
) -> None:
    assert visitor.get("/sign-in/oidc/").status_code == 405
    assert visitor.post("/sign-in/oidc/", {}).status_code == 403
    assert provider.requests == []


def test_without_a_provider_there_is_no_such_way(portal: Portal, visitor: PortalClient) -> None:
    assert "Sign in with" not in text_of(visitor.get("/sign-in/"))
    assert visitor.post_form("/sign-in/oidc/", {}, page="/sign-in/").status_code == 404
    assert visitor.get("/sign-in/oidc/back/?code=x&state=y").status_code == 404


def test_without_password_sign_in_a_password_opens_nothing_and_signs_as_before(
    portal_home: Path, portal_keys: UnlockedKeys, provider: OidcProvider
) -> None:
    before = next(iter(opened(portal_home, portal_keys, provider)))
    by_password = PortalClient()
    by_password.sign_in(ADMIN)
    assert is_signed_in(by_password)
    with (portal_home / "certuary.toml").open("a") as file:
        file.write("portal_password_sign_in = false\n")
    portal = Portal.open(portal_home, portal_keys)
    assert not is_signed_in(by_password), "a session that a password opened before"
    browser = PortalClient()
    page = browser.get("/sign-in/")
    assert 'name="password"' not in page.content.decode()
    answer = browser.post_form_from(page, "/sign-in/", {"login": ADMIN, "password": PASSWORD})
    assert answer.status_code == 200
    assert not is_signed_in(browser)
    assert "portal_password_sign_in" in reasons(portal)[-1]
    bind(portal, provider)
    sign_in(browser, provider)
    browser.username = ADMIN
    waiting = browser.post_form("/groups/new/", {"name": "Line 1"})["location"]
    assert confirm_change(browser, waiting).status_code == 302
    assert before.home == portal.home


def officer(portal: Portal, provider: OidcProvider) -> str:
    name = portal.user_of(OFFICER, ("GRP_001",))
    bind(portal, provider, name)
    return name


def set_up_second_factor(name: str) -> tuple[str, list[str]]:
    browser = PortalClient()
    browser.sign_in(name)
    return set_up_totp(browser, confirm_change)


def assert_refused(answer: Page, browser: PortalClient, portal: Portal, reason: str) -> None:
    """The page says nothing of the reason; the audit event does."""
    assert answer.status_code == 403, text_of(answer)
    assert "You are not signed in" in text_of(answer)
    assert reason in reasons(portal)[-1]
    assert reasons(portal)[-1] not in text_of(answer)
    assert not is_signed_in(browser)


def detail_of_last(portal: Portal) -> object:
    from certuary.store.models import AuditEvent

    event = AuditEvent.objects.order_by("-id").first()
    assert event is not None
    return json.loads(event.detail)


def without_request_id(page: Page) -> str:
    return re.sub(r"\b[0-9a-f]{32}\b", "", text_of(page))
