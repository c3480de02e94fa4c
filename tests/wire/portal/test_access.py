"""Who reaches which page: deny by default, roles, and groups; each test goes over the whole URL table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from certuary.portal.access import PUBLIC, RULES
from certuary.services.entitlement import ADMINISTRATOR, AUDITOR, CA_ADMINISTRATOR, OFFICER, ROLES
from tests.wire.portal.pages import Portal, PortalClient, SignIn, text_of
from tests.wire.portal.sites import FOREIGN_NAMES, Foreign, Site, make_foreign, names, sites

GROUPED_ROLES = (ADMINISTRATOR, OFFICER, AUDITOR)
TO_SIGN_IN = "/sign-in/"

behind_sign_in = pytest.mark.parametrize(
    "site", [site for site in sites() if RULES.get(site.name) is not PUBLIC], ids=lambda site: site.name
)
naming_an_object = pytest.mark.parametrize(
    "site",
    [site for site in sites() if site.names_an_object and RULES.get(site.name)],
    ids=lambda site: site.name,
)
by_grouped_role = pytest.mark.parametrize("role", GROUPED_ROLES)


def rule_allows(site: Site, role: str) -> bool:
    rule = RULES.get(site.name)
    return rule is not None and rule(role)


def test_every_page_of_ours_has_a_rule_and_every_rule_a_page() -> None:
    named = names()
    # What the libraries name besides ours has no rule, and so is served to nobody.
    foreign = ("account_", "mfa_", "openid_", "socialaccount_", "api-v1:api-root")
    ours = {name for name in named if not name.startswith(foreign)}
    assert ours <= set(RULES), (
        "a page without a rule is served to nobody: say in portal.access who may open it"
    )
    assert set(RULES) <= named


@behind_sign_in
def test_who_has_not_signed_in_is_sent_to_sign_in(site: Site, visitor: PortalClient) -> None:
    answers: list[Any] = [visitor.get(site.any_url())]
    answers.append(visitor.post_form_at(site.any_url(), "/sign-in/", {}))
    for answer in answers:
        assert answer.status_code in (302, 401)
        if answer.status_code == 302:
            assert answer.url.startswith(TO_SIGN_IN)


@pytest.mark.parametrize("role", ROLES)
def test_a_page_that_a_role_may_not_open_is_not_served_to_it(role: str, sign_in: SignIn) -> None:
    client = sign_in(role)
    page = client.get("/")
    for site in sites():
        if rule_allows(site, role) or RULES.get(site.name) is PUBLIC:
            continue
        answer = client.get(site.any_url())
        assert answer.status_code == 403, site
        assert client.post_form_from(page, site.any_url(), {}).status_code == 403, site


@naming_an_object
def test_it_is_known_for_every_page_whose_object_it_shows(site: Site, foreign: Foreign) -> None:
    values = foreign.values(site)
    assert values is not None, (
        f"tests.wire.portal.sites.KINDS does not know how to make a foreign {site.subject}"
    )
    assert set(site.parameters) <= set(values), f"{site.name}: {site.parameters}"


@by_grouped_role
def test_objects_of_another_group_are_not_there(
    role: str, portal: Portal, foreign: Foreign, sign_in: SignIn
) -> None:
    client = sign_in(role, ("GRP_001",))
    page = client.get("/")
    for site in sites():
        if not site.names_an_object or not rule_allows(site, role):
            continue
        url = site.url(known(foreign.values(site), site))
        for answer in (client.get(url), client.post_form_from(page, url, {})):
            assert answer.status_code in (404, 405), f"{role} at {url}: {answer.status_code}"
        assert not names_in(client.get(url)), url


def test_a_ca_administrator_reaches_objects_of_every_group(
    portal: Portal, foreign: Foreign, client: PortalClient
) -> None:
    """So that the test above does not pass because its URLs lead nowhere."""
    for site in sites():
        if site.names_an_object and rule_allows(site, CA_ADMINISTRATOR):
            url = site.url(known(foreign.values(site), site))
            # Identities are bound where there is another way in than the password.
            refused = {409} if site.name.startswith("user-identity") else set()
            assert client.get(url).status_code in {200, 302, 400, 405} | refused, url


@by_grouped_role
@pytest.mark.parametrize("form", ["", "csv", "json"])
def test_lists_tell_nothing_of_another_group(
    role: str, form: str, portal: Portal, foreign: Foreign, sign_in: SignIn
) -> None:
    client = sign_in(role, ("GRP_001",))
    for site in sites():
        if site.parameters or not rule_allows(site, role):
            continue
        for query in ({}, {"q": "foreign"}):
            answer = client.get(site.any_url(), {**query, **({"format": form} if form else {})})
            assert not names_in(answer), f"{role} at {site.name}: {names_in(answer)}"


@pytest.fixture
def foreign(portal: Portal) -> Foreign:
    return make_foreign(portal)


def known(values: Mapping[str, object] | None, site: Site) -> Mapping[str, object]:
    assert values is not None, site
    return values


def names_in(answer: Any) -> list[str]:
    """What a page must not say; what was asked for is not its own word."""
    text = "" if answer.streaming else text_of(answer)
    return [name for name in FOREIGN_NAMES if name in text]
