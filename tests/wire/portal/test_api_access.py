"""Every address of the API has its rule, and asks for a token."""

from __future__ import annotations

import json

from certuary.portal.access import RULES
from tests.wire.portal.pages import PortalClient
from tests.wire.portal.sites import Site, names, sites

# Ninja's own root tells nothing and has no rule: it is served to nobody.
API = [site for site in sites() if site.name.startswith("api-v1:") and site.name != "api-v1:api-root"]


def test_the_table_of_rules_names_just_the_addresses_there_are() -> None:
    there = {name for name in names() if name.startswith("api-v1:")} - {"api-v1:api-root"}
    assert there == {name for name in RULES if name.startswith("api-v1:")}


def test_no_address_of_the_api_answers_without_a_token(client: PortalClient) -> None:
    """Also where a browser's session is sent along."""
    for site in API:
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            assert_refused(client, site, method)


def assert_refused(client: PortalClient, site: Site, method: str) -> None:
    answer = client.generic(method, site.any_url(), b"{}", content_type="application/json")
    assert answer.status_code in (401, 405, 429), site
    assert answer["Content-Type"] == "application/problem+json"
    assert json.loads(answer.content)["status"] == answer.status_code
