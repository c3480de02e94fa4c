"""External applications in the portal: registered, edited, stopped; what is shown is what is signed."""

from __future__ import annotations

import re
from typing import Any

import pytest

from certuary.services.entitlement import ADMINISTRATOR, AUDITOR
from certuary.services.manage_group import add_label
from certuary.services.ports import Record
from certuary.services.register_application import Grants, NewApplication, register_application
from tests.wire.portal.pages import PASSWORD, Confirm, Page, Portal, PortalClient, SignIn, field_of, text_of

TYPED = "a typed secret <of> an application"
FORM: dict[str, Any] = {
    "name": "line-1",
    "username": "line-1",
    "password_source": "generate",
    "password": "",
    "networks": "10.0.0.0/24\n2001:db8::7",
    "group": "GRP_001",
    "profiles": ["tls-device"],
    "subject_rule": "CN=dev-*; dns=.plant.example",
    "expires": "90d",
}
NEW = "/applications/new/"


def propose(client: PortalClient, url: str = NEW, **changes: Any) -> str:
    """Fill in the form; gives the URL of Verify and Confirm."""
    answer = client.post_form(url, {**FORM, **changes})
    assert answer.status_code == 302, text_of(answer)
    return str(answer["Location"])


def find(portal: Portal, name: str = "line-1") -> Record:
    record = portal.deps.records.find("application", name=name)
    assert record is not None
    return record


def register(portal: Portal, name: str = "line-1", *, group: str = "GRP_001", username: str = "") -> Record:
    actor, deps = portal.changes_as()
    new = NewApplication(
        name=name,
        username=username or name,
        password=PASSWORD,
        grants=Grants(group=group, networks=("10.0.0.0/8",)),
    )
    return register_application(actor, new, portal.deps.passwords, deps).record


def generated_password(page: Page) -> str:
    found = re.search(r'id="secret-1">([^<]+)<', page.content.decode())
    assert found, text_of(page)
    return found[1]


def every_text(portal: Portal) -> str:
    """All that the database holds, as text."""
    from django.db import connection

    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        found = []
        for table in tables:
            cursor.execute(f'SELECT * FROM "{table}"')
            found += [repr(row) for row in cursor.fetchall()]
    return "\n".join(found)


def test_an_application_is_registered_as_it_was_shown(
    portal: Portal, client: PortalClient, confirm: Confirm
) -> None:
    url = propose(client)
    shown = text_of(client.get(url))
    for said in (
        "10.0.0.0/24, 2001:db8::7/128",
        "10.0.0.0/24: 256 addresses",
        "any name ending .plant.example",
    ):
        assert said in shown
    done = confirm(client, url)
    password = generated_password(done)
    values = find(portal).values
    assert values["networks"] == ["10.0.0.0/24", "2001:db8::7/128"]
    assert values["subject_rule"] == "CN=dev-*; dns=.plant.example"
    assert portal.deps.passwords.verify(str(values["password_hash"]), password)


def test_a_generated_password_is_shown_once(portal: Portal, client: PortalClient, confirm: Confirm) -> None:
    done = confirm(client, propose(client))
    password = generated_password(done)
    page = client.get(f"/applications/{find(portal).id}/")
    assert password not in page.content.decode()
    assert password not in every_text(portal)


def test_the_page_after_a_signature_has_lines_that_keep_the_password_out_of_the_process_list(
    client: PortalClient, confirm: Confirm
) -> None:
    done = confirm(client, propose(client))
    shown, password = text_of(done), generated_password(done)
    assert "--netrc-file line-1.netrc" in shown
    assert "-----BEGIN CERTIFICATE-----" in shown
    assert "/CN=dev-1" in shown
    assert shown.count(password) == 1


