"""What the screens do, over the API: users, seals, refusals, files, trails, versions, numbers, the search, tokens."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from certuary.core.values import serial_to_text
from certuary.portal.api.pages import encode_cursor
from certuary.services.entitlement import ADMINISTRATOR, AUDITOR, OFFICER
from tests.wire.portal.certificates import add_application, add_certificate
from tests.wire.portal.pages import Portal, PortalClient
from tests.wire.portal.test_api import Script, assert_problem, pages_of, script_of

pytestmark = pytest.mark.usefixtures("portal")


@pytest.fixture
def script(portal: Portal) -> Script:
    from certuary.portal.api.failures import FAILURES

    FAILURES.forget()
    return script_of(portal)


def test_a_user_is_added_given_another_role_locked_out_and_let_in_again(
    portal: Portal, script: Script
) -> None:
    made = script.post("/users", {"name": "maria", "role": "officer", "groups": ["GRP_001"]})
    assert made.status_code == 201
    assert len(made.json()["password"]) > 15
    assert made.json()["groups"] == ["GRP_001"]
    body = {"role": "auditor", "groups": ["GRP_001", "GRP_002"]}
    changed = script.call("PUT", "/users/maria/role", body, sign=True).json()
    assert (changed["role"], changed["groups"]) == ("auditor", ["GRP_001", "GRP_002"])
    maria = PortalClient()
    assert maria.sign_in("maria", made.json()["password"]).status_code == 302
    assert script.post("/users/maria/disable").json()["enabled"] is False
    assert maria.get("/").status_code == 302
    assert script.post("/users/maria/enable").json()["enabled"] is True
    again = script.post("/users/maria/password").json()
    assert again["password"] != made.json()["password"]
    removed = script.call("DELETE", "/users/maria/second-factors", sign=True)
    assert removed.json()["second_factors"] == ""
    assert "password" not in script.get("/users/maria").json()


def test_a_compromised_key_tells_what_it_signed(portal: Portal, script: Script) -> None:
    other = script_of(portal, ADMINISTRATOR, ("GRP_001",))
    assert other.post("/labels", {"name": "plant", "profile": "network-gear"}).status_code == 201
    since = {"since": "2020-01-01T00:00:00Z"}
    listed = script.post(f"/users/{other.username}/key-compromised", since).json()["signed"]
    assert [(one["kind"], one["name"], one["is_void"]) for one in listed] == [("label", "plant", True)]
    assert script.get(f"/users/{other.username}").json()["key_compromised"] is True
    assert script.get("/labels/plant").json()["seal"] == "broken"
    future = script.post(f"/users/{other.username}/key-compromised", {"since": "2999-01-01T00:00:00Z"})
    assert_problem(future, 422, "moment")


def test_nobody_changes_themselves_nor_one_above_them(portal: Portal, script: Script) -> None:
    assert_problem(script.post("/users/admin/disable"), 409, "own-role")
    administrator = script_of(portal, ADMINISTRATOR, ("GRP_001",))
    body: dict[str, object] = {"name": "boss", "role": "ca-administrator"}
    assert_problem(administrator.post("/users", body), 403, "not-permitted")
    body = {"name": "other", "role": "officer", "groups": ["GRP_002"]}
    assert_problem(administrator.post("/users", body), 404, "not-found")
    assert_problem(script_of(portal, OFFICER, ("GRP_001",)).get("/users"), 403, "not-permitted")


def test_a_group_is_renamed_by_its_code(script: Script) -> None:
    renamed = script.call("PATCH", "/groups/GRP_002", {"name": "Plant 2"}, sign=True).json()
    assert (renamed["code"], renamed["name"], renamed["version"]) == ("GRP_002", "Plant 2", 2)
    assert script.get("/groups/GRP_002").json() == renamed


def test_versions_of_a_profile_are_listed_compared_and_checked(script: Script) -> None:
    toml = script.get("/profiles/network-gear").json()["toml"]
    longer = toml.replace('lifetime = "', 'lifetime = "1', 1)
    assert script.post("/profiles", {"toml": longer}).json()["current_version"] == 2
    numbers = [one["number"] for one in script.get("/profiles/network-gear/versions").json()["items"]]
    assert numbers == [2, 1]
    assert script.get("/profiles/network-gear/versions/1").json()["toml"] == toml
    difference = script.get("/profiles/network-gear/versions/1/differences/2").json()
    assert [change["path"] for change in difference["changes"]] == ["validity.lifetime"]
    assert "+lifetime" in difference["diff"]
    checked = script.call("POST", "/profile-checks", {"toml": toml}).json()
    assert checked["findings"] == []
    assert checked["sample_pem"].startswith("-----BEGIN CERTIFICATE-----")
    assert_problem(script.call("POST", "/profile-checks", {"toml": "name = 1"}), 400, "invalid-profile")
    assert_problem(script.get("/profiles/network-gear/versions/9"), 404, "not-found")
    assert script.get("/profiles/tls-device/use").json()["is_default"] is True


def test_a_property_tells_its_meaning_and_who_changed_it(portal: Portal, script: Script) -> None:
    key = "est.ca.server.group.id"
    script.call("PUT", f"/properties/{key}", {"value": "GRP_002"}, sign=True)
    shown = script.get(f"/properties/{key}").json()
    assert shown["sql"].startswith("INSERT INTO api_properties")
    assert "group" in shown["meaning"]
    newest = script.get(f"/properties/{key}/changes").json()["items"][0]
    assert (newest["who"], newest["by_sql"]) == ("admin", False)
    assert newest["after"].startswith("GRP_002")


@pytest.mark.parametrize(
    ("form", "media_type"),
    [
        ("pem", "application/x-pem-file"),
        ("der", "application/pkix-cert"),
        ("p7b", "application/pkcs7-mime; smime-type=certs-only"),
        ("chain", "application/x-pem-file"),
    ],
)
def test_files_of_authorities_and_certificates_are_downloaded(
    portal: Portal, script: Script, form: str, media_type: str
) -> None:
    row = add_certificate(portal, None)
    for path in (
        f"/authorities/issuing/files/{form}",
        f"/certificates/{serial_to_text(row.serial)}/files/{form}",
    ):
        answer = script.get(path)
        assert (answer.status_code, answer["Content-Type"]) == (200, media_type)
        assert answer.content
    assert_problem(script.get("/authorities/issuing/files/exe"), 422, "invalid-value")


@pytest.mark.parametrize("column", ["certificate_der", "removed_at"])
def test_no_file_of_an_authority_that_was_altered_is_handed_out(
    portal: Portal, script: Script, client: PortalClient, column: str
) -> None:
    """Scripts and people trust what they fetch there."""
    row = add_certificate(portal, None)
    other: bytes | str = row.der if column == "certificate_der" else "2026-01-01 00:00:00"
    portal.execute(f"UPDATE authorities SET {column} = %s WHERE name = 'root'", other)
    serial = serial_to_text(row.serial)
    over_the_api = (
        "/authorities/root/files/pem",
        "/authorities/issuing/files/chain",
        f"/certificates/{serial}/files/chain",
    )
    on_the_screens = (
        "/authorities/1/download/pem/",
        "/authorities/2/download/chain/",
        f"/certificates/{serial}/download/chain/",
    )
    for answer in (*map(script.get, over_the_api), *map(client.get, on_the_screens)):
        assert answer.status_code in (404, 409), answer.content
        assert b"BEGIN CERTIFICATE" not in answer.content


@pytest.mark.parametrize("how", ["disable", "delete"])
def test_what_could_not_be_revoked_with_an_application_is_told(
    portal: Portal, script: Script, how: str
) -> None:
    number = add_application(portal, "line-1", "GRP_001").id
    assert isinstance(number, int)
    serial = serial_to_text(add_certificate(portal, number).serial)
    portal.execute("UPDATE certificates SET source = 'application' WHERE serial = %s", serial)
    path = "/applications/line-1"
    answer = script.post(f"{path}/disable") if how == "disable" else script.call("DELETE", path, sign=True)
    assert answer.status_code == 200, answer.content
    (warning,) = answer.json()["warnings"]
    assert serial in warning


def test_certificates_are_found_by_all_that_the_screen_asks_for(portal: Portal, script: Script) -> None:
    application = add_application(portal, "line-1", "GRP_001")
    assert isinstance(application.id, int)
    names = (x509.DNSName("valve.example.com"),)
    row = add_certificate(portal, application.id, common_name="valve-7", names=names, days=20)
    add_certificate(portal, None, common_name="pump-1", days=200)
    serial = serial_to_text(row.serial)
    for query in (
        "subject=CN=valve-7",
        "alternative_name=valve.example.com",
        f"serial={serial}",
        f"sha256={row.key_hash}",
        "application=line-1",
        "status=valid&expiring_within_days=30&application=line-1",
        "expires_from=2020-01-01T00:00:00Z&expires_before=2999-01-01T00:00:00Z&application=line-1",
    ):
        found = script.get(f"/certificates?{query}").json()
        assert [one["serial"] for one in found["items"]] == [serial], query
    assert script.get("/certificates?profile=nothing").json()["items"] == []
    assert_problem(script.get(f"/certificates?sha256={row.key_hash}&subject=x"), 422, "invalid-value")
    trail = script.get(f"/certificates/{serial}/trail").json()
    assert trail["request"] is None


def test_a_parameter_that_there_is_not_is_refused(script: Script) -> None:
    assert_problem(script.get("/certificates?statsu=revoked"), 422, "invalid-value")


def csr(common_name: str = "valve-7") -> str:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
    builder = x509.CertificateSigningRequestBuilder(subject_name=subject)
    signed = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return signed.public_bytes(Encoding.PEM).decode()


def test_a_dry_run_says_each_step_and_issues_nothing(portal: Portal, script: Script) -> None:
    from certuary.store.models import Certificate

    before = Certificate.objects.count()
    body = {"csr": csr(), "application": "quickstart", "address": "127.0.0.1"}
    done = script.call("POST", "/dry-runs", body).json()
    stopped = [step for step in done["steps"] if step["outcome"] == "stopped here"]
    assert done["granted"] is (not stopped)
    refused = script.call("POST", "/dry-runs", {**body, "csr": "x"}).json()
    assert (refused["granted"], refused["rule"], refused["status"]) == (False, "malformed-body", 400)
    assert [step["title"] for step in refused["steps"] if step["outcome"] == "stopped here"] == ["Body"]
    assert_problem(script.call("POST", "/dry-runs", {**body, "address": "here"}), 422, "network")
    assert_problem(script.call("POST", "/dry-runs", {**body, "application": "x"}), 404, "not-found")
    assert Certificate.objects.count() == before


def test_a_refused_request_is_listed_and_explained(portal: Portal, script: Script) -> None:
    from tests.wire.portal.sites import KINDS, make_foreign

    foreign = make_foreign(portal)
    request_id = KINDS["refusal"](foreign)["request_id"]
    listed = script.get("/refusals").json()["items"]
    assert [(one["request_id"], one["rule"]) for one in listed] == [(request_id, "subject-refused")]
    explained = script.get(f"/refusals/{request_id}").json()
    assert explained["outcome"] == "refused"
    assert explained["next_step"]
    assert_problem(script.get("/refusals/" + "0" * 32), 404, "not-found")


def test_a_broken_seal_is_listed_shown_and_signed_as_it_stands(portal: Portal, script: Script) -> None:
    assert script.get("/seals").json()["items"] == []
    portal.execute("UPDATE applications SET subject_rule = 'CN=x' WHERE name = 'quickstart'")
    (broken,) = script.get("/seals").json()["items"]
    assert (broken["kind"], broken["name"]) == ("application", "quickstart")
    path = f"/seals/application/{broken['id']}"
    shown = script.get(path).json()
    assert {one["name"] for one in shown["columns"] if one["holds"] is False} == {"subject_rule"}
    assert_problem(script.post(f"{path}/adopt", {"digest": "0" * 64}), 409, "conflict")
    assert script.post(f"{path}/adopt", {"digest": shown["digest"]}).json()["problem"] is None
    assert script.get("/seals").json()["items"] == []


def test_a_record_that_is_gone_is_forgotten(portal: Portal, script: Script) -> None:
    script.post("/labels", {"name": "plant", "profile": "network-gear"})
    number = script.get("/labels/plant").json()["id"]
    portal.execute("DELETE FROM labels WHERE name = 'plant'")
    assert script.get(f"/seals/label/{number}").json()["is_gone"] is True
    assert script.post(f"/seals/label/{number}/forget").status_code == 204
    assert_problem(script.post(f"/seals/label/{number}/forget"), 404, "not-found")


def test_the_audit_log_is_exported_line_by_line_and_tells_how_far_it_is_verified(script: Script) -> None:
    answer = script.get("/audit/export?kind=api-token")
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert [json.loads(line)["kind"] for line in lines] == ["api-token.made"]
    number = json.loads(lines[0])["number"]
    assert script.get(f"/audit/{number}").json()["kind"] == "api-token.made"
    assert_problem(script.get(f"/audit/{10**30}"), 404, "not-found")
    assert "checkpoint" in script.get("/audit/verification").json()
    assert_problem(script.get("/audit/export?since=0001-01-01T00:00:00Z"), 422, "time")


def test_numbers_nodes_and_search_are_read(portal: Portal, script: Script) -> None:
    statistics = script.get("/statistics").json()
    assert {one["name"] for one in statistics["authorities"]} == {"root", "issuing"}
    assert script.get("/nodes").json() == {"items": []}
    assert_problem(script_of(portal, OFFICER, ("GRP_001",)).get("/nodes"), 403, "not-permitted")
    found = script.get("/search?q=quickstart").json()["groups"]
    assert [(group["title"], group["hits"][0]["is_exact"]) for group in found] == [("Applications", True)]
    narrow = script_of(portal, AUDITOR, ("GRP_001",), "search:read")
    assert narrow.get("/search?q=quickstart").json() == {"groups": []}


def test_an_identity_is_bound_told_to_ca_administrators_alone_and_taken_away(
    portal: Portal, script: Script
) -> None:
    officer, auditor = portal.user_of(OFFICER, ("GRP_001",)), script_of(portal, AUDITOR, ("GRP_001",))
    oidc = {"issuer": "https://id.example", "subject": "248289761001"}
    bound = script.post(f"/users/{officer}/identities", oidc)
    assert bound.status_code == 200, bound.content
    (identity,) = bound.json()["identities"]
    assert identity == {"kind": "oidc", **oidc, "claim": "sub", "sha256": None}
    script.post(f"/users/{officer}/identities", {"sha256": ":".join(["0A"] * 32)})
    listed = script.get(f"/users/{officer}").json()["identities"]
    assert [one["sha256"] for one in listed] == [None, "0a" * 32]
    assert auditor.get(f"/users/{officer}").json()["identities"] is None
    assert_problem(script.post(f"/users/{script.username}/identities", oidc), 409, "identity-taken")
    left = script.post(f"/users/{officer}/identities/remove", oidc).json()["identities"]
    assert [one["kind"] for one in left] == ["certificate"]
    assert_problem(script.post(f"/users/{officer}/identities/remove", oidc), 404, "not-found")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"subject": "x"},
        {"subject": "x", "sha256": "0a" * 32},
        {"sha256": "0a"},
        {"issuer": "https://id.example", "subject": ""},
        {"issuer": "http://id.example", "subject": "x"},
    ],
)
def test_what_names_no_identity_binds_none(script: Script, body: dict[str, str]) -> None:
    assert_problem(script.post(f"/users/{script.username}/identities", body), 422, "identity")


def test_a_token_is_listed_and_revoked_by_its_user_alone(portal: Portal, script: Script) -> None:
    other = script_of(portal, AUDITOR, ("GRP_001",))
    (listed,) = script.get("/tokens").json()["items"]
    assert (listed["state"], listed["is_this"]) == ("in force", True)
    assert_problem(other.call("DELETE", f"/tokens/{listed['id']}", sign=True), 404, "not-found")
    assert script.call("DELETE", f"/tokens/{listed['id']}", sign=True).status_code == 204
    assert_problem(script.get("/tokens"), 401, "not-authenticated")


def test_a_stored_digest_of_a_request_is_no_hash_of_its_password(portal: Portal, script: Script) -> None:
    """Else who reads the database could guess at it as fast as SHA-256 is."""
    import hashlib

    from certuary.portal.models import IdempotentRequest

    body: dict[str, Any] = {"name": "routers", "username": "routers", "password": "a password to guess"}
    script.post("/applications", body, headers={"idempotency-key": "k1"})
    sent = hashlib.sha256(json.dumps(body).encode()).hexdigest()
    plain = hashlib.sha256(f"POST\n/api/v1/applications\n{sent}".encode()).hexdigest()
    assert IdempotentRequest.objects.get().request_digest != plain


def test_broken_seals_come_in_pages_that_verify_a_bounded_number_of_records(
    portal: Portal, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    from certuary.portal import seal_problems

    for number in range(4):
        add_application(portal, f"line-{number}", "GRP_001")
    portal.execute("UPDATE applications SET subject_rule = 'CN=x' WHERE name LIKE 'line-%%'")
    portal.execute("UPDATE groups SET name = 'altered' WHERE code = 'GRP_002'")
    portal.execute("DELETE FROM labels")
    whole = script.get("/seals").json()
    assert (len(whole["items"]), whole["next_cursor"]) == (5, None)
    assert list(pages_of(script, "/seals?limit=2")) == whole["items"]
    monkeypatch.setattr(seal_problems, "LOOKED_AT", 3)
    first = script.get("/seals?limit=500").json()
    assert first["stopped"] is True
    assert len(first["items"]) <= 3
    assert list(pages_of(script, "/seals?limit=500")) == whole["items"]
    for cursor in ("x", "1/2", "999/1/", "1/x/"):
        assert_problem(script.get(f"/seals?cursor={encode_cursor(cursor)}"), 422, "cursor")
