"""Signing in, second factors, sessions and one's own password."""

from __future__ import annotations

import time
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.utils import timezone

from certuary.portal.models import PortalSession, PortalUser
from certuary.services.entitlement import AUDITOR, OFFICER
from tests.wire.portal.pages import ADMIN, PASSWORD, Confirm, Portal, PortalClient, SignIn, text_of

PLANTED = (
    "INSERT INTO mfa_authenticator (type, data, created_at, user_id) "
    "SELECT 'webauthn', '{}', created_at, user_id FROM mfa_authenticator LIMIT 1"
)
ALTERED = "the second factors in the database are not those that were signed"


def code_of(secret: str, *, windows_ahead: int = 0) -> str:
    """RFC 6238, as an app computes it."""
    from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value

    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30 + windows_ahead)))


def secret_on(page: PortalClient) -> str:
    shown = page.get("/account/2fa/totp/").content.decode()
    return shown.split('data-copy="')[1].split('"')[0]


def forget_used_codes() -> None:
    """A code works once in its half minute; the tests do not wait for the next."""
    from django.core.cache import cache

    cache.clear()


def set_up_totp(client: PortalClient, confirm: Confirm) -> tuple[str, list[str]]:
    secret = secret_on(client)
    answer = client.post_form("/account/2fa/totp/", {"code": code_of(secret)})
    assert answer.status_code == 302, text_of(answer)
    done = confirm(client, answer["location"])
    assert done.status_code == 200, text_of(done)
    codes = done.content.decode().split('class="secret" id="secret-1">')[1].split("<")[0].split()
    forget_used_codes()
    return secret, codes


def refusals(portal: Portal) -> list[str]:
    from certuary.store.models import AuditEvent

    events = AuditEvent.objects.filter(kind="user.refused").order_by("id")
    return list(events.values_list("detail", flat=True))


def is_signed_in(client: PortalClient) -> bool:
    return bool(client.get("/account/").status_code == 200)


def test_the_key_of_the_session_changes_at_sign_in(visitor: PortalClient) -> None:
    visitor.get("/sign-in/")
    session = visitor.session  # what somebody planted
    session["planted"] = True
    session.save()
    visitor.cookies["__Host-certuary-session"] = str(session.session_key)
    before = str(session.session_key)
    visitor.sign_in(ADMIN)
    assert visitor.cookies["__Host-certuary-session"].value != before
    assert is_signed_in(visitor)
    stranger = PortalClient()
    stranger.cookies["__Host-certuary-session"] = before
    assert not is_signed_in(stranger)


def test_a_session_ends_after_half_an_hour_without_a_request(client: PortalClient) -> None:
    PortalSession.objects.update(seen_at=timezone.now() - timedelta(minutes=29))
    assert is_signed_in(client)
    PortalSession.objects.update(seen_at=timezone.now() - timedelta(minutes=31))
    assert not is_signed_in(client)


def test_a_session_ends_after_its_longest_time_however_busy_it_is(client: PortalClient) -> None:
    PortalSession.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert not is_signed_in(client)


def test_a_session_shows_where_it_is_and_can_be_ended_from_another(sign_in: SignIn) -> None:
    here, there = sign_in(), sign_in()
    page = text_of(here.get("/account/"))
    assert "127.0.0.1" in page
    assert page.count("This one") == 1
    key = field_of_button(here.get("/account/").content.decode())
    assert here.post_form("/account/sessions/", {"session": key}, page="/account/").status_code == 302
    assert is_signed_in(here)
    assert not is_signed_in(there)


def test_all_other_sessions_are_ended_at_once(sign_in: SignIn) -> None:
    here, others = sign_in(), [sign_in(), sign_in()]
    here.post_form("/account/sessions/", {"session": "others"}, page="/account/")
    assert is_signed_in(here)
    assert not any(is_signed_in(other) for other in others)


def test_nobody_ends_the_session_of_somebody_else(sign_in: SignIn) -> None:
    admin, officer = sign_in(), sign_in(OFFICER)
    row = PortalSession.objects.exclude(user_id=PortalUser.objects.get(name=ADMIN).pk).get()
    admin.post_form("/account/sessions/", {"session": row.key_hash}, page="/account/")
    assert is_signed_in(officer)