def test_a_typed_password_is_neither_in_the_database_nor_on_a_page(
    portal: Portal, client: PortalClient, confirm: Confirm
) -> None:
    url = propose(client, password_source="type", password=TYPED)
    assert TYPED not in every_text(portal)
    page = client.get(url)
    assert "typed, kept as its hash" in text_of(page)
    assert TYPED not in text_of(page)
    confirm(client, url)
    assert portal.deps.passwords.verify(str(find(portal).values["password_hash"]), TYPED)


def test_a_typed_password_outlives_a_mistake_elsewhere_without_being_shown(
    portal: Portal, client: PortalClient, confirm: Confirm
) -> None:
    wrong = client.post_form(
        NEW, {**FORM, "password_source": "type", "password": TYPED, "networks": "10.0.0.5/24"}
    )
    assert wrong.status_code == 200
    assert "the block is 10.0.0.0/24" in text_of(wrong)
    assert TYPED not in text_of(wrong)
    assert TYPED not in every_text(portal)
    mended = client.post_form_from(wrong, NEW, {**FORM, "password_source": "keep"})
    confirm(client, mended["Location"])
    assert portal.deps.passwords.verify(str(find(portal).values["password_hash"]), TYPED)


def test_edit_leads_back_with_everything_kept(portal: Portal, client: PortalClient, confirm: Confirm) -> None:
    url = propose(client, password_source="type", password=TYPED)
    found = re.search(r'href="(/applications/new/\?token=[^"#]+)#grants"', client.get(url).content.decode())
    assert found
    form = client.get(found[1])
    for kept in (
        'value="line-1"',
        "10.0.0.0/24",
        "CN=dev-*; dns=.plant.example",
        'value="90d"',
        'value="keep"',
    ):
        assert kept in form.content.decode()
    again = client.post_form_from(
        form, found[1], {**FORM, "password_source": "keep", "networks": "10.0.1.0/24"}
    )
    confirm(client, again["Location"])
    values = find(portal).values
    assert values["networks"] == ["10.0.1.0/24"]
    assert portal.deps.passwords.verify(str(values["password_hash"]), TYPED)


def test_check_tells_what_was_understood_without_a_script(client: PortalClient) -> None:
    page = client.post_form(NEW, {**FORM, "networks": "10.0.0.0/24\nnonsense", "check": "1"})
    assert "10.0.0.0/24: 256 addresses" in text_of(page)
    assert "nonsense: not an address" in text_of(page)


def test_what_was_understood_comes_alone_for_a_script(client: PortalClient) -> None:
    answer = client.post_form_at("/applications/understand/networks/", NEW, {"networks": "10.0.0.0/24"})
    assert text_of(answer) == "10.0.0.0/24: 256 addresses"
    assert b"<html" not in answer.content


def test_any_address_any_name_and_no_expiry_are_warned_about(client: PortalClient) -> None:
    url = propose(client, networks="", subject_rule="", expires="")
    shown = text_of(client.get(url))
    for warning in ("Any address", "Any name", "No expiry"):
        assert warning in shown


def test_an_application_that_could_enrol_nowhere_is_warned_about(client: PortalClient) -> None:
    """Its profile is neither the default one nor a label's."""
    shown = text_of(client.get(propose(client, profiles=["tls-server"])))
    assert "It can enrol nowhere" in shown
    assert "It can enrol nowhere" not in text_of(client.get(propose(client, profiles=["tls-device"])))


def test_a_pending_change_that_was_altered_in_the_database_is_gone(
    portal: Portal, client: PortalClient, confirm: Confirm
) -> None:
    url = propose(client)
    portal.execute("UPDATE portal_pending_changes SET content = replace(content, '10.0.0.0/24', '0.0.0.0/0')")
    assert client.get(url).status_code == 404
    assert portal.deps.records.find("application", name="line-1") is None


def test_an_edit_shows_only_what_changes_and_signs_it(
    portal: Portal, client: PortalClient, confirm: Confirm
) -> None:
    record = register(portal)
    url = propose(
        client,
        f"/applications/{record.id}/edit/",
        networks="10.1.0.0/16",
        profiles=[],
        subject_rule="",
        expires="",
    )
    page = client.get(url)
    assert "<del>" in page.content.decode()
    assert "Group" not in text_of(page)
    assert confirm(client, url).status_code == 302
    assert find(portal).values["networks"] == ["10.1.0.0/16"]
    assert find(portal).version == 2


