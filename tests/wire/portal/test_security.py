"""The portal under attack: forged forms, stored scripts, taken-over sessions, signatures used for something else.

Who reaches which page is `test_access.py`; `docs/security.md` names the requirement that each test here answers.
"""

from __future__ import annotations

import base64
import json
import re
from datetime import timedelta
from http.cookies import Morsel

import pytest
from django.db import DataError
from django.utils import timezone

from certuary.portal.access import PUBLIC, RULES
from certuary.portal.guesses import MOST
from certuary.services.entitlement import ADMINISTRATOR
from tests.wire.portal.pages import PASSWORD, Confirm, Portal, PortalClient, SignIn, field_of, text_of
from tests.wire.portal.sites import add_certificate, make_foreign, sites

SCRIPT = "<script>alert('stored')</script>"
EVIL = "https://evil.example"
SESSION, CSRF = "__Host-certuary-session", "__Host-certuary-csrf"


# Cross-site requests


def test_a_post_from_another_site_changes_nothing(client: PortalClient, portal: Portal) -> None:
    token = field_of(client.get("/groups/new/"), "csrfmiddlewaretoken")
    forged: tuple[tuple[dict[str, str], dict[str, str]], ...] = (
        ({"name": "Forged"}, {"referer": "https://localhost/groups/new/"}),
        ({"name": "Forged", "csrfmiddlewaretoken": token}, {"origin": EVIL}),
        ({"name": "Forged", "csrfmiddlewaretoken": token}, {"referer": f"{EVIL}/"}),
        ({"name": "Forged", "csrfmiddlewaretoken": token}, {}),
        ({"name": "Forged", "csrfmiddlewaretoken": "x" * 64}, {"origin": "https://localhost"}),
    )
    before = pending_changes()
    for values, headers in forged:
        answer = client.post("/groups/new/", values, headers=headers)
        assert answer.status_code == 403, headers
        assert "no longer valid" in text_of(answer)
    assert pending_changes() == before


def test_every_page_refuses_a_post_without_its_token(client: PortalClient) -> None:
    """Whatever it does with a POST: the token is asked for before the page is."""
    for site in sites():
        if site.name == "csp-report" or site.subject == "api":
            continue
        assert client.post(site.any_url()).status_code == 403, site


def test_a_report_of_the_browser_needs_no_token_and_changes_nothing(visitor: PortalClient) -> None:
    answer = visitor.post("/csp-report", b"{}" * 5000, content_type="application/csp-report")
    assert (answer.status_code, answer.content) == (204, b"")


def pending_changes() -> int:
    from certuary.portal.models import PendingChange

    return PendingChange.objects.count()


# Scripts in what others named


def test_a_stored_script_is_text_on_every_page(client: PortalClient, portal: Portal) -> None:
    """In a CN, a SAN, and the names of an application, a group, a profile and a user, put there by SQL too."""
    foreign = make_foreign(portal)
    add_certificate(portal, foreign.application, f"CN={SCRIPT}", f"DNS:{SCRIPT}")
    for table in ("applications", "groups", "profiles", "labels"):
        portal.execute(f"UPDATE {table} SET name = %s || id", SCRIPT)
    portal.execute("UPDATE users SET name = %s || id WHERE name <> 'admin'", SCRIPT)
    visited = crawl(client)
    assert len(visited) >= 3
    for url, page in visited.items():
        assert "<script>alert(" not in page, url


def crawl(client: PortalClient, most: int = 200) -> dict[str, str]:
    """Every page without a parameter, and what links lead to from there: one of each shape, queries left out."""
    waiting = [site.any_url() for site in sites() if not site.parameters]
    seen, found = set(waiting), dict[str, str]()
    while waiting and len(found) < most:
        url = waiting.pop(0)
        answer = client.get(url)
        if answer.streaming or "text/html" not in answer.headers.get("Content-Type", ""):
            continue
        assert answer.status_code < 500, f"{url}: {answer.status_code}"
        found[url] = answer.content.decode()
        for link in re.findall(r'href="(/[^"#]*)"', found[url]):
            path = link.partition("?")[0]
            shape = re.sub(r"\d+|[0-9a-f]{16,}", "N", path)
            if not path.startswith(("/static/", "//")) and shape not in seen:
                seen.add(shape)
                waiting.append(path)
    return found


def test_what_a_visitor_types_comes_back_as_text(visitor: PortalClient, client: PortalClient) -> None:
    answers = (
        visitor.sign_in(SCRIPT, "wrong"),
        client.get("/groups/", {"q": SCRIPT}),
        client.get(f"/{SCRIPT}/"),
        client.post_form("/groups/new/", {"name": SCRIPT * 9}),
    )
    for answer in answers:
        assert b"<script>alert(" not in answer.content