def test_guessing_is_refused_with_a_time_and_works_again_after_it(
    visitor: PortalClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        assert "do not fit" in text_of(visitor.sign_in(ADMIN, "wrong"))
    refused = text_of(visitor.sign_in(ADMIN))
    assert "Too many attempts that failed. Try again in 5 minutes." in refused
    later = time.time() + 301
    monkeypatch.setattr(time, "time", lambda: later)
    assert visitor.sign_in(ADMIN).status_code == 302


def test_another_user_is_not_locked_out_by_that(visitor: PortalClient, portal: Portal) -> None:
    officer = portal.user_of(OFFICER, ("GRP_001",))
    for _ in range(6):
        visitor.sign_in(ADMIN, "wrong")
    assert visitor.sign_in(officer).status_code == 302


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example/", r"/\evil.example", "javascript:alert(1)"]
)
def test_signing_in_leads_nowhere_else(visitor: PortalClient, elsewhere: str) -> None:
    answer = visitor.sign_in_then(ADMIN, elsewhere)
    assert answer.status_code == 302
    assert answer["location"] == "/"


def test_signing_in_leads_back_to_the_page_that_was_asked_for(visitor: PortalClient) -> None:
    assert visitor.sign_in_then(ADMIN, "/groups/")["location"] == "/groups/"


def test_a_bookmarked_search_outlives_the_sign_in(visitor: PortalClient) -> None:
    search = "/certificates/?q=dev-1&status=revoked"
    sent = visitor.get(search)["location"]
    assert parse_qs(urlsplit(sent).query)["next"] == [search]
    assert visitor.sign_in_then(ADMIN, search)["location"] == search


def test_signing_out_takes_a_post_and_ends_the_session(client: PortalClient) -> None:
    assert client.get("/sign-out/").status_code == 200
    assert is_signed_in(client)
    client.post_form("/sign-out/", {})
    assert not is_signed_in(client)


def test_signing_in_and_out_is_in_the_audit_log(client: PortalClient, portal: Portal) -> None:
    client.post_form("/sign-out/", {})
    assert portal.audit_kinds()[-2:] == ["user.signed-in", "user.signed-out"]


def test_an_authenticator_app_is_asked_for_once_it_is_set_up(
    client: PortalClient, visitor: PortalClient, confirm: Confirm, portal: Portal
) -> None:
    secret, codes = set_up_totp(client, confirm)
    assert len(codes) == 10
    answer = visitor.sign_in(ADMIN)
    assert answer["location"] == "/sign-in/second-factor/"
    assert not is_signed_in(visitor)

    wrong = visitor.post_form("/sign-in/second-factor/", {"code": "000000"})
    assert "did not fit" in text_of(wrong)
    assert "wrong second factor" in refusals(portal)[-1]
    assert not is_signed_in(visitor)

    right = visitor.post_form("/sign-in/second-factor/", {"code": code_of(secret)})
    assert right.status_code == 302, text_of(right)
    assert is_signed_in(visitor)


def test_a_code_works_once(client: PortalClient, sign_in: SignIn, confirm: Confirm) -> None:
    secret, _ = set_up_totp(client, confirm)
    first, second = PortalClient(), PortalClient()
    code = code_of(secret)
    for browser in (first, second):
        browser.sign_in(ADMIN)
        browser.post_form("/sign-in/second-factor/", {"code": code})
    assert is_signed_in(first)
    assert not is_signed_in(second)


def test_codes_are_not_guessed(client: PortalClient, visitor: PortalClient, confirm: Confirm) -> None:
    secret, _ = set_up_totp(client, confirm)
    visitor.sign_in(ADMIN)
    for _ in range(5):
        visitor.post_form("/sign-in/second-factor/", {"code": "000000"})
    refused = visitor.post_form("/sign-in/second-factor/", {"code": code_of(secret)})
    assert "Wait five minutes" in text_of(refused)
    assert not is_signed_in(visitor)


def test_a_recovery_code_stands_in_once(client: PortalClient, confirm: Confirm) -> None:
    _, codes = set_up_totp(client, confirm)
    first, second = PortalClient(), PortalClient()
    for browser in (first, second):
        browser.sign_in(ADMIN)
        browser.post_form("/sign-in/second-factor/", {"code": codes[3]})
    assert is_signed_in(first)
    assert not is_signed_in(second)
    assert "9 left" in text_of(first.get("/account/"))