def test_name_and_username_are_edited_with_a_warning_and_the_history_goes_on(
    portal: Portal, client: PortalClient, confirm: Confirm
) -> None:
    record = register(portal)
    register(portal, "taken")
    edit = f"/applications/{record.id}/edit/"
    for column in ("name", "username"):
        answer = client.post_form(edit, {**FORM, column: "taken"})
        assert f"There is an application with this {column} already" in text_of(answer)
    url = propose(client, edit, name="line-2", username="line-2-user")
    shown = text_of(client.get(url))
    assert "was line-1 becomes line-2" in shown
    assert "Its clients must use the new username" in shown
    assert confirm(client, url).status_code == 302
    assert find(portal, "line-2").id == record.id
    assert find(portal, "line-2").values["username"] == "line-2-user"
    history = text_of(client.get(f"/applications/{record.id}/"))
    assert "renamed" in history
    assert "What came before" in history
    again = client.post_form(edit, {**FORM, "name": "line-1", "username": "line-2-user"})
    assert "An application had this name before" in text_of(again)


def test_a_record_changed_after_it_was_shown_is_not_signed(portal: Portal, client: PortalClient) -> None:
    record = register(portal)
    url = propose(client, f"/applications/{record.id}/edit/", networks="10.1.0.0/16")
    page = client.get(url)
    actor, deps = portal.changes_as()
    from certuary.services.register_application import set_application_enabled

    set_application_enabled(actor, "line-1", enabled=False, deps=deps)
    signed = {"digest": field_of(page, "digest"), "username": client.username, "password": PASSWORD}
    answer = client.post_form_from(page, url, signed)
    assert answer.status_code == 409
    assert find(portal).values["networks"] == ["10.0.0.0/8"]


@pytest.mark.parametrize(
    ("action", "column", "value"), [("disable", "enabled", False), ("delete", None, None)]
)
def test_an_action_is_signed(
    portal: Portal, client: PortalClient, confirm: Confirm, action: str, column: str | None, value: object
) -> None:
    record = register(portal)
    page = f"/applications/{record.id}/"
    answer = client.post_form_at(f"{page}act/{action}/", page, {})
    assert confirm(client, answer["Location"]).status_code == 302
    if column is None:
        assert portal.deps.records.find("application", name="line-1") is None
    else:
        assert find(portal).values[column] == value


def test_a_rotated_password_replaces_the_old_one(
    portal: Portal, client: PortalClient, confirm: Confirm
) -> None:
    record = register(portal)
    answer = client.post_form(
        f"/applications/{record.id}/rotate/", {"password_source": "generate", "password": ""}
    )
    password = generated_password(confirm(client, answer["Location"]))
    stored = str(find(portal).values["password_hash"])
    assert portal.deps.passwords.verify(stored, password)
    assert not portal.deps.passwords.verify(stored, PASSWORD)


def test_an_application_of_another_group_is_not_found(portal: Portal, sign_in: SignIn) -> None:
    record = register(portal, group="GRP_002")
    administrator = sign_in(ADMINISTRATOR, ("GRP_001",))
    for path in ("", "edit/", "rotate/"):
        assert administrator.get(f"/applications/{record.id}/{path}").status_code == 404
    for action in ("disable", "enable", "delete"):
        url = f"/applications/{record.id}/act/{action}/"
        assert administrator.post_form_at(url, "/groups/", {}).status_code == 404
    assert "line-1" not in text_of(administrator.get("/applications/"))
    assert "line-1" not in text_of(administrator.get("/applications/?group=2"))