def test_a_table_that_is_exported_holds_no_formula(client: PortalClient, portal: Portal) -> None:
    portal.execute("UPDATE groups SET name = '=HYPERLINK(1)' WHERE code = 'GRP_002'")
    assert ",=HYPERLINK" not in client.get("/groups/", {"format": "csv"}).content.decode()


def test_scripts_run_only_from_our_own_files(client: PortalClient, visitor: PortalClient) -> None:
    for answer in (client.get("/"), visitor.get("/sign-in/"), client.get("/nowhere/")):
        policy = answer["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        page = answer.content.decode()
        assert not re.search(r"<script(?![^>]*\ssrc=)", page)
        assert not re.search(r"\s(on\w+|style)=", page)


# Sessions


def test_a_session_from_before_sign_in_is_not_the_one_after(portal: Portal, visitor: PortalClient) -> None:
    """Neither one that the attacker opened here, nor a value of the attacker's own."""
    from django.contrib.sessions.backends.base import VALID_KEY_CHARS

    visitor.cookies[SESSION] = VALID_KEY_CHARS[0] * 32
    assert visitor.sign_in("admin").status_code == 302
    assert visitor.cookies[SESSION].value != VALID_KEY_CHARS[0] * 32

    attacker = PortalClient()
    attacker.cookies[SESSION] = VALID_KEY_CHARS[0] * 32
    assert attacker.get("/").status_code == 302


def test_signing_out_ends_the_session_on_the_server(client: PortalClient) -> None:
    cookie = client.cookies[SESSION].value
    client.post_form("/sign-out/", {})
    again = PortalClient()
    again.cookies[SESSION] = cookie
    assert again.get("/").status_code == 302


def test_a_session_ends_after_half_an_hour_without_a_request(client: PortalClient, portal: Portal) -> None:
    from certuary.portal.models import PortalSession

    PortalSession.objects.update(seen_at=timezone.now() - timedelta(minutes=29))
    assert client.get("/").status_code == 200
    PortalSession.objects.update(seen_at=timezone.now() - timedelta(minutes=31))
    assert client.get("/").status_code == 302


def test_a_session_ends_after_twelve_hours_however_busy(client: PortalClient, portal: Portal) -> None:
    from certuary.portal.models import PortalSession

    PortalSession.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.get("/").status_code == 302


def test_who_reads_the_sessions_can_use_none(client: PortalClient, portal: Portal) -> None:
    from certuary.portal.models import PortalSession

    (row,) = PortalSession.objects.filter(user_id__isnull=False)
    thief = PortalClient()
    thief.cookies[SESSION] = row.key_hash[:32]
    assert thief.get("/").status_code == 302
    assert client.cookies[SESSION].value not in json.dumps([row.key_hash, row.data])


def test_who_writes_the_sessions_cannot_become_somebody_else(sign_in: SignIn, portal: Portal) -> None:
    from certuary.portal.models import PortalSession

    client = sign_in(ADMINISTRATOR)
    admin = portal.stores.records.find("user", name="admin")
    assert admin is not None
    PortalSession.objects.update(user_id=admin.id, data='{"_auth_user_id": "1"}')
    assert client.get("/").status_code == 302


@pytest.mark.parametrize(
    "change", ["enabled = false", "role = 'ca-administrator'", "group_ids = '[1, 2]'", "password_hash = 'x'"]
)
def test_a_user_whose_record_was_altered_is_out_at_once(change: str, sign_in: SignIn, portal: Portal) -> None:
    client = sign_in(ADMINISTRATOR)
    assert client.get("/").status_code == 200
    portal.execute(f"UPDATE users SET {change} WHERE name = %s", client.username)
    assert client.get("/").status_code == 302
    assert PortalClient().sign_in(client.username).status_code != 302


def test_cookies_are_for_this_host_over_tls_and_no_script(client: PortalClient) -> None:
    for name in (SESSION, CSRF):
        cookie: Morsel[str] = client.cookies[name]
        assert cookie["secure"], name
        assert cookie["httponly"], name
        assert cookie["samesite"] == "Strict", name
        assert (cookie["path"], cookie["domain"]) == ("/", ""), name
    assert client.cookies[SESSION]["max-age"] == ""
    assert all(name.startswith("__Host-") for name in client.cookies)


# Signatures


def test_a_confirmed_change_is_signed_once(client: PortalClient, portal: Portal, confirm: Confirm) -> None:
    before = portal.audit_kinds().count("group.added")
    url = client.post_form("/groups/new/", {"name": "Once"}).url
    page = client.get(url)
    signed = {"digest": field_of(page, "digest"), "username": "admin", "password": PASSWORD}
    assert client.post_form_from(page, url, signed).status_code == 302
    assert client.post_form_from(page, url, signed).status_code == 404
    assert client.get(url).status_code == 404
    assert portal.audit_kinds().count("group.added") == before + 1


def test_a_change_waits_for_its_maker_alone(client: PortalClient, portal: Portal) -> None:
    url = client.post_form("/groups/new/", {"name": "Mine"}).url
    portal.user_of("ca-administrator", ("GRP_001",))
    other = PortalClient()
    other.sign_in("ca-administrator-grp_001")
    assert other.get(url).status_code == 404
    assert other.post_form_at(url, "/", {"digest": "x"}).status_code == 404


def test_a_change_waits_a_quarter_of_an_hour(client: PortalClient, portal: Portal) -> None:
    from certuary.portal.models import PendingChange

    url = client.post_form("/groups/new/", {"name": "Late"}).url
    PendingChange.objects.update(created_at=timezone.now() - timedelta(minutes=16))
    assert client.get(url).status_code == 404


def test_what_was_altered_between_showing_and_signing_is_not_signed(
    client: PortalClient, portal: Portal
) -> None:
    url = client.post_form("/groups/new/", {"name": "Shown"}).url
    page = client.get(url)
    signed = {"digest": field_of(page, "digest"), "username": "admin", "password": PASSWORD}
    portal.execute("UPDATE portal_pending_changes SET content = %s", '{"name": "Slipped in"}')
    answer = client.post_form_from(page, url, signed)
    assert answer.status_code in (404, 409)
    assert portal.stores.records.find("group", name="Slipped in") is None


def test_a_digest_of_something_else_signs_nothing(
    client: PortalClient, portal: Portal, confirm: Confirm
) -> None:
    other = field_of(client.get(client.post_form("/groups/new/", {"name": "Other"}).url), "digest")
    url = client.post_form("/groups/new/", {"name": "This"}).url
    for digest in (other, "", "0" * 64):
        assert confirm(client, url, digest=digest).status_code == 409
    assert portal.stores.records.find("group", name="This") is None


def test_nobody_signs_in_the_name_of_another(client: PortalClient, portal: Portal, confirm: Confirm) -> None:
    portal.user_of("ca-administrator", ("GRP_001",))
    url = client.post_form("/groups/new/", {"name": "Borrowed"}).url
    assert confirm(client, url, username="ca-administrator-grp_001").status_code == 409
    assert portal.stores.records.find("group", name="Borrowed") is None


def test_a_session_without_the_password_signs_nothing(
    client: PortalClient, portal: Portal, confirm: Confirm
) -> None:
    url = client.post_form("/groups/new/", {"name": "Unsigned"}).url
    answer = confirm(client, url, password="wrong")
    assert answer.status_code == 403
    assert "wrong" not in field_tags(answer)
    assert portal.stores.records.find("group", name="Unsigned") is None


def test_a_session_is_no_place_to_guess_the_password_in(
    client: PortalClient, portal: Portal, confirm: Confirm
) -> None:
    url = client.post_form("/groups/new/", {"name": "Guessed"}).url
    for _ in range(MOST):
        assert confirm(client, url, password="wrong").status_code == 403
    assert "too many wrong passwords" in text_of(confirm(client, url))
    assert portal.stores.records.find("group", name="Guessed") is None


def field_tags(answer: object) -> str:
    content: bytes = getattr(answer, "content", b"")
    return " ".join(re.findall(r"<input\b[^>]*>", content.decode()))


# Sign-in


def test_guessing_a_password_ends_after_five_attempts(portal: Portal) -> None:
    for _ in range(5):
        assert b'id="error-summary"' in PortalClient().sign_in("admin", "wrong").content
    answer = PortalClient().sign_in("admin")
    assert answer.status_code != 302
    assert portal.audit_kinds().count("user.refused") == 5


def test_sign_in_does_not_tell_who_exists(portal: Portal) -> None:
    portal.execute("UPDATE users SET enabled = false WHERE name = 'officer-grp_001'")
    answers = {
        re.sub(r'value="[^"]*"|Request \w+', "", PortalClient().sign_in(name, "wrong").content.decode())
        for name in ("admin", "nobody", "officer-grp_001")
    }
    assert len(answers) == 1


def test_after_sign_in_no_address_elsewhere_is_opened(portal: Portal) -> None:
    for elsewhere in (EVIL, "//evil.example", "https:evil.example", r"\\evil.example", "javascript:alert(1)"):
        client = PortalClient()
        answer = client.post_form("/sign-in/", {"login": "admin", "password": PASSWORD, "next": elsewhere})
        assert (answer.status_code, answer["Location"]) == (302, "/"), elsewhere


def test_est_credentials_open_no_page(portal: Portal, visitor: PortalClient) -> None:
    netrc = (portal.home / "quickstart.netrc").read_text().split()
    username, password = netrc[netrc.index("login") + 1], netrc[netrc.index("password") + 1]
    assert visitor.sign_in(username, password).status_code != 302
    basic = base64.b64encode(f"{username}:{password}".encode()).decode()
    admin = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
    for credentials in (basic, admin):
        assert PortalClient().get("/", headers={"authorization": f"Basic {credentials}"}).status_code == 302


def test_identity_in_a_header_is_not_looked_at(visitor: PortalClient) -> None:
    claims = {"remote-user": "admin", "x-ssl-client-cert": "admin", "x-forwarded-user": "admin"}
    assert visitor.get("/", headers=claims).status_code == 302


def test_the_address_in_the_audit_log_is_the_socket_s(portal: Portal, visitor: PortalClient) -> None:
    from certuary.store.models import AuditEvent

    visitor.sign_in("admin", "wrong", headers={"x-forwarded-for": "203.0.113.9"})
    event = AuditEvent.objects.filter(kind="user.refused").last()
    assert event is not None
    assert event.address == "127.0.0.1"


# Requests


def test_no_page_can_be_framed(client: PortalClient, visitor: PortalClient) -> None:
    for answer in (client.get("/"), visitor.get("/sign-in/"), client.get("/nowhere/")):
        assert answer["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Referrer-Policy"] == "same-origin"
        assert answer["Cross-Origin-Opener-Policy"] == "same-origin"


def test_another_host_name_is_answered_by_no_page(client: PortalClient) -> None:
    for host in ("evil.example", "localhost.evil.example", "evil.example:8444", ""):
        answer = client.get("/", headers={"host": host})
        assert answer.status_code == 400, host
        assert b"evil" not in answer.content
    forwarded = client.get("/", headers={"x-forwarded-host": "evil.example"})
    assert b"evil" not in forwarded.content


def test_a_form_that_is_too_large_is_refused(client: PortalClient) -> None:
    page = client.get("/groups/new/")
    for values in ({"name": "x" * 600_000}, {f"field-{number}": "x" for number in range(600)}):
        answer = client.post_form_from(page, "/groups/new/", values)
        assert answer.status_code == 413
        assert answer["X-Request-Id"]


def test_pages_are_kept_by_no_cache(client: PortalClient) -> None:
    for site in sites():
        if site.parameters or RULES.get(site.name) in (None, PUBLIC):
            continue
        assert "no-store" in client.get(site.any_url()).headers.get("Cache-Control", ""), site


# Failures


def test_an_unknown_address_has_a_page_of_its_own(client: PortalClient) -> None:
    answer = client.get("/no/such/page/")
    assert answer.status_code == 404
    assert "Nothing here" in text_of(answer)
    assert answer["X-Request-Id"] in text_of(answer)


def test_an_exception_is_told_without_its_story(
    client: PortalClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.raise_request_exception = False

    def fail(*_: object) -> None:
        raise RuntimeError("seeded-secret")

    monkeypatch.setattr("certuary.portal.views.groups.table_response", fail)
    answer = client.get("/groups/")
    assert answer.status_code == 500
    assert answer["X-Request-Id"] in text_of(answer)
    for word in ("Traceback", "RuntimeError", "seeded-secret", ".py"):
        assert word not in answer.content.decode()


def test_a_value_that_the_database_does_not_take_is_not_understood(
    client: PortalClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As PostgreSQL raises it for a NUL in a text."""

    def refuse(*_: object) -> None:
        raise DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")

    monkeypatch.setattr("certuary.portal.views.account._this_session", refuse)
    client.raise_request_exception = False
    page = client.post_form_at("/account/sessions/", "/groups/new/", {"session": "x"})
    assert page.status_code == 400
    assert "PostgreSQL" not in text_of(page)


def test_without_a_database_a_page_says_so(client: PortalClient, portal: Portal) -> None:
    from tests import django_process

    client.raise_request_exception = False
    django_process.configure()
    answer = client.get("/groups/")
    assert answer.status_code == 503
    assert int(answer["Retry-After"]) > 0
    assert "The database cannot be reached" in text_of(answer)
    assert answer["X-Request-Id"] in text_of(answer)
