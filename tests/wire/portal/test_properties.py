"""Properties in the portal: what the known keys take, who changed them, and whether EST is enabled."""

from __future__ import annotations

from certuary.services.entitlement import ADMINISTRATOR, OFFICER
from tests.wire.portal.pages import Confirm, Portal, PortalClient, SignIn, text_of

SET = "/properties/set/"
PROFILE, GROUP = "est.ca.server.user.profile", "est.ca.server.group.id"


def test_the_page_says_that_est_is_enabled_and_else_which_key_is_missing(
    portal: Portal, client: PortalClient
) -> None:
    assert "EST is enabled" in text_of(client.get("/properties/"))
    portal.execute("DELETE FROM api_properties WHERE property_key = %s", GROUP)
    assert f"Property {GROUP} is missing or not Active" in text_of(client.get("/properties/"))


def test_a_profile_that_is_not_a_default_one_is_refused_with_the_reason(client: PortalClient) -> None:
    page = client.post_form(SET, {"key": PROFILE, "value": "tls-client", "status": "Active"})
    assert "does not say est_default = true" in text_of(page)


def test_a_group_that_is_not_there_is_refused_with_the_nearest(client: PortalClient) -> None:
    page = client.post_form(SET, {"key": GROUP, "value": "GRP_003", "status": "Active"})
    assert "did you mean 'GRP_00" in text_of(page)


def test_a_property_is_set_after_it_was_shown_old_beside_new(
    portal: Portal, sign_in: SignIn, confirm: Confirm
) -> None:
    administrator = sign_in(ADMINISTRATOR, ("GRP_001",))
    answer = administrator.post_form(SET, {"key": GROUP, "value": "GRP_002", "status": "Active"})
    page = administrator.get(answer["Location"])
    assert "was GRP_001 becomes GRP_002" in text_of(page)
    assert confirm(administrator, answer["Location"]).status_code == 302
    found = portal.deps.records.find("property", property_key=GROUP)
    assert found is not None
    assert found.values["property_value"] == "GRP_002"


def test_a_property_changed_by_sql_in_between_is_not_overwritten_unseen(
    portal: Portal, client: PortalClient
) -> None:
    answer = client.post_form(SET, {"key": GROUP, "value": "GRP_002", "status": "Active"})
    url = answer["Location"]
    page = client.get(url)
    portal.execute("UPDATE api_properties SET property_value = '1' WHERE property_key = %s", GROUP)
    from tests.wire.portal.pages import PASSWORD, field_of

    signed = {"digest": field_of(page, "digest"), "username": "admin", "password": PASSWORD}
    assert client.post_form_from(page, url, signed).status_code == 409


def test_a_property_is_unset(portal: Portal, client: PortalClient, confirm: Confirm) -> None:
    answer = client.post_form_at("/properties/unset/", f"{SET}?key={GROUP}", {"key": GROUP})
    assert confirm(client, answer["Location"]).status_code == 302
    assert portal.deps.records.find("property", property_key=GROUP) is None


def test_an_officer_reads_properties_and_sets_none(sign_in: SignIn) -> None:
    officer = sign_in(OFFICER, ("GRP_001",))
    assert officer.get("/properties/").status_code == 200
    assert officer.get(SET).status_code == 403


def test_what_plain_sql_wrote_is_shown_as_text_with_who_wrote_it(
    portal: Portal, client: PortalClient
) -> None:
    from certuary.services.audit_property_changes import audit_property_changes

    hostile = "<script>alert(1)</script>'; --"
    portal.execute("INSERT INTO api_properties (property_key, property_value) VALUES ('x', %s)", hostile)
    audit_property_changes(portal.stores.property_changes, portal.deps.clock)
    page = client.get("/properties/")
    assert "<script>alert" not in page.content.decode()
    assert "direct SQL" in text_of(page)
    assert "''; --'" in text_of(page)
