"""Manage Users & Roles, and groups: who sees whom, and what each may change."""

from __future__ import annotations

import re

import pytest

from certuary.portal.models import PortalUser
from certuary.services.entitlement import ADMINISTRATOR, AUDITOR, CA_ADMINISTRATOR, OFFICER
from certuary.services.manage_user import NewUser, add_user
from tests.wire.portal.pages import (
    ADMIN,
    PASSWORD,
    Confirm,
    Page,
    Portal,
    PortalClient,
    SignIn,
    text_of,
)

ALL_ROLES = (CA_ADMINISTRATOR, ADMINISTRATOR, OFFICER, AUDITOR)


def number_of(name: str) -> int:
    return int(PortalUser.objects.get(name=name).pk)


def record_of(name: str) -> PortalUser:
    return PortalUser.objects.get(name=name)


def second_ca_administrator(portal: Portal) -> PortalClient:
    actor, deps = portal.changes_as()
    new = NewUser(name="root-two", role=CA_ADMINISTRATOR, groups=(), password=PASSWORD)
    add_user(actor, new, portal.deps.passwords, deps)
    client = PortalClient()
    client.sign_in("root-two")
    return client


def press(client: PortalClient, url: str, page: str) -> Page:
    return client.post_form(url, {}, page=page)


@pytest.mark.parametrize("role", ALL_ROLES)
@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/users/", (CA_ADMINISTRATOR, ADMINISTRATOR, AUDITOR)),
        ("/users/new/", (CA_ADMINISTRATOR, ADMINISTRATOR)),
        ("/groups/", ALL_ROLES),
        ("/groups/1/", ALL_ROLES),
        ("/groups/1/edit/", (CA_ADMINISTRATOR, ADMINISTRATOR)),
        ("/groups/new/", (CA_ADMINISTRATOR,)),
        ("/account/", ALL_ROLES),
        ("/account/password/", ALL_ROLES),
        ("/account/2fa/totp/", ALL_ROLES),
        ("/account/2fa/passkeys/new/", ALL_ROLES),
    ],
)
def test_each_role_opens_only_its_pages(
    sign_in: SignIn, role: str, path: str, allowed: tuple[str, ...]
) -> None:
    assert sign_in(role).get(path).status_code == (200 if role in allowed else 403)


@pytest.mark.parametrize("path", ["edit/", "compromised/"])
@pytest.mark.parametrize("role", [OFFICER, AUDITOR])
def test_who_changes_nobody_opens_no_form(sign_in: SignIn, role: str, path: str) -> None:
    client = sign_in(role)
    assert client.get(f"/users/{number_of('officer-grp_001')}/{path}").status_code == 403


@pytest.mark.parametrize("page", ["/users/{}/", "/users/{}/edit/"])
def test_a_user_of_another_group_is_not_found(sign_in: SignIn, portal: Portal, page: str) -> None:
    client = sign_in(ADMINISTRATOR, ("GRP_001",))
    portal.user_of(OFFICER, ("GRP_002",))
    stranger, own = number_of("officer-grp_002"), number_of("officer-grp_001")
    assert client.get(page.format(stranger)).status_code == 404
    assert client.get(page.format(own)).status_code == 200
    assert client.get(page.format(999999)).status_code == 404


def test_the_list_shows_the_users_of_ones_groups_alone(sign_in: SignIn) -> None:
    page = text_of(sign_in(AUDITOR, ("GRP_001",)).get("/users/"))
    assert "officer-grp_001" in page
    assert "officer-grp_002" not in page
    everybody = text_of(sign_in().get("/users/"))
    assert "officer-grp_001" in everybody
    assert "officer-grp_002" in everybody


def test_a_group_of_others_is_not_found(sign_in: SignIn) -> None:
    client = sign_in(ADMINISTRATOR, ("GRP_001",))
    assert client.get("/groups/2/").status_code == 404
    assert client.get("/groups/2/edit/").status_code == 404
    assert "GRP_002" not in text_of(client.get("/groups/"))


def test_filters_stand_in_the_address_and_narrow_the_list(client: PortalClient) -> None:
    page = text_of(client.get("/users/?role=officer&q=grp_002"))
    assert "officer-grp_002" in page
    assert "officer-grp_001" not in page
    assert "No user fits" in text_of(client.get("/users/?q=nobody-is-called-so"))


