"""Sign and Save: what is shown is what is signed, once, by whoever is signed in."""

from __future__ import annotations

import re

from certuary.portal.guesses import MOST
from certuary.services.manage_group import add_group, rename_group
from tests.wire.portal.pages import Confirm, Page, Portal, PortalClient, field_of, text_of


def test_a_group_is_added_by_its_signature(client: PortalClient, portal: Portal, confirm: Confirm) -> None:
    proposed = client.post_form("/groups/new/", {"name": "Works"})
    assert portal.stores.records.find("group", name="Works") is None

    done = confirm(client, proposed.url)

    assert done.url == "/groups/"
    assert "Works" in text_of(client.get("/groups/"))
    assert portal.audit_kinds()[-1] == "group.added"


def test_after_a_refusal_the_form_can_be_edited_and_signed_again_and_each_step_once(
    client: PortalClient, portal: Portal, confirm: Confirm
) -> None:
    proposed = client.post_form("/groups/new/", {"name": "Works"})
    actor, deps = portal.changes_as()
    code = str(add_group(actor, "Works", deps).values["code"])

    refused = confirm(client, proposed.url)

    assert refused.status_code == 409
    assert "Nothing was signed" in text_of(refused)
    edited = re.search(r'href="(/groups/new/[^"]+)"', refused.content.decode())
    assert edited is not None
    assert field_of(client.get(edited[1]), "name") == "Works"
    actor, deps = portal.changes_as()
    rename_group(actor, code, "Other works", deps)
    assert client.get(proposed.url).status_code == 404
    url = action_of(refused)
    assert url != proposed.url
    assert confirm(client, url).url == "/groups/"
    assert client.get(url).status_code == 404
    assert portal.stores.records.find("group", name="Works") is not None


def test_too_many_wrong_passwords_are_answered_with_the_time_to_wait(
    client: PortalClient, confirm: Confirm
) -> None:
    url = client.post_form("/groups/new/", {"name": "Works"}).url
    for _ in range(MOST):
        confirm(client, url, password="wrong")
    answer = confirm(client, url)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "300")


def action_of(page: Page) -> str:
    """Where the form of Verify and Confirm is sent."""
    found = re.search(r'<form method="post" action="(/confirm/[^"]+)"', page.content.decode())
    assert found is not None, text_of(page)
    return found[1]
