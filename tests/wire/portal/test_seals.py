"""Seals in the portal: what is signed is shown, what differs is named, and both ways out are signed."""

from __future__ import annotations

import pytest

from certuary.services.entitlement import ADMINISTRATOR, AUDITOR, OFFICER
from tests.wire.portal.pages import Confirm, Portal, PortalClient, SignIn, text_of

PAGE = "/seals/application/1/"


@pytest.fixture
def altered(portal: Portal) -> None:
    portal.execute("UPDATE applications SET networks = %s WHERE id = 1", '["0.0.0.0/0"]')


def test_a_seal_that_holds_shows_what_is_signed_and_no_secret(portal: Portal, client: PortalClient) -> None:
    from certuary.store.models import Application

    page = text_of(client.get(PAGE))
    assert "This seal holds" in page
    assert "127.0.0.0/8" in page
    assert "sha256:" in page
    assert Application.objects.get(id=1).password_hash not in page
    assert "Sign as it stands" not in page
    assert "Every seal holds" in text_of(client.get("/seals/"))


@pytest.mark.usefixtures("altered")
def test_a_broken_seal_names_the_column_that_differs_and_is_listed(client: PortalClient) -> None:
    page = text_of(client.get(PAGE))
    assert "This seal does not hold" in page
    assert "networks" in page
    assert 'class="is-broken"><th scope="row">networks' in client.get(PAGE).content.decode()
    listed = client.get("/seals/").content.decode()
    assert PAGE in listed


@pytest.mark.usefixtures("altered")
def test_a_ca_administrator_signs_a_record_as_it_stands(
    portal: Portal, client: PortalClient, confirm: Confirm
) -> None:
    proposed = client.post_form_at(PAGE + "sign/", PAGE, {})
    assert "0.0.0.0/0" in text_of(client.get(proposed.url))
    assert confirm(client, proposed.url).url == PAGE
    assert "This seal holds" in text_of(client.get(PAGE))
    assert "application.adopted" in portal.audit_kinds()


@pytest.mark.usefixtures("altered")
def test_what_was_altered_again_before_the_signature_is_not_signed(
    portal: Portal, client: PortalClient
) -> None:
    from tests.wire.portal.pages import PASSWORD, field_of

    proposed = client.post_form_at(PAGE + "sign/", PAGE, {})
    shown = client.get(proposed.url)
    portal.execute("UPDATE applications SET username = 'mallory' WHERE id = 1")
    values = {"digest": field_of(shown, "digest"), "username": "admin", "password": PASSWORD}
    assert client.post_form_from(shown, proposed.url, values).status_code == 409
    assert "application.adopted" not in portal.audit_kinds()


def test_a_row_put_back_is_believed_again_by_itself(portal: Portal, client: PortalClient) -> None:
    portal.execute("UPDATE applications SET enabled = %s WHERE id = 1", 0)
    assert "does not hold" in text_of(client.get(PAGE))
    portal.execute("UPDATE applications SET enabled = %s WHERE id = 1", 1)
    assert "This seal holds" in text_of(client.get(PAGE))


def test_a_missing_row_is_listed_and_can_be_forgotten(
    portal: Portal, client: PortalClient, confirm: Confirm
) -> None:
    portal.execute("DELETE FROM applications WHERE id = 1")
    assert PAGE in client.get("/seals/").content.decode()
    assert "is gone" in text_of(client.get(PAGE))
    proposed = client.post_form_at(PAGE + "forget/", PAGE, {})
    assert confirm(client, proposed.url).url == "/seals/"
    assert "Every seal holds" in text_of(client.get("/seals/"))
    assert client.get(PAGE).status_code == 404


@pytest.mark.usefixtures("altered")
@pytest.mark.parametrize("role", [ADMINISTRATOR, OFFICER, AUDITOR])
def test_nobody_else_signs_one(role: str, sign_in: SignIn) -> None:
    client = sign_in(role, ("GRP_001",))
    page = client.get(PAGE)
    assert "a CA Administrator looks at each value" in text_of(page)
    assert client.post_form_from(client.get("/"), PAGE + "sign/", {}).status_code == 403
    assert sign_in(role, ("GRP_002",)).get(PAGE).status_code == 404


def test_a_manifest_that_cannot_be_believed_is_said_so(portal: Portal, client: PortalClient) -> None:
    assert client.get(PAGE).status_code == 200
    portal.execute("UPDATE manifest SET body = '{}'")
    answer = client.get(PAGE)
    assert answer.status_code in (302, 409)
