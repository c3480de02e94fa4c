"""Binding an identity to a user: the form, and what it refuses."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from certuary.keystore.file import UnlockedKeys
from certuary.services.entitlement import OFFICER
from tests.people_ca import PeopleCa, unreadable
from tests.wire.portal.pages import ADMIN, Portal, PortalClient, text_of

PEOPLE = PeopleCa()
ODD = unreadable(PEOPLE.issue("olga").der)


@pytest.fixture
def form(portal_home: Path, portal_keys: UnlockedKeys, portal: Portal) -> str:
    """Where a client certificate is bound to an officer."""
    (portal_home / "people.pem").write_bytes(PEOPLE.pem)
    with (portal_home / "certuary.toml").open("a") as file:
        file.write(f'portal_client_ca_file = "{portal_home / "people.pem"}"\n')
    opened = Portal.open(portal_home, portal_keys)
    user = opened.stores.records.find("user", name=opened.user_of(OFFICER, ("GRP_001",)))
    assert user is not None
    return f"/users/{user.id}/identities/new/"


def test_a_certificate_is_shown_before_it_is_bound(form: str, visitor: PortalClient) -> None:
    visitor.sign_in(ADMIN)
    waiting = visitor.post_form(form, {"certificate": PEOPLE.issue("olga").pem.decode()})
    page = text_of(visitor.get(waiting["location"]))
    assert "CN=olga" in page
    assert "CN=Acme People" in page
    assert "It would open nothing now" not in page


@pytest.mark.parametrize("what", ODD)
def test_a_certificate_that_cannot_be_read_is_refused_in_the_form(
    form: str, visitor: PortalClient, what: str
) -> None:
    visitor.sign_in(ADMIN)
    page = visitor.post_form(form, {"certificate": ssl.DER_cert_to_PEM_cert(ODD[what])})
    assert page.status_code == 200
    assert "no certificate in PEM that can be read" in text_of(page)