def test_new_recovery_codes_take_the_place_of_the_old(client: PortalClient, confirm: Confirm) -> None:
    _, old = set_up_totp(client, confirm)
    answer = client.post_form("/account/2fa/recovery-codes/", {}, page="/account/")
    done = confirm(client, answer["location"])
    assert "certuary-recovery-codes.txt" in done.content.decode()
    browser = PortalClient()
    browser.sign_in(ADMIN)
    assert "did not fit" in text_of(browser.post_form("/sign-in/second-factor/", {"code": old[0]}))


def test_the_secret_of_an_app_is_nowhere_in_the_database_in_clear(
    client: PortalClient, confirm: Confirm, portal: Portal
) -> None:
    secret, codes = set_up_totp(client, confirm)
    dump = (portal.home / "certuary.db").read_bytes() + (portal.home / "certuary.db-wal").read_bytes()
    assert secret.encode() not in dump
    assert codes[0].encode() not in dump


def test_removing_the_last_factor_takes_the_recovery_codes_with_it(
    client: PortalClient, visitor: PortalClient, confirm: Confirm, portal: Portal
) -> None:
    from allauth.mfa.models import Authenticator

    set_up_totp(client, confirm)
    number = Authenticator.objects.get(type="totp").pk
    answer = client.post_form(f"/account/2fa/{number}/remove/", {}, page="/account/")
    assert "your last one" in text_of(client.get(answer["location"]))
    confirm(client, answer["location"])
    assert not Authenticator.objects.exists()
    assert visitor.sign_in(ADMIN)["location"] == "/"
    assert is_signed_in(visitor)


def test_nobody_removes_the_factor_of_somebody_else(
    client: PortalClient, sign_in: SignIn, confirm: Confirm
) -> None:
    from allauth.mfa.models import Authenticator

    set_up_totp(client, confirm)
    officer, number = sign_in(OFFICER), Authenticator.objects.get(type="totp").pk
    answer = officer.post_form(f"/account/2fa/{number}/remove/", {}, page="/account/")
    assert officer.get(answer["location"]).status_code == 404


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM mfa_authenticator",
        "DELETE FROM mfa_authenticator WHERE type = 'totp'",
        "UPDATE mfa_authenticator SET data = '{\"secret\": \"x\"}' WHERE type = 'totp'",
        "UPDATE mfa_authenticator SET data = '[]'",
        PLANTED,
    ],
)
def test_second_factors_altered_by_sql_let_nobody_in(
    client: PortalClient, visitor: PortalClient, confirm: Confirm, portal: Portal, sql: str
) -> None:
    set_up_totp(client, confirm)
    portal.execute(sql)
    assert "do not fit" in text_of(visitor.sign_in(ADMIN))
    assert ALTERED in refusals(portal)[-1]
    assert not is_signed_in(client), "a session that began before ends, too"


def test_a_factor_planted_by_sql_for_who_has_none_lets_nobody_in(
    visitor: PortalClient, portal: Portal
) -> None:
    portal.execute(
        "INSERT INTO mfa_authenticator (type, data, created_at, user_id) SELECT 'totp', '{}', created_at, id "
        "FROM users WHERE name = 'admin'"
    )
    assert "do not fit" in text_of(visitor.sign_in(ADMIN))
    assert ALTERED in refusals(portal)[-1]


def test_the_list_of_factors_is_sealed_like_the_rest_of_the_record(
    client: PortalClient, visitor: PortalClient, confirm: Confirm, portal: Portal
) -> None:
    set_up_totp(client, confirm)
    portal.execute("DELETE FROM mfa_authenticator")
    portal.execute("UPDATE users SET authenticators = '[]'")
    assert "do not fit" in text_of(visitor.sign_in(ADMIN))
    assert "authenticators" in refusals(portal)[-1]


def test_the_use_of_a_factor_needs_no_signature(
    client: PortalClient, visitor: PortalClient, confirm: Confirm
) -> None:
    _, codes = set_up_totp(client, confirm)
    visitor.sign_in(ADMIN)
    visitor.post_form("/sign-in/second-factor/", {"code": codes[0]})
    forget_used_codes()
    assert is_signed_in(visitor)
    assert is_signed_in(client)


