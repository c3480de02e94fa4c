"""Two persons: the first signature asks, the second makes the change, and nobody is both."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest

from certuary.errors import Conflict, InvalidSeal, SecondPersonNeeded
from certuary.services.change_deps import ChangeDeps
from certuary.services.entitlement import CA_ADMINISTRATOR, Actor
from certuary.services.manage_group import add_group
from certuary.services.manage_user import (
    NewUser,
    add_user,
    change_user,
    set_user_enabled,
    set_user_password,
)
from certuary.services.ports import Record
from certuary.services.record_gate import RecordGate
from certuary.services.register_application import Grants, NewApplication, register_application
from certuary.services.switch_rule import switch_rule
from certuary.services.two_persons import RULES, Approved, digest_of
from tests.wire.portal.pages import PASSWORD, Confirm, Portal, PortalClient, SignIn, field_of, text_of
from tests.wire.portal.sites import add_certificate

BOSS: Final = "boss"
FORM: Final = {
    "name": "plant-7",
    "username": "plant-7",
    "password_source": "generate",
    "password": "",
    "networks": "10.0.0.0/24",
    "group": "GRP_001",
    "subject_rule": "CN=plant-*",
    "expires_at": "",
}


@pytest.fixture
def boss(portal: Portal) -> PortalClient:
    return add_boss(portal)


def add_boss(portal: Portal) -> PortalClient:
    """The browser of another CA Administrator."""
    actor, deps = portal.changes_as()
    new = NewUser(name=BOSS, role=CA_ADMINISTRATOR, groups=(), password=PASSWORD)
    add_user(actor, new, portal.deps.passwords, deps)
    return signed_in(BOSS)


@pytest.fixture
def ruled(portal: Portal, boss: PortalClient) -> Portal:
    """Changes of applications take two persons."""
    turn_on(portal, "application")
    return portal


def turn_on(portal: Portal, rule: str) -> None:
    actor, deps = portal.changes_as()
    switch_rule(actor, rule, enabled=True, deps=deps)


def signed_in(name: str) -> PortalClient:
    client = PortalClient()
    assert client.sign_in(name).status_code == 302
    return client


def ask(client: PortalClient, confirm: Confirm, **changes: str) -> Record:
    """Ask for a new application; gives the request that then waits."""
    form = {**FORM, **changes}
    answer = confirm(client, client.post_form("/applications/new/", form).url)
    assert answer.status_code == 302, text_of(answer)
    assert answer.url.startswith("/approvals/"), answer.url
    return waiting()[0]


def waiting() -> tuple[Record, ...]:
    from certuary.store.approvals import list_approvals

    return list_approvals(waiting=True, before=None, limit=100)


def approve(client: PortalClient, approval: Record, confirm: Confirm, password: str = PASSWORD) -> Any:
    url = f"/approvals/{approval.id}/"
    answer = client.post_form(f"{url}approve/", {}, page="/")
    return confirm(client, answer.url, password) if answer.status_code == 302 else answer


def application(portal: Portal, name: str = "plant-7") -> Record | None:
    return portal.stores.records.find("application", name=name)


def events(portal: Portal, kind: str) -> list[Any]:
    from certuary.store.models import AuditEvent

    return list(AuditEvent.objects.filter(kind=kind).order_by("id"))


def test_a_change_under_the_rule_waits_until_a_second_person_approves_it(
    ruled: Portal, client: PortalClient, boss: PortalClient, confirm: Confirm
) -> None:
    approval = ask(client, confirm)
    assert application(ruled) is None
    assert "waits for a second person" in text_of(client.get(f"/approvals/{approval.id}/"))
    done = approve(boss, approval, confirm)
    assert done.status_code == 200, text_of(done)
    assert "Its password" in text_of(done)
    found = application(ruled)
    assert found is not None
    assert found.values["networks"] == ["10.0.0.0/24"]
    assert waiting() == ()


def test_both_names_are_in_the_audit_log_and_both_seals_are_kept(
    ruled: Portal, client: PortalClient, boss: PortalClient, confirm: Confirm
) -> None:
    approval = ask(client, confirm)
    approve(boss, approval, confirm)
    added = events(ruled, "application.added")[-1]
    assert added.actor == BOSS
    detail = json.loads(added.detail)
    assert (detail["requested_by"], detail["approval"]) == ("admin", approval.values["name"])
    assert [one.actor for one in events(ruled, "approval.requested")] == ["admin"]
    assert [one.actor for one in events(ruled, "approval.approved")] == [BOSS]
    assert events(ruled, "change.refused") == []
    page = text_of(boss.get(f"/approvals/{approval.id}/"))
    assert "First admin" in page
    assert f"Second {BOSS}, CA Administrator" in page
    assert page.count("Holds") == 2
    ruled.execute("UPDATE approvals SET request_seal = replace(request_seal, 'admin', 'other')")
    page = text_of(boss.get(f"/approvals/{approval.id}/"))
    assert page.count("Holds") == 0, "the second seal covers the first"


@pytest.mark.usefixtures("boss")
def test_without_the_rule_one_signature_makes_the_change(
    portal: Portal, client: PortalClient, confirm: Confirm
) -> None:
    answer = confirm(client, client.post_form("/applications/new/", FORM).url)
    assert answer.status_code == 200
    assert application(portal) is not None
    assert waiting() == ()


def test_who_asked_does_not_approve_it(ruled: Portal, client: PortalClient, confirm: Confirm) -> None:
    approval = ask(client, confirm)
    assert (
        "Approve"
        not in text_of(client.get(f"/approvals/{approval.id}/")).split("History")[0].split("State")[0]
    )
    answer = approve(client, approval, confirm)
    assert answer.status_code == 403
    assert "another user does" in text_of(answer)
    assert application(ruled) is None


def test_who_asked_does_not_approve_it_in_a_second_browser(
    ruled: Portal, client: PortalClient, confirm: Confirm
) -> None:
    approval = ask(client, confirm)
    assert approve(signed_in("admin"), approval, confirm).status_code == 403
    assert application(ruled) is None


def test_a_second_person_who_may_not_make_the_change_does_not_approve_it(
    ruled: Portal, client: PortalClient, sign_in: SignIn, confirm: Confirm
) -> None:
    approval = ask(client, confirm)
    other_group = sign_in("administrator", ("GRP_002",))
    assert other_group.get(f"/approvals/{approval.id}/").status_code == 404
    officer = sign_in("officer", ("GRP_001",))
    assert approve(officer, approval, confirm).status_code == 403
    assert application(ruled) is None


def test_an_administrator_of_the_group_is_a_second_person(
    ruled: Portal, client: PortalClient, sign_in: SignIn, confirm: Confirm
) -> None:
    approval = ask(client, confirm)
    assert approve(sign_in("administrator", ("GRP_001",)), approval, confirm).status_code == 200
    assert application(ruled) is not None


def test_a_wrong_password_approves_nothing(
    ruled: Portal, client: PortalClient, boss: PortalClient, confirm: Confirm
) -> None:
    approval = ask(client, confirm)
    assert approve(boss, approval, confirm, password="wrong").status_code == 403
    assert application(ruled) is None
    assert len(waiting()) == 1


def test_a_record_that_changed_in_between_has_to_be_asked_for_anew(
    portal: Portal, client: PortalClient, boss: PortalClient, confirm: Confirm
) -> None:
    confirm(client, client.post_form("/applications/new/", FORM).url)
    number = application(portal).id  # type: ignore[union-attr]  # just made
    turn_on(portal, "application")
    answer = confirm(client, client.post_form(f"/applications/{number}/act/disable/", {}, page="/").url)
    approval = waiting()[0]
    assert answer.url == f"/approvals/{approval.id}/"
    # Two others change it first.
    edit = {**FORM, "networks": "10.9.0.0/16"}
    answer = confirm(client, client.post_form(f"/applications/{number}/edit/", edit).url)

    assert approve(boss, waiting()[0], confirm).status_code == 302
    shown = text_of(boss.get(f"/approvals/{approval.id}/"))
    assert "cannot be approved as it is" in shown
    answer = boss.get(boss.post_form(f"/approvals/{approval.id}/approve/", {}, page="/").url)
    assert answer.status_code == 409
    assert "asked for anew" in text_of(answer)
    found = application(portal)
    assert found is not None
    assert found.values["enabled"]


def test_content_that_was_tampered_with_is_not_approved(
    ruled: Portal, client: PortalClient, boss: PortalClient, confirm: Confirm
) -> None:
    approval = ask(client, confirm)
    url = boss.post_form(f"/approvals/{approval.id}/approve/", {}, page="/").url
    page = boss.get(url)
    ruled.execute("UPDATE approvals SET content = replace(content, '10.0.0.0/24', '')")
    signed = {"digest": field_of(page, "digest"), "username": BOSS, "password": PASSWORD}
    answer = boss.post_form_from(page, url, signed)
    assert answer.status_code == 409
    assert application(ruled) is None
    assert "not believed" in text_of(boss.get(f"/approvals/{approval.id}/"))
    assert "content: not what" in text_of(boss.get("/seals/"))


def test_a_request_that_nobody_signed_is_not_approved_and_is_found(
    ruled: Portal, client: PortalClient, boss: PortalClient, confirm: Confirm
) -> None:
    approval = ask(client, confirm)
    columns = (
        "revision, version, created_at, removed_at, kind, change, title, content, shown, requester, requester_id,"
        " group_ids, expires_at, state, decided_by, decided_at, reason, request_seal, seal"
    )
    ruled.execute(f"INSERT INTO approvals (name, {columns}) SELECT 'APR-forged', {columns} FROM approvals")
    forged = next(one for one in waiting() if one.id != approval.id)
    assert approve(boss, forged, confirm).status_code == 409
    assert application(ruled) is None
    assert "nobody signed it" in text_of(boss.get("/seals/"))


def test_who_may_do_less_by_now_has_asked_in_vain(
    ruled: Portal, boss: PortalClient, sign_in: SignIn, confirm: Confirm
) -> None:
    approval = ask(sign_in("administrator", ("GRP_001",)), confirm)
    actor, deps = ruled.changes_as()
    change_user(actor, "administrator-grp_001", role="officer", groups=["GRP_001"], deps=deps)
    answer = approve(boss, approval, confirm)
    assert answer.status_code == 403
    assert "may do less now" in text_of(answer)
    assert application(ruled) is None


def test_who_was_disabled_has_asked_in_vain(
    ruled: Portal, boss: PortalClient, sign_in: SignIn, confirm: Confirm
) -> None:
    approval = ask(sign_in("administrator", ("GRP_001",)), confirm)
    actor, deps = ruled.changes_as()
    set_user_enabled(actor, "administrator-grp_001", enabled=False, deps=deps)
    assert approve(boss, approval, confirm).status_code == 403
    assert application(ruled) is None


def test_an_approval_is_used_once(
    ruled: Portal, client: PortalClient, boss: PortalClient, confirm: Confirm
) -> None:
    approval = ask(client, confirm)
    assert approve(boss, approval, confirm).status_code == 200
    assert approve(boss, approval, confirm).status_code == 404


def test_it_is_rejected_with_a_reason(
    ruled: Portal, client: PortalClient, boss: PortalClient, confirm: Confirm
) -> None:
    approval = ask(client, confirm)
    url = f"/approvals/{approval.id}/"
    assert confirm(boss, boss.post_form(f"{url}reject/", {"reason": "no such plant"}).url).status_code == 302
    assert "no such plant" in text_of(client.get(url))
    assert "Rejected by boss" in text_of(client.get("/approvals/?state=decided"))
    assert json.loads(events(ruled, "approval.rejected")[0].detail)["reason"] == "no such plant"
    assert approve(boss, approval, confirm).status_code == 404
    assert application(ruled) is None


def test_it_is_withdrawn_by_who_asked_and_by_nobody_else(
    ruled: Portal, client: PortalClient, boss: PortalClient, confirm: Confirm
) -> None:
    approval = ask(client, confirm)
    url = f"/approvals/{approval.id}/withdraw/"
    assert confirm(boss, boss.post_form(url, {}, page="/").url).status_code == 403
    assert confirm(client, client.post_form(url, {}, page="/").url).status_code == 302
    assert waiting() == ()
    assert len(events(ruled, "approval.withdrawn")) == 1


def test_a_request_that_expired_is_not_approved(
    ruled: Portal, client: PortalClient, boss: PortalClient, confirm: Confirm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("certuary.services.approvals.LIFETIME", timedelta(0))
    approval = ask(client, confirm)
    assert "has expired" in text_of(boss.get(f"/approvals/{approval.id}/"))
    answer = approve(boss, approval, confirm)
    assert answer.status_code == 409
    assert "expired on" in text_of(answer)
    assert application(ruled) is None


def test_a_typed_password_waits_as_its_hash_and_is_the_one_that_works(
    ruled: Portal, client: PortalClient, boss: PortalClient, confirm: Confirm
) -> None:
    approval = ask(client, confirm, password_source="type", password="a typed password")
    assert "a typed password" not in str(approval.values)
    assert approve(boss, approval, confirm).status_code == 200
    found = application(ruled)
    assert found is not None
    assert ruled.deps.passwords.verify(str(found.values["password_hash"]), "a typed password")
    seal_page = boss.get(f"/seals/approval/{approval.id}/").content.decode()
    assert "argon2" not in seal_page


def test_the_switch_is_turned_on_by_one_and_off_by_two(
    portal: Portal, client: PortalClient, boss: PortalClient, confirm: Confirm
) -> None:
    turned_on = {"rule": "application", "enabled": "on"}
    answer = confirm(client, client.post_form("/switches/set/", turned_on, page="/switches/").url)
    assert answer.url == "/switches/"
    assert "Two persons" in text_of(client.get("/switches/"))
    turned_off = {"rule": "application", "enabled": "off"}
    answer = confirm(client, client.post_form("/switches/set/", turned_off, page="/switches/").url)
    approval = waiting()[0]
    assert answer.url == f"/approvals/{approval.id}/"
    ask(client, confirm)
    assert approve(client, approval, confirm).status_code == 403
    assert approve(boss, approval, confirm).status_code == 302
    confirm(client, client.post_form("/applications/new/", {**FORM, "name": "p", "username": "p"}).url)
    assert application(portal, "p") is not None


def test_the_rule_needs_two_ca_administrators(portal: Portal, client: PortalClient, confirm: Confirm) -> None:
    turned_on = {"rule": "application", "enabled": "on"}
    answer = confirm(client, client.post_form("/switches/set/", turned_on, page="/switches/").url)
    assert answer.status_code == 409
    assert "needs two enabled CA Administrators" in text_of(answer)


def test_one_of_the_last_two_ca_administrators_stays_while_the_rule_is_on(ruled: Portal) -> None:
    actor, deps = ruled.changes_as()
    with pytest.raises(Conflict, match="last two"):
        set_user_enabled(actor, BOSS, enabled=False, deps=deps)
    with pytest.raises(Conflict, match="last two"):
        change_user(actor, BOSS, role="auditor", groups=["GRP_001"], deps=deps)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE security_switches SET enabled = FALSE",
        "DELETE FROM security_switches",
        "UPDATE security_switches SET removed_at = '2026-01-01 00:00:00+00:00'",
        "UPDATE security_switches SET name = 'two-persons.group'",
        "UPDATE security_switches SET seal = ''",
        "DELETE FROM manifest_parts WHERE kind = 'switch'",
    ],
)
def test_a_switch_that_somebody_altered_by_sql_counts_as_on(
    statement: str, ruled: Portal, client: PortalClient, boss: PortalClient, confirm: Confirm
) -> None:
    ruled.execute(statement)
    actor, deps = ruled.changes_as()
    with pytest.raises((SecondPersonNeeded, InvalidSeal)):
        register(ruled, actor, deps)
    assert application(ruled) is None
    assert "switch" in text_of(boss.get("/seals/"))
    assert "cannot be believed" in text_of(client.get("/switches/"))


def test_the_service_refuses_whoever_comes_past_the_portal(ruled: Portal) -> None:
    actor, deps = ruled.changes_as()
    with pytest.raises(SecondPersonNeeded) as refusal:
        register(ruled, actor, deps)
    assert refusal.value.rule == "two-persons"
    assert json.loads(events(ruled, "change.refused")[-1].detail)["rule"] == "two-persons"


def register(portal: Portal, actor: Actor, deps: ChangeDeps) -> None:
    wanted = NewApplication(name="plant-7", username="plant-7", password=PASSWORD, grants=Grants())
    register_application(actor, wanted, portal.deps.passwords, deps)


def test_the_second_person_cannot_take_an_approval_for_another_change(
    ruled: Portal, client: PortalClient, confirm: Confirm, boss: PortalClient
) -> None:
    approval = ask(client, confirm)
    actor, deps = ruled.changes_as(BOSS)
    turn_on(ruled, "group")
    approved = replace(deps, approval=Approved(record=approval, digest=digest_of(approval)))
    with pytest.raises(Conflict, match="takes an approval about"):
        add_group(actor, "Other", approved)
    assert len(waiting()) == 1


def test_another_digest_is_not_what_was_signed_first(
    ruled: Portal, client: PortalClient, confirm: Confirm, boss: PortalClient
) -> None:
    approval = ask(client, confirm)
    actor, deps = ruled.changes_as(BOSS)
    with pytest.raises(Conflict) as refusal:
        register(ruled, actor, replace(deps, approval=Approved(record=approval, digest="0" * 64)))
    assert refusal.value.rule == "digest-differs"


KINDS_OF_CHANGE: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "group": ("/groups/new/", {"name": "Second plant"}),
    "profile": ("/labels/new/", {"name": "line-9", "profile": "tls-device"}),
    "user": ("/users/new/", {"name": "eve", "role": "auditor", "groups": "GRP_001"}),
}
OF_THEIR_OWN: Final = {"application", "revocation", "authority"}
"""What the tests around are about; no screen changes an authority, so that one is in `test_two_persons.py`."""


def test_no_kind_of_change_goes_untested() -> None:
    assert KINDS_OF_CHANGE.keys() | OF_THEIR_OWN == RULES.keys()


@pytest.mark.parametrize("rule", KINDS_OF_CHANGE)
def test_every_kind_of_change_can_take_two(
    rule: str,
    portal: Portal,
    client: PortalClient,
    boss: PortalClient,
    confirm: Confirm,
) -> None:
    turn_on(portal, rule)
    url, form = KINDS_OF_CHANGE[rule]
    answer = confirm(client, client.post_form(url, dict(form), page="").url)
    assert answer.url.startswith("/approvals/")
    approval = waiting()[0]
    assert approval.values["kind"] == rule
    done = approve(boss, approval, confirm)
    assert done.status_code in (200, 302), text_of(done)
    assert waiting() == ()


def test_a_revocation_can_take_two(
    portal: Portal, client: PortalClient, boss: PortalClient, sign_in: SignIn, confirm: Confirm
) -> None:
    confirm(client, client.post_form("/applications/new/", FORM).url)
    found = application(portal)
    assert found is not None
    serial = add_certificate(portal, found)["serial"]
    turn_on(portal, "revocation")
    officer = sign_in("officer", ("GRP_001",))
    form = {"reason": "superseded"}
    answer = confirm(officer, officer.post_form(f"/certificates/{serial}/revoke/", form).url)
    approval = waiting()[0]
    assert answer.url == f"/approvals/{approval.id}/"
    assert approval.values["least_role"] == "officer"
    assert events(portal, "certificate.revoked") == []
    assert approve(boss, approval, confirm).status_code == 302
    event = events(portal, "certificate.revoked")[0]
    assert (event.actor, json.loads(event.detail)["requested_by"]) == (BOSS, "officer-grp_001")


def test_ones_own_password_takes_one_person(portal: Portal, client: PortalClient, boss: PortalClient) -> None:
    turn_on(portal, "user")
    actor, deps = portal.changes_as()
    set_user_password(actor, "admin", "another password", portal.deps.passwords, deps)
    with pytest.raises(SecondPersonNeeded):
        set_user_password(actor, BOSS, "another password", portal.deps.passwords, portal.changes_as(BOSS)[1])


def test_the_navigation_counts_what_waits_for_the_viewer(
    ruled: Portal, client: PortalClient, boss: PortalClient, sign_in: SignIn, confirm: Confirm
) -> None:
    ask(client, confirm)
    assert "1 waiting for you" in text_of(boss.get("/"))
    assert "A change waits for a second person who may make it, such as you." in text_of(boss.get("/"))
    assert "waiting for you" not in text_of(client.get("/"))
    assert "waiting for you" not in text_of(sign_in("auditor", ("GRP_001",)).get("/"))


def test_an_administrator_does_not_decide_what_takes_a_ca_administrator(
    portal: Portal, client: PortalClient, boss: PortalClient, sign_in: SignIn, confirm: Confirm
) -> None:
    turn_on(portal, "profile")
    turned_off = {"rule": "profile", "enabled": "off"}
    confirm(client, client.post_form("/switches/set/", turned_off, page="/switches/").url)
    approval = waiting()[0]
    url = f"/approvals/{approval.id}/"
    administrator = sign_in("administrator", ("GRP_001",))
    assert "waiting for you" not in text_of(administrator.get("/"))
    assert "it waits for you" not in text_of(administrator.get(url))
    assert "Somebody who may" in text_of(administrator.get("/approvals/"))
    assert approve(administrator, approval, confirm).status_code == 403
    rejection = administrator.post_form(f"{url}reject/", {"reason": "mine alone"})
    assert confirm(administrator, rejection.url).status_code == 403
    assert len(waiting()) == 1
    assert "1 waiting for you" in text_of(boss.get("/"))
    assert approve(boss, approval, confirm).url == "/switches/"


def test_the_first_person_is_told_that_it_takes_two(
    ruled: Portal, client: PortalClient, confirm: Confirm
) -> None:
    page = client.get(client.post_form("/applications/new/", FORM).url)
    assert "This takes two persons." in text_of(page)
    page = client.get(client.post_form("/groups/new/", {"name": "x"}).url)
    assert "This takes two persons." not in text_of(page)


@pytest.mark.parametrize(
    ("statement", "action"),
    [
        ("UPDATE security_switches SET enabled = FALSE", "sign"),
        ("DELETE FROM security_switches", "forget"),
    ],
)
def test_that_a_broken_switch_takes_two_is_told_before_it_is_signed(
    statement: str, action: str, ruled: Portal, client: PortalClient, confirm: Confirm
) -> None:
    switch = ruled.stores.records.find("switch", name="two-persons.application")
    assert switch is not None
    ruled.execute(statement)
    url = client.post_form(f"/seals/switch/{switch.id}/{action}/", {}, page="/").url
    assert "This takes two persons." in text_of(client.get(url))
    assert confirm(client, url).url.startswith("/approvals/")


def queries_of(client: PortalClient, url: str, **form: str) -> list[str]:
    """What a page asks the database about approvals."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    page = client.get("/")
    with CaptureQueriesContext(connection) as queries:
        answer = client.post_form_from(page, url, form) if form else client.get(url)
    assert answer.status_code == 200
    return [query["sql"] for query in queries if 'FROM "approvals"' in query["sql"]]


