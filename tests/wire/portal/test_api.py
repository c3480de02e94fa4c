"""The REST API: tokens, scopes, groups, signatures, pages, idempotency keys, problem details, and its description."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from certuary.services.entitlement import ADMINISTRATOR, AUDITOR, CA_ADMINISTRATOR, OFFICER
from certuary.services.manage_group import add_label
from tests.wire.portal.described import assert_described
from tests.wire.portal.pages import PASSWORD, Portal, PortalClient, SignIn, confirm_change
from tests.wire.portal.sites import APPLICATION, Foreign, make_foreign

BASE = "/api/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A client of the API: no cookies, a token, and a password for changes. It holds the API to its description."""

    username: str
    token: str

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        sign: bool = False,
        password: str = PASSWORD,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        sent = {"authorization": f"Bearer {self.token}", **(headers or {})}
        if sign:
            sent["certuary-sign"] = base64.b64encode(f"{self.username}:{password}".encode()).decode()
        data = b"" if body is None else json.dumps(body).encode()
        answer = PortalClient().generic(
            method, BASE + path, data, content_type="application/json", headers=sent
        )
        assert_described(method, BASE + path, answer)
        return answer

    def get(self, path: str) -> Any:
        return self.call("GET", path)

    def post(self, path: str, body: object = None, **options: Any) -> Any:
        return self.call("POST", path, {} if body is None else body, sign=True, **options)


def script_of(
    portal: Portal, role: str = CA_ADMINISTRATOR, groups: tuple[str, ...] = (), *scopes: str
) -> Script:
    return script_for(portal, portal.user_of(role, groups), *scopes)


def script_for(portal: Portal, name: str, *scopes: str) -> Script:
    from certuary.portal.api.tokens import SCOPES, make_token

    actor, deps = portal.changes_as(name)
    user = portal.stores.records.find("user", name=name)
    assert user is not None
    _, token = make_token(actor, user, "tests", scopes or tuple(SCOPES), 30, deps)
    return Script(username=name, token=token)


@pytest.fixture
def script(portal: Portal) -> Script:
    return script_of(portal)


@pytest.fixture
def foreign(portal: Portal) -> Foreign:
    return make_foreign(portal)