def test_another_ca_administrator_removes_the_factors_of_who_lost_them(
    sign_in: SignIn, confirm: Confirm, portal: Portal
) -> None:
    from allauth.mfa.models import Authenticator

    officer = sign_in(OFFICER)
    set_up_totp(officer, confirm)
    number = PortalUser.objects.get(name=officer.username).pk
    admin = sign_in()
    portal.execute("DELETE FROM mfa_authenticator WHERE type = 'totp'")
    assert "not those that" in text_of(admin.get(f"/users/{number}/"))
    answer = admin.post_form(f"/users/{number}/second-factors/", {}, page=f"/users/{number}/")
    assert confirm(admin, answer["location"]).status_code == 302
    assert not Authenticator.objects.exists()
    browser = PortalClient()
    assert browser.sign_in(officer.username)["location"] == "/"


def test_ones_own_password_is_changed_with_the_present_one(sign_in: SignIn, portal: Portal) -> None:
    here, there = sign_in(AUDITOR), sign_in(AUDITOR)
    new = "a wholly different sentence"
    changed = here.post_form("/account/password/", {"old": PASSWORD, "new": new, "again": new})
    assert changed.status_code == 302, text_of(changed)
    assert is_signed_in(here)
    assert not is_signed_in(there)
    browser = PortalClient()
    browser.sign_in(here.username)
    assert not is_signed_in(browser)
    browser.sign_in(here.username, new)
    assert is_signed_in(browser)


@pytest.mark.parametrize(
    ("old", "new", "again", "said"),
    [
        ("wrong", "a wholly different sentence", "a wholly different sentence", "not your present password"),
        (PASSWORD, "short", "short", "too short"),
        (PASSWORD, "password12345", "password12345", "too common"),
        (PASSWORD, "5820175928475", "5820175928475", "entirely numeric"),
        (PASSWORD, "a wholly different sentence", "another", "The two differ"),
        (PASSWORD, PASSWORD, PASSWORD, "the present password"),
    ],
)
def test_a_password_that_will_not_do_is_refused(
    client: PortalClient, portal: Portal, old: str, new: str, again: str, said: str
) -> None:
    before = portal.audit_kinds().count("user.changed")
    page = client.post_form("/account/password/", {"old": old, "new": new, "again": again})
    assert said in text_of(page)
    assert portal.audit_kinds().count("user.changed") == before


def test_a_first_password_signs_nothing_but_its_replacement(
    client: PortalClient, confirm: Confirm, portal: Portal
) -> None:
    must_change(portal)
    assert "made up for you" in text_of(client.get("/"))
    answer = client.post_form("/groups/new/", {"name": "Line 1"})
    refused = confirm(client, answer["location"])
    assert refused.status_code == 403
    assert "replace it" in text_of(refused)
    assert "group.added" not in portal.audit_kinds()[-2:]

    new = "a wholly different sentence"
    client.post_form("/account/password/", {"old": PASSWORD, "new": new, "again": new})
    assert "made up for you" not in text_of(client.get("/"))
    answer = client.post_form("/groups/new/", {"name": "Line 1"})
    assert confirm(client, answer["location"], password=new).status_code == 302


def must_change(portal: Portal) -> None:
    """As `certuary init` leaves a first user whose password it made up."""
    from certuary.services.change_record import change_records

    actor, deps = portal.changes_as()
    user = deps.records.find("user", name=ADMIN)
    assert user is not None
    with change_records(actor, deps) as changes:
        changes.update(user, {"must_change_password": True})


def field_of_button(page: str) -> str:
    """The key of the session that can be ended."""
    keys = [part.split('"')[0] for part in page.split('name="session" value="')[1:]]
    return next(key for key in keys if key != "others")


@pytest.mark.parametrize("credential", ["9" * 5000, "[" * 16_000, "nothing", "[]", "x" * 20_000])
def test_a_passkey_that_cannot_be_read_is_answered_with_a_sentence(
    credential: str, client: PortalClient
) -> None:
    page = client.post_form("/account/2fa/passkeys/new/", {"name": "laptop", "credential": credential})
    assert page.status_code == 200
    assert "This needs another look" in text_of(page)
