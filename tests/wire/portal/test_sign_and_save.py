"""Sign and Save: what is shown is what is signed, once, by whoever is signed in."""

from __future__ import annotations

from tests.wire.portal.pages import Confirm, Portal, PortalClient, text_of


def test_a_group_is_added_by_its_signature(client: PortalClient, portal: Portal, confirm: Confirm) -> None:
    proposed = client.post_form("/groups/new/", {"name": "Works"})
    assert portal.stores.records.find("group", name="Works") is None

    done = confirm(client, proposed.url)

    assert done.url == "/groups/"
    assert "Works" in text_of(client.get("/groups/"))
    assert portal.audit_kinds()[-1] == "group.added"