def assert_problem(answer: Any, status: int, rule: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = json.loads(answer.content)
    assert {"type", "title", "status", "detail", "instance"} <= set(problem)
    assert (problem["status"], problem["rule"]) == (status, rule)
    assert problem["request_id"] == answer["X-Request-Id"]
    return problem


# Who gets in.


def test_a_token_opens_what_its_scopes_say_and_nothing_else(portal: Portal) -> None:
    reader = script_of(portal, CA_ADMINISTRATOR, (), "applications:read")
    assert reader.get("/applications").status_code == 200
    assert_problem(reader.get("/certificates"), 403, "api-scope")
    assert_problem(reader.post("/applications", {"name": "a", "username": "a"}), 403, "api-scope")


@pytest.mark.parametrize("token", ["", "cty_", "cty_" + "x" * 43, "Basic YTpi"])
def test_a_wrong_token_is_refused_and_told_how(portal: Portal, token: str) -> None:
    answer = Script(username="admin", token=token).get("/applications")
    assert_problem(answer, 401, "not-authenticated")
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_a_browser_s_session_opens_nothing_here(client: PortalClient) -> None:
    assert client.get("/").status_code == 200
    assert_problem(client.get(f"{BASE}/applications"), 401, "not-authenticated")


def test_a_token_opens_no_page_of_the_portal(portal: Portal, script: Script) -> None:
    answer = PortalClient().get("/groups/", headers={"authorization": f"Bearer {script.token}"})
    assert answer.status_code == 302
    assert answer["Location"].startswith("/sign-in/")


def test_after_ten_wrong_tokens_the_address_waits(portal: Portal, script: Script) -> None:
    for _ in range(10):
        Script(username="admin", token="cty_wrong").get("/groups")
    answer = script.get("/groups")
    assert_problem(answer, 429, "rate-limited")
    assert 0 < int(answer["Retry-After"]) <= 61


def test_a_token_is_kept_only_as_a_keyed_hash(portal: Portal, script: Script) -> None:
    from certuary.portal.models import ApiToken

    row = ApiToken.objects.get()
    assert script.token not in json.dumps([row.token_hash, row.name, row.scopes])
    assert script.token not in str(portal.stores.records.find("user", name="admin"))


@pytest.mark.parametrize(
    "statement",
    [
        'UPDATE api_tokens SET scopes = \'["applications:read", "audit:read"]\'',
        "UPDATE api_tokens SET expires_at = '2099-01-01 00:00:00'",
        "UPDATE api_tokens SET user_id = (SELECT id FROM users WHERE name = 'admin')",
        "UPDATE api_tokens SET mark = x'00'",
        "UPDATE api_tokens SET name = 'another'",
    ],
)
def test_a_token_row_altered_by_sql_is_not_believed(portal: Portal, statement: str) -> None:
    weak = script_of(portal, AUDITOR, ("GRP_001",), "applications:read")
    assert weak.get("/applications").status_code == 200
    portal.execute(statement)
    assert_problem(weak.get("/applications"), 401, "not-authenticated")


def test_a_token_row_inserted_by_sql_is_not_believed(portal: Portal, script: Script) -> None:
    """Its hash is right, as whoever has seen the key of sessions could make it: the mark is what is missing."""
    from certuary.portal.api import tokens

    portal.execute(
        "INSERT INTO api_tokens (token_hash, user_id, name, scopes, created_at, expires_at, mark)"
        " SELECT %s, user_id, name, scopes, created_at, expires_at, mark FROM api_tokens",
        tokens._hash("cty_forged"),
    )
    assert_problem(Script(username="admin", token="cty_forged").get("/groups"), 401, "not-authenticated")


def test_a_revoked_token_stays_revoked_when_sql_clears_the_column(portal: Portal, script: Script) -> None:
    from certuary.portal.api.tokens import revoke_token
    from certuary.portal.models import ApiToken

    actor, deps = portal.changes_as()
    user = portal.stores.records.find("user", name="admin")
    assert user is not None
    revoke_token(actor, user, ApiToken.objects.get().pk, deps)
    assert_problem(script.get("/groups"), 401, "not-authenticated")
    portal.execute("UPDATE api_tokens SET revoked_at = NULL")
    assert_problem(script.get("/groups"), 401, "not-authenticated")
    assert "api-token.revoked" in portal.audit_kinds()


def test_a_token_ends_with_its_user_s_password_and_with_the_user(portal: Portal) -> None:
    from certuary.services.manage_user import set_user_enabled, set_user_password

    officer, auditor = script_of(portal, OFFICER, ("GRP_001",)), script_of(portal, AUDITOR, ("GRP_001",))
    actor, deps = portal.changes_as()
    set_user_password(actor, officer.username, "another password", portal.deps.passwords, deps)
    assert_problem(officer.get("/groups"), 401, "not-authenticated")
    set_user_enabled(actor, auditor.username, enabled=False, deps=deps)
    assert_problem(auditor.get("/groups"), 401, "not-authenticated")


def test_a_user_whose_seal_fails_has_no_token(portal: Portal) -> None:
    auditor = script_of(portal, AUDITOR, ("GRP_001",))
    portal.execute("UPDATE users SET group_ids = '[1, 2]' WHERE name = %s", auditor.username)
    assert_problem(auditor.get("/groups"), 401, "not-authenticated")


# Groups.


@pytest.mark.parametrize("role", [ADMINISTRATOR, OFFICER, AUDITOR])
def test_what_another_group_has_is_not_there(portal: Portal, foreign: Foreign, role: str) -> None:
    own = script_of(portal, role, ("GRP_001",))
    listed = own.get("/applications").content + own.get("/certificates").content + own.get("/users").content
    assert b"foreign" not in listed
    serial = foreign.certificate["serial"]
    assert_problem(own.get(f"/applications/{APPLICATION}"), 404, "not-found")
    assert_problem(own.get(f"/certificates/{serial}"), 404, "not-found")
    administers, revokes = role == ADMINISTRATOR, role == OFFICER
    for action in ("disable", "enable", "rotate"):
        assert_kept_out(own.post(f"/applications/{APPLICATION}/{action}"), administers)
    assert_kept_out(own.call("DELETE", f"/applications/{APPLICATION}", sign=True), administers)
    assert_kept_out(own.call("PATCH", f"/applications/{APPLICATION}", {}, sign=True), administers)
    assert_kept_out(own.post(f"/certificates/{serial}/revoke"), revokes)


def assert_kept_out(answer: Any, role_may: bool) -> None:
    """A role that does such a thing nowhere is told so; to one that does it in its own groups nothing is there."""
    assert_problem(answer, *((404, "not-found") if role_may else (403, "not-permitted")))


def test_what_is_missing_and_what_is_another_group_s_are_answered_alike(
    portal: Portal, foreign: Foreign
) -> None:
    own = script_of(portal, ADMINISTRATOR, ("GRP_001",))
    theirs, nowhere = own.get(f"/applications/{APPLICATION}"), own.get("/applications/foreign-applicatiox")
    assert theirs.json()["detail"].replace(APPLICATION, "X") == nowhere.json()["detail"].replace(
        "foreign-applicatiox", "X"
    )


def test_an_auditor_changes_nothing_with_any_scope(portal: Portal) -> None:
    auditor = script_of(portal, AUDITOR, ("GRP_001",))
    assert_problem(auditor.post("/applications/quickstart/disable"), 403, "not-permitted")
    assert_problem(auditor.post("/groups", {"name": "mine"}), 403, "not-permitted")


# Signatures.


def test_a_sealed_change_without_the_password_is_refused(script: Script) -> None:
    answer = script.call("POST", "/groups", {"name": "plant-2"})
    assert "Certuary-Sign" in assert_problem(answer, 403, "signature-required")["detail"]
    answer = script.call("POST", "/groups", {"name": "plant-2"}, headers={"certuary-sign": "%%"})
    assert_problem(answer, 403, "signature-required")


def test_a_wrong_password_signs_nothing_and_soon_waits(script: Script) -> None:
    for _ in range(5):
        answer = script.post("/groups", {"name": "plant-2"}, password="wrong")
        assert_problem(answer, 403, "signature-refused")
    assert_problem(script.post("/groups", {"name": "plant-2"}), 429, "rate-limited")
    assert len(script.get("/groups").json()["items"]) == 2


def test_nobody_signs_as_somebody_else(portal: Portal, script: Script) -> None:
    other = script_of(portal, ADMINISTRATOR, ("GRP_001",))
    body = {"name": "plant-2", "profile": "network-gear"}
    answer = Script(username="admin", token=other.token).post("/labels", body)
    assert_problem(answer, 403, "signature-refused")


# What it does.


def test_an_application_is_registered_changed_rotated_disabled_and_removed(script: Script) -> None:
    answer = script.post(
        "/applications", {"name": "routers", "username": "routers", "networks": ["192.0.2.0/24"]}
    )
    made = answer.json()
    assert (answer.status_code, made["networks"], made["seal"]) == (201, ["192.0.2.0/24"], "holds")
    assert len(made["password"]) > 15
    assert "password_hash" not in made
    changed = script.call("PATCH", "/applications/routers", {"networks": ["10.0.0.0/8"]}, sign=True).json()
    assert (changed["networks"], changed["version"]) == (["10.0.0.0/8"], 2)
    assert script.post("/applications/routers/disable").json()["enabled"] is False
    assert script.post("/applications/routers/enable").json()["enabled"] is True
    assert script.post("/applications/routers/rotate").json()["password"] != made["password"]
    assert "password" not in script.get("/applications/routers").json()
    assert script.call("DELETE", "/applications/routers", sign=True).status_code == 204
    assert_problem(script.get("/applications/routers"), 404, "not-found")


def test_a_certificate_is_found_shown_and_revoked_once(
    portal: Portal, script: Script, foreign: Foreign
) -> None:
    found = script.get("/certificates?subject=CN=foreign").json()["items"]
    assert [(one["application"], one["status"]) for one in found] == [(APPLICATION, "valid")]
    path = f"/certificates/{foreign.certificate['serial']}"
    assert script.get(path).json()["pem"].startswith("-----BEGIN CERTIFICATE-----")
    assert script.get(f"/certificates?application={APPLICATION}&status=revoked").json()["items"] == []
    revoked = script.post(f"{path}/revoke", {"reason": "keyCompromise"}).json()
    assert (revoked["status"], revoked["revocation_reason"]) == ("revoked", "keyCompromise")
    assert_problem(script.post(f"{path}/revoke", {}), 409, "already-revoked")
    assert_problem(script.post(f"{path}/revoke", {"reason": "boredom"}), 422, "revocation-reason")


def test_profiles_labels_groups_and_properties_are_changed(script: Script) -> None:
    profile = script.get("/profiles/network-gear").json()
    same = script.post("/profiles", {"toml": profile["toml"]})
    assert (same.status_code, same.json()["is_unchanged"]) == (200, True)
    assert_problem(script.post("/profiles", {"toml": "name = 1"}), 400, "invalid-profile")
    assert script.post("/labels", {"name": "plant", "profile": "network-gear"}).status_code == 201
    assert script.get("/labels").json()["items"][0]["profile"] == "network-gear"
    assert script.call("DELETE", "/labels/plant", sign=True).status_code == 204
    assert script.post("/groups", {"name": "third"}).json()["code"] == "GRP_003"
    key = "/properties/est.ca.server.group.id"
    assert script.call("PUT", key, {"value": "GRP_002"}, sign=True).json()["property_value"] == "GRP_002"
    assert script.call("DELETE", key, sign=True).status_code == 204


def test_authorities_users_and_the_audit_log_are_read(script: Script) -> None:
    assert {one["kind"] for one in script.get("/authorities").json()["items"]} == {"root", "issuing"}
    assert "BEGIN" in script.get("/authorities/root").json()["pem"]
    assert "admin" in {one["name"] for one in script.get("/users").json()["items"]}
    events = script.get("/audit?kind=api-token").json()["items"]
    assert [one["kind"] for one in events] == ["api-token.made"]


# Pages.


def test_pages_go_on_by_cursor_until_there_is_no_more(script: Script) -> None:
    seen: list[str] = []
    path = "/users?limit=3"
    for _ in range(10):
        answer = script.get(path).json()
        seen += [one["name"] for one in answer["items"]]
        assert len(answer["items"]) <= 3
        if answer["next_cursor"] is None:
            break
        path = f"/users?limit=3&cursor={answer['next_cursor']}"
    assert seen == sorted(set(seen))
    assert len(seen) == 7


def test_a_page_goes_on_behind_the_longest_and_strangest_key(portal: Portal, script: Script) -> None:
    actor, deps = portal.changes_as()
    for last in "abc":
        add_label(actor, 63 * "\N{CYRILLIC SMALL LETTER ZHE}" + last, "tls-device", deps)
    assert len(list(pages_of(script, "/labels?limit=1"))) == 3
    for key in ("a\tb", "a\nb", "\u202e"):
        portal.execute(
            "INSERT INTO api_properties (property_key, property_value, status) VALUES (%s, 'x', 'Active')",
            key,
        )
    listed = [one["property_key"] for one in pages_of(script, "/properties?limit=1")]
    assert set(listed) >= {"a\tb", "a\nb", "\u202e"}


def test_a_list_of_users_asks_for_their_factors_once(portal: Portal, script: Script) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    asked = []
    for limit in (2, 7):
        with CaptureQueriesContext(connection) as queries:
            assert len(script.get(f"/users?limit={limit}").json()["items"]) == limit
        asked.append(sum("mfa_authenticator" in query["sql"] for query in queries))
    assert asked[0] == asked[1]


def test_applications_and_events_go_by_cursor_too(script: Script, foreign: Foreign) -> None:
    first = script.get("/applications?limit=1").json()
    second = script.get(f"/applications?limit=1&cursor={first['next_cursor']}").json()
    assert [one["name"] for one in (*first["items"], *second["items"])] == [APPLICATION, "quickstart"]
    assert second["next_cursor"] is None
    newest = script.get("/audit?limit=2").json()
    older = script.get(f"/audit?limit=2&cursor={newest['next_cursor']}").json()
    numbers = [one["number"] for one in (*newest["items"], *older["items"])]
    assert numbers == sorted(numbers, reverse=True)
    assert len(set(numbers)) == 4


def pages_of(script: Script, path: str, between: Callable[[], object] = lambda: None) -> Iterator[Any]:
    """Every entry of a list, page by page; something is done after each page."""
    cursor: str | None = ""
    while cursor is not None:
        page = script.get(f"{path}{cursor and f'&cursor={cursor}'}").json()
        yield from page["items"]
        cursor = page["next_cursor"]
        between()


@pytest.mark.parametrize("path", ["/applications?limit=2", "/labels?limit=2"])
def test_pages_repeat_and_leave_out_nothing_while_others_add_and_remove(script: Script, path: str) -> None:
    """By name: one before and one behind the place where the reader is, and one behind it is gone."""
    kind = path.partition("?")[0]

    def add(name: str) -> None:
        more = {"username": name} if kind == "/applications" else {"profile": "network-gear"}
        assert script.post(kind, {"name": name, **more}).status_code == 201

    for name in ("b", "c", "d", "e", "f"):
        add(name)

    def change_after_the_first_page() -> None:
        if script.get(f"{kind}/a").status_code == 404:
            add("a")
            add("z")
            assert script.call("DELETE", f"{kind}/e", sign=True).status_code == 204

    seen = [one["name"] for one in pages_of(script, path, change_after_the_first_page)]
    assert [name for name in seen if name != "quickstart"] == ["b", "c", "d", "f", "z"]


def test_events_that_are_written_while_somebody_reads_move_no_page(script: Script) -> None:
    """Newest first: what comes on top is for the next who begins."""
    before = [one["number"] for one in pages_of(script, "/audit?limit=500")]
    names = iter(range(1000))
    seen = pages_of(script, "/audit?limit=3", lambda: script.post("/groups", {"name": f"g-{next(names)}"}))
    assert [one["number"] for one in seen] == before


@pytest.mark.parametrize("cursor", ["!", "bnVsbA", "W10", "eyJhIjoxfQ", "MS41", "dHJ1ZQ", "LTE"])
def test_a_cursor_that_nobody_was_given_is_refused(script: Script, cursor: str) -> None:
    assert_problem(script.get(f"/applications?cursor={cursor}"), 422, "cursor")


def test_a_page_has_a_largest_size(script: Script) -> None:
    assert_problem(script.get("/applications?limit=100000"), 422, "invalid-value")


# Idempotency keys.


def test_a_request_repeated_under_its_key_is_done_once_and_answered_the_same(
    portal: Portal, script: Script
) -> None:
    body = {"name": "routers", "username": "routers"}
    first = script.post("/applications", body, headers={"idempotency-key": "k1"})
    again = script.post("/applications", body, headers={"idempotency-key": "k1"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert again["Idempotency-Replayed"] == "true"
    assert {**first.json(), "password": None} == {**again.json(), "password": None}
    assert portal.audit_kinds().count("application.added") == 2  # with quickstart


def test_a_generated_password_is_kept_nowhere_for_a_repetition(portal: Portal, script: Script) -> None:
    from certuary.portal.models import IdempotentRequest

    body = {"name": "routers", "username": "routers"}
    first = script.post("/applications", body, headers={"idempotency-key": "k1"})
    assert first.json()["password"] not in IdempotentRequest.objects.get().body
    assert "password" not in script.post("/applications", body, headers={"idempotency-key": "k1"}).json()


def test_another_request_under_the_same_key_is_refused(script: Script) -> None:
    script.post("/groups", {"name": "third"}, headers={"idempotency-key": "k1"})
    answer = script.post("/groups", {"name": "fourth"}, headers={"idempotency-key": "k1"})
    assert_problem(answer, 422, "idempotency-mismatch")


def test_a_refused_request_leaves_its_key_free(script: Script) -> None:
    headers = {"idempotency-key": "k1"}
    assert script.post("/groups", {"name": "third"}, password="wrong", headers=headers).status_code == 403
    assert script.post("/groups", {"name": "third"}, headers=headers).status_code == 201


def test_another_token_s_key_is_another_key(portal: Portal, script: Script) -> None:
    other = script_of(portal)
    script.post("/groups", {"name": "third"}, headers={"idempotency-key": "k1"})
    assert other.post("/groups", {"name": "fourth"}, headers={"idempotency-key": "k1"}).status_code == 201


def test_a_request_that_is_still_at_work_is_not_done_twice(portal: Portal, script: Script) -> None:
    script.post("/groups", {"name": "third"}, headers={"idempotency-key": "k1"})
    portal.execute("UPDATE api_idempotent_requests SET status = NULL")
    answer = script.post("/groups", {"name": "third"}, headers={"idempotency-key": "k1"})
    assert_problem(answer, 409, "idempotency-in-progress")


def test_a_key_is_forgotten_after_a_day(portal: Portal, script: Script) -> None:
    script.post("/groups", {"name": "third"}, headers={"idempotency-key": "k1"})
    portal.execute("UPDATE api_idempotent_requests SET created_at = '2020-01-01 00:00:00'")
    answer = script.post("/groups", {"name": "fourth"}, headers={"idempotency-key": "k1"})
    assert answer.status_code == 201


# Errors.


def test_every_kind_of_error_is_a_problem_document(script: Script) -> None:
    assert_problem(script.get("/applications/nobody"), 404, "not-found")
    assert_problem(script.get("/nothing/here"), 404, "not-found")
    assert_problem(script.call("PUT", "/applications"), 405, "method-not-allowed")
    assert_problem(script.post("/groups", {"nam": "x"}), 422, "invalid-value")
    assert_problem(script.post("/groups", {"name": "x", "more": 1}), 422, "invalid-value")
    assert_problem(script.post("/labels", {"name": "a/b", "profile": "network-gear"}), 422, "label")
    assert_problem(script.get("/certificates?serial=not-hex"), 422, "serial-number")
    answer = PortalClient().generic(
        "POST",
        f"{BASE}/groups",
        b"{",
        content_type="application/json",
        headers={"authorization": f"Bearer {script.token}"},
    )
    assert_problem(answer, 400, "malformed-request")


@pytest.mark.parametrize(
    "moment", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00", "2027-01-31T12:00:00"]
)
def test_a_moment_that_is_none_in_utc_is_refused(moment: str, portal: Portal, script: Script) -> None:
    given = {"name": "line-7", "username": "line-7", "expires_at": moment}
    assert_problem(script.post("/applications", given), 422, "invalid-value")
    compromised = f"/users/{script_of(portal, OFFICER, ('GRP_001',)).username}/key-compromised"
    assert_problem(script.post(compromised, {"since": moment}), 422, "invalid-value")


def test_a_body_that_is_too_large_is_refused(script: Script) -> None:
    assert_problem(script.post("/groups", {"name": "x" * 600_000}), 413, "body-too-large")


def test_what_nobody_expected_tells_nothing(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    from certuary.portal.api import groups

    def fail(*_: object) -> None:
        raise RuntimeError("secret-of-the-stack")

    monkeypatch.setattr(groups, "groups_seen", fail)
    answer = script.get("/groups")
    assert_problem(answer, 500, "internal-error")
    assert b"secret" not in answer.content


def test_a_name_that_holds_a_script_comes_back_as_json_that_no_browser_runs(script: Script) -> None:
    answer = script.post("/groups", {"name": "<script>alert(1)</script>"})
    assert answer["Content-Type"] in ("application/json", "application/problem+json")
    assert answer["X-Content-Type-Options"] == "nosniff"


# Its description and its pages.


def test_the_description_is_openapi_3_1_and_names_every_operation(
    portal: Portal, visitor: PortalClient
) -> None:
    from certuary.portal.api.tokens import SCOPES

    document = visitor.get(f"{BASE}/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert set(document) >= {"openapi", "info", "paths", "components", "servers"}
    operations = [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    assert len(operations) > 60
    assert len({operation["operationId"] for _, _, operation in operations}) == len(operations)
    for path, method, operation in operations:
        assert path.startswith("/api/v1/"), path
        (scope,) = operation["security"][0]["token"]
        assert scope in SCOPES
        named = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
        assert all(f"{{{name}}}" in path for name in named)
        signed = {one["name"] for one in operation["parameters"] if one["in"] == "header"}
        changes = method != "get" and operation["operationId"] not in ("check_profile", "try_request")
        assert (signed == {"Certuary-Sign", "Idempotency-Key"}) == changes
        assert operation["responses"]["403"]["content"].keys() == {"application/problem+json"}
    assert not list(_broken_references(document, document))


def _broken_references(node: object, document: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(node, dict):
        reference = node.get("$ref")
        if isinstance(reference, str):
            target: Any = document
            for part in reference.removeprefix("#/").split("/"):
                target = target.get(part) if isinstance(target, dict) else None
            if target is None:
                yield reference
        for value in node.values():
            yield from _broken_references(value, document)
    elif isinstance(node, list):
        for value in node:
            yield from _broken_references(value, document)


def test_the_reference_is_a_page_of_ours_that_loads_nothing_from_elsewhere(client: PortalClient) -> None:
    page, subject = client.get(f"{BASE}/docs"), client.get(f"{BASE}/docs?subject=Applications")
    assert (page.status_code, subject.status_code) == (200, 200)
    for shown in (page, subject):
        text = shown.content.decode()
        assert "/api/v1/applications/{name}/rotate" in text
        assert not re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", text)
        assert "unsafe" not in shown["Content-Security-Policy"]
        assert "`" not in text
    assert "Parameters of Register an application" in subject.content.decode()
    assert client.get(f"{BASE}/docs?subject=Nothing").status_code == 200


@pytest.mark.parametrize("role", [CA_ADMINISTRATOR, ADMINISTRATOR, OFFICER, AUDITOR])
def test_a_token_is_made_by_signing_shown_once_and_revoked_by_signing(sign_in: SignIn, role: str) -> None:
    client = sign_in(role)
    proposed = client.post_form(
        "/account/tokens/new/", {"name": "inventory", "days": "30", "scopes": ["groups:read"]}
    )
    done = confirm_change(client, proposed.url)
    token = done.content.decode().split("cty_", 1)[1].split("<", 1)[0]
    script = Script(username=client.username, token=f"cty_{token}")
    assert script.get("/groups").status_code == 200
    listed = client.get("/account/tokens/")
    assert "inventory" in listed.content.decode()
    assert token not in listed.content.decode()
    from certuary.portal.models import ApiToken

    revoke = f"/account/tokens/{ApiToken.objects.get().pk}/revoke/"
    confirm_change(client, client.post_form_at(revoke, "/account/tokens/", {}).url)
    assert_problem(script.get("/groups"), 401, "not-authenticated")


def test_nobody_revokes_another_s_token(portal: Portal, sign_in: SignIn, script: Script) -> None:
    from certuary.portal.models import ApiToken

    client = sign_in(ADMINISTRATOR)
    proposed = client.post_form_at(
        f"/account/tokens/{ApiToken.objects.get().pk}/revoke/", "/account/tokens/", {}
    )
    assert client.get(proposed.url).status_code == 404
    assert script.get("/groups").status_code == 200