def test_a_new_user_gets_a_password_that_is_shown_once(client: PortalClient, confirm: Confirm) -> None:
    answer = client.post_form("/users/new/", {"name": "olga", "role": OFFICER, "groups": ["GRP_001"]})
    assert answer.status_code == 302, text_of(answer)
    done = confirm(client, answer["location"])
    match = re.search(r"[a-z2-9]{5}(-[a-z2-9]{5}){4}", done.content.decode())
    assert match is not None
    olga = PortalClient()
    olga.sign_in("olga", match[0])
    assert "Your password was made up for you" in text_of(olga.get("/account/")), "somebody else has seen it"
    assert match[0] not in text_of(client.get(f"/users/{number_of('olga')}/"))
    assert client.get(answer["location"]).status_code == 404, "a confirmation is used once"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"name": "", "role": OFFICER, "groups": ["GRP_001"]}, "This field is required"),
        ({"name": "a/b", "role": OFFICER, "groups": ["GRP_001"]}, "cannot name a user"),
        ({"name": "<script>alert(1)</script>", "role": OFFICER, "groups": ["GRP_001"]}, "cannot name a user"),
        ({"name": "olga", "role": OFFICER}, "at least one group"),
        ({"name": "olga", "role": "emperor", "groups": ["GRP_001"]}, "Select a valid choice"),
        ({"name": "olga", "role": OFFICER, "groups": ["GRP_999"]}, "Select a valid choice"),
        ({"name": ADMIN, "role": OFFICER, "groups": ["GRP_001"]}, "There is a user of this name already"),
    ],
)
def test_a_user_that_cannot_be_is_refused_at_the_form(
    client: PortalClient, values: dict[str, object], said: str
) -> None:
    assert said in text_of(client.post_form("/users/new/", values))


def test_an_administrator_gives_no_role_above_its_own_and_no_group_of_others(sign_in: SignIn) -> None:
    client = sign_in(ADMINISTRATOR, ("GRP_001",))
    for values in (
        {"name": "olga", "role": ADMINISTRATOR, "groups": ["GRP_001"]},
        {"name": "olga", "role": CA_ADMINISTRATOR},
        {"name": "olga", "role": OFFICER, "groups": ["GRP_002"]},
    ):
        assert "Select a valid choice" in text_of(client.post_form("/users/new/", values))


def test_the_service_refuses_what_a_form_that_was_tampered_with_lets_through(
    sign_in: SignIn, confirm: Confirm, portal: Portal
) -> None:
    from django.test import RequestFactory

    from certuary.portal.signing import propose

    client = sign_in(ADMINISTRATOR, ("GRP_001",))
    request = RequestFactory().get("/")
    request.user = record_of(client.username)
    content = {"id": number_of(client.username), "role": CA_ADMINISTRATOR, "groups": []}
    refused = confirm(client, propose(request, "user-change", content))
    assert refused.status_code == 409
    assert record_of(client.username).role == ADMINISTRATOR

    officer = {"id": number_of("officer-grp_001"), "role": CA_ADMINISTRATOR, "groups": []}
    assert confirm(client, propose(request, "user-change", officer)).status_code == 403
    assert record_of("officer-grp_001").role == OFFICER
    assert "change.refused" in portal.audit_kinds()


def test_nobody_changes_disables_or_resets_themselves(client: PortalClient) -> None:
    me = number_of(ADMIN)
    assert client.get(f"/users/{me}/edit/").status_code == 409
    assert client.get(f"/users/{me}/compromised/").status_code == 409
    for act in ("disable", "password", "second-factors"):
        assert press(client, f"/users/{me}/{act}/", "/account/").status_code == 409


def test_the_last_ca_administrator_is_neither_disabled_nor_demoted(
    client: PortalClient, confirm: Confirm, portal: Portal
) -> None:
    other = second_ca_administrator(portal)
    me, them = number_of(ADMIN), number_of("root-two")
    answer = press(client, f"/users/{them}/disable/", f"/users/{them}/")
    assert confirm(client, answer["location"]).status_code == 302
    assert record_of("root-two").enabled is False
    assert other.get("/account/").status_code == 302, "who is disabled is out at once"

    answer = press(client, f"/users/{them}/enable/", f"/users/{them}/")
    confirm(client, answer["location"])
    other.sign_in("root-two")
    demote = other.post_form(f"/users/{me}/edit/", {"role": OFFICER, "groups": ["GRP_001"]})
    assert confirm(other, demote["location"]).status_code == 302
    assert record_of(ADMIN).role == OFFICER


def test_a_role_and_groups_are_changed_and_shown_old_beside_new(
    client: PortalClient, confirm: Confirm
) -> None:
    number = number_of("officer-grp_001")
    answer = client.post_form(f"/users/{number}/edit/", {"role": AUDITOR, "groups": ["GRP_001", "GRP_002"]})
    shown = text_of(client.get(answer["location"]))
    assert "was Officer becomes Auditor" in shown
    assert confirm(client, answer["location"]).status_code == 302
    changed = record_of("officer-grp_001")
    assert (changed.role, changed.group_ids) == (AUDITOR, [1, 2])


def test_a_change_of_nothing_is_not_signed(client: PortalClient) -> None:
    number = number_of("officer-grp_001")
    answer = client.post_form(f"/users/{number}/edit/", {"role": OFFICER, "groups": ["GRP_001"]})
    assert "nothing is changed" in text_of(client.get(answer["location"]))