def test_an_administrator_offers_no_group_but_their_own(sign_in: SignIn) -> None:
    administrator = sign_in(ADMINISTRATOR, ("GRP_001",))
    assert "GRP_002" not in text_of(administrator.get(NEW))
    refused = administrator.post_form(NEW, {**FORM, "group": "GRP_002"})
    assert "Select a valid choice" in text_of(refused)


def test_an_auditor_reads_and_is_offered_nothing_to_press(portal: Portal, sign_in: SignIn) -> None:
    record = register(portal)
    auditor = sign_in(AUDITOR, ("GRP_001",))
    page = auditor.get(f"/applications/{record.id}/")
    assert page.status_code == 200
    assert "Rotate password" not in text_of(page)
    assert auditor.get(NEW).status_code == 403


def test_a_hostile_username_is_shown_as_text(portal: Portal, client: PortalClient, confirm: Confirm) -> None:
    hostile = '"><script>alert(1)</script>'
    url = propose(client, username=hostile)
    pages = [client.get(url), confirm(client, url)]
    pages += [client.get("/applications/"), client.get(f"/applications/{find(portal).id}/")]
    for page in pages:
        assert "<script>alert" not in page.content.decode()
        assert "alert(1)" in page.content.decode()


@pytest.mark.parametrize(
    ("group", "labels", "shown"),
    [
        ("GRP_001", (), ["est"]),
        ("GRP_001", ("line-9",), ["est/line-9"]),
        ("GRP_002", ("line-9",), ["est/line-9"]),
        ("GRP_002", (), []),
    ],
)
def test_the_page_shows_the_addresses_where_the_application_can_enrol(
    group: str, labels: tuple[str, ...], shown: list[str], portal: Portal, client: PortalClient
) -> None:
    actor, deps = portal.changes_as()
    add_label(actor, "line-9", "tls-device", deps)
    grants = Grants(group=group, labels=labels)
    new = NewApplication(name="line-1", username="line-1", password=PASSWORD, grants=grants)
    record = register_application(actor, new, portal.deps.passwords, deps).record
    page = client.get(f"/applications/{record.id}/").content.decode()
    found = re.findall(r'<span class="mono">\S*/.well-known/(est[^<]*)</span>', page)
    assert found == shown
    assert ("EST address" in page) == bool(shown)


def test_what_an_application_has_already_in_another_order_is_no_change_to_sign(
    portal: Portal, client: PortalClient, confirm: Confirm
) -> None:
    actor, deps = portal.changes_as()
    profiles = ("tls-server", "tls-client")
    grants = Grants(profiles=profiles, networks=("10.1.0.0/16", "10.0.0.0/16"))
    new = NewApplication(name="line-1", username="line-1", password=PASSWORD, grants=grants)
    record = register_application(actor, new, portal.deps.passwords, deps).record
    form = {**FORM, "profiles": sorted(profiles), "subject_rule": "", "expires": ""}
    turned = {**form, "networks": "10.0.0.0/16\n10.1.0.0/16"}
    edit = f"/applications/{record.id}/edit/"
    assert "nothing differs" in text_of(client.get(propose(client, edit, **turned)))
    url = propose(client, edit, **{**form, "networks": "10.0.0.0/16"})
    shown = text_of(client.get(url))
    assert "IP addresses and networks" in shown
    assert "For what" not in shown
    confirm(client, url)
    assert find(portal).values["profile_ids"] == record.values["profile_ids"]


def test_a_broken_seal_turns_the_page_red_and_says_what_to_do(portal: Portal, client: PortalClient) -> None:
    record = register(portal)
    portal.execute("UPDATE applications SET networks = '[]' WHERE name = 'line-1'")
    page = client.get(f"/applications/{record.id}/")
    shown = text_of(page)
    assert f'href="/seals/application/{record.id}/"' in page.content.decode()
    assert "networks: not what 'admin' signed" in shown
    assert "a CA Administrator looks at its seal and signs it as it stands" in shown
    assert "Edit" not in shown
    assert "Broken" in text_of(client.get("/applications/"))