def test_counting_what_waits_reads_no_more_than_it_needs(
    ruled: Portal, client: PortalClient, boss: PortalClient, sign_in: SignIn, confirm: Confirm
) -> None:
    ask(client, confirm)
    asked = queries_of(boss, "/profiles/")
    assert len(asked) == 1
    assert '"content"' not in asked[0]
    assert queries_of(sign_in("auditor", ("GRP_001",)), "/profiles/") == [], "decides nothing"
    fragment = "/applications/understand/networks/"
    assert queries_of(boss, fragment, networks="10.0.0.0/24") == [], "has no navigation"


def test_a_request_that_expired_is_counted_no_more(
    ruled: Portal, client: PortalClient, boss: PortalClient, confirm: Confirm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("certuary.services.approvals.LIFETIME", timedelta(0))
    ask(client, confirm)
    assert "waiting for you" not in text_of(boss.get("/"))


def gates_of(client: PortalClient, url: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many times a page reads the manifest."""
    opened, read = list[None](), RecordGate.open

    def counted(*arguments: Any) -> RecordGate:
        opened.append(None)
        return read(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(RecordGate, "open", counted)
        assert client.get(url).status_code == 200
    return len(opened)


def test_the_switches_are_judged_by_one_manifest_however_many_were_switched(
    ruled: Portal, client: PortalClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = gates_of(client, "/switches/", monkeypatch)
    turn_on(ruled, "group")
    turn_on(ruled, "profile")
    assert gates_of(client, "/switches/", monkeypatch) == before


def test_the_rules_are_read_for_an_empty_list_alone(
    ruled: Portal, client: PortalClient, confirm: Confirm, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = gates_of(client, "/approvals/", monkeypatch)
    assert "These take two persons: External applications" in text_of(client.get("/approvals/"))
    ask(client, confirm)
    assert gates_of(client, "/approvals/", monkeypatch) == empty - 1


def test_pages_stand_whatever_is_written_into_a_request(
    ruled: Portal, client: PortalClient, boss: PortalClient, confirm: Confirm
) -> None:
    approval = ask(client, confirm)
    for column in (
        "shown",
        "group_ids",
        "expires_at",
        "requester_id",
        "created_at",
        "content",
        "state",
        "kind",
    ):
        ruled.execute(f"UPDATE approvals SET {column} = '{{}}'")
        for url in ("/", "/approvals/", f"/approvals/{approval.id}/", "/seals/"):
            assert boss.get(url).status_code == 200, (column, url)