def test_edit_leads_back_with_everything_kept(client: PortalClient) -> None:
    answer = client.post_form("/users/new/", {"name": "olga", "role": OFFICER, "groups": ["GRP_002"]})
    token = answer["location"].split("/")[2]
    page = client.get(f"/users/new/?token={token}").content.decode()
    assert 'value="olga"' in page
    assert re.search(r'value="GRP_002"[^>]*checked', page)


def test_a_forgotten_password_is_reset_by_another(sign_in: SignIn, confirm: Confirm) -> None:
    officer, admin = sign_in(OFFICER), sign_in()
    number = number_of(officer.username)
    answer = press(admin, f"/users/{number}/password/", f"/users/{number}/")
    done = confirm(admin, answer["location"])
    match = re.search(r"[a-z2-9]{5}(-[a-z2-9]{5}){4}", done.content.decode())
    assert match is not None
    assert officer.get("/account/").status_code == 302, "sessions end with the password"
    officer.sign_in(officer.username, match[0])
    assert "Your password was made up for you" in text_of(officer.get("/account/"))
    new = "a wholly different sentence"
    officer.post_form("/account/password/", {"old": match[0], "new": new, "again": new})
    assert "Your password was made up for you" not in text_of(officer.get("/account/"))


def test_a_compromised_key_lets_nobody_in_and_lists_what_it_signed(
    client: PortalClient, confirm: Confirm, portal: Portal
) -> None:
    other = second_ca_administrator(portal)
    confirm(other, other.post_form("/groups/new/", {"name": "Signed by two"})["location"])
    number = number_of("root-two")
    assert "GRP_003" in text_of(client.get(f"/users/{number}/compromised/"))
    answer = client.post_form(f"/users/{number}/compromised/", {"since": "2020-01-01T00:00"})
    done = confirm(client, answer["location"])
    assert done.status_code == 302
    assert "group GRP_003" in text_of(client.get(done["location"]))
    browser = PortalClient()
    browser.sign_in("root-two")
    assert browser.get("/account/").status_code == 302
    assert "counts as compromised" in text_of(client.get(f"/users/{number}/"))


def test_a_group_is_renamed_and_keeps_its_code(client: PortalClient, confirm: Confirm) -> None:
    answer = client.post_form("/groups/2/edit/", {"name": "Plant north"})
    assert "was Plant becomes Plant north" in text_of(client.get(answer["location"]))
    confirm(client, answer["location"])
    page = text_of(client.get("/groups/2/"))
    assert "Plant north" in page
    assert "GRP_002" in page
    assert "changed: name" in page


def test_an_administrator_renames_its_own_group(sign_in: SignIn, confirm: Confirm) -> None:
    client = sign_in(ADMINISTRATOR, ("GRP_002",))
    answer = client.post_form("/groups/2/edit/", {"name": "Plant south"})
    assert confirm(client, answer["location"]).status_code == 302


def test_a_user_altered_by_sql_is_shown_broken(client: PortalClient, portal: Portal) -> None:
    portal.execute("UPDATE users SET role = 'ca-administrator' WHERE name = 'officer-grp_001'")
    page = text_of(client.get(f"/users/{number_of('officer-grp_001')}/"))
    assert "This record is not believed" in page
    listed = client.get("/users/")
    assert "Broken" in text_of(listed)
    assert f'href="/seals/user/{number_of("officer-grp_001")}/"' in listed.content.decode()


def test_whoever_sees_all_groups_sees_whose_rows_are_gone_and_where_to_settle_it(portal: Portal) -> None:
    auditor = PortalClient()
    auditor.sign_in(portal.user_of(AUDITOR, ()))
    user = number_of("officer-grp_002")
    portal.execute("DELETE FROM users WHERE id = %s", user)
    portal.execute("DELETE FROM groups WHERE id = 2")
    for page, address in (("/users/", f"/seals/user/{user}/"), ("/groups/", "/seals/group/2/")):
        assert f'href="{address}"' in auditor.get(page).content.decode(), page
        assert auditor.get(address).status_code == 200
        assert "New group" not in text_of(auditor.get(page))


def test_thousands_of_users_are_paged_by_name(client: PortalClient, portal: Portal) -> None:
    portal.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120) "
        "INSERT INTO users (revision, version, seal, created_at, name, role, group_ids, password_hash, enabled, "
        "signing_key, signing_certificate, authenticators, must_change_password) "
        "SELECT 1, 0, '', '2026-01-01', printf('zz-%04d', i), 'officer', '[1]', '', 1, '', '', '[]', 0 FROM n"
    )
    first = client.get("/users/?q=zz-")
    assert "zz-0050" in text_of(first)
    assert "zz-0051" not in text_of(first)
    second = text_of(client.get("/users/?q=zz-&after=zz-0050"))
    assert "zz-0051" in second
    assert "zz-0101" not in second