def test_pages_go_by_name_forwards_and_back(portal: Portal, client: PortalClient) -> None:
    copies = (
        "name, username, password_hash, group_id, networks, profile_ids, labels, subject_rule,"
        " enabled, expires_at, created_at"
    )
    register(portal)
    for number in range(120):
        portal.execute(
            f"INSERT INTO applications (revision, version, seal, {copies})"
            f" SELECT revision, 0, '', 'app-{number:03}', 'app-{number:03}',"
            f" {copies.removeprefix('name, username, ')} FROM applications WHERE name = 'line-1'"
        )
    first = client.get("/applications/")
    following = re.search(r'href="([^"]*after=[^"]*)"', first.content.decode())
    assert following
    assert "app-049" in text_of(first)
    assert "app-050" not in text_of(first)
    second = client.get(following[1].replace("&amp;", "&"))
    assert "app-050" in text_of(second)
    back = re.search(r'href="([^"]*before=[^"]*)"', second.content.decode())
    assert back
    assert "app-000" in text_of(client.get(back[1].replace("&amp;", "&")))


def test_filters_stand_in_the_url_as_chips(portal: Portal, client: PortalClient) -> None:
    register(portal)
    page = client.get("/applications/?q=LINE&status=enabled")
    assert "line-1" in text_of(page)
    assert "quickstart" not in text_of(page)
    assert "Status: Enabled" in text_of(page)
    assert 'href="/applications/?status=enabled"' in page.content.decode()
    assert "Nothing fits these filters" in text_of(client.get("/applications/?q=line&status=disabled"))


def test_the_history_tells_who_changed_what(portal: Portal, client: PortalClient, confirm: Confirm) -> None:
    record = register(portal)
    confirm(client, propose(client, f"/applications/{record.id}/edit/", networks="10.1.0.0/16"))
    shown = text_of(client.get(f"/applications/{record.id}/"))
    assert "changed admin" in shown
    assert "was 10.0.0.0/8 became 10.1.0.0/16" in shown


def test_a_history_is_found_by_its_index(portal: Portal) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from certuary.store.audit import events_about

    with CaptureQueriesContext(connection) as queries:
        events_about(("application:quickstart",))
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {queries[0]['sql']}")
        assert "audit_events_about" in str(cursor.fetchall())


def test_an_application_whose_row_is_gone_is_listed_as_broken_for_who_sees_all_groups(
    portal: Portal, client: PortalClient, sign_in: SignIn
) -> None:
    from datetime import UTC, datetime

    from certuary.services.ports import Subject
    from certuary.services.trusted_feed import MISSING

    register(portal)
    portal.execute("DELETE FROM applications WHERE name = 'line-1'")
    with portal.stores.records.transaction() as transaction:
        transaction.put_problem(Subject("application", "line-1"), MISSING, datetime.now(UTC))
    assert f"Broken: {MISSING}" in text_of(client.get("/applications/"))
    assert "line-1" not in text_of(sign_in(AUDITOR, ("GRP_001",)).get("/applications/"))


def test_somebody_elses_pending_change_is_not_found(
    portal: Portal, client: PortalClient, sign_in: SignIn
) -> None:
    url = propose(client)
    assert sign_in(ADMINISTRATOR, ("GRP_001",)).get(url).status_code == 404


def test_a_change_is_signed_once(client: PortalClient, confirm: Confirm) -> None:
    url = propose(client)
    confirm(client, url)
    assert client.get(url).status_code == 404


def test_the_certificates_of_an_application_are_exported(portal: Portal, client: PortalClient) -> None:
    record = register(portal)
    assert client.get(f"/applications/{record.id}/?format=csv").content.startswith(b"serial,subject")
    assert client.get(f"/applications/{record.id}/?format=other").status_code == 200


def test_the_other_page_of_a_form_keeps_no_password_of_the_one_before(client: PortalClient) -> None:
    client.post_form(NEW, {**FORM, "password_source": "type", "password": TYPED, "networks": "x"})
    assert b'value="keep"' not in client.get(NEW).content
