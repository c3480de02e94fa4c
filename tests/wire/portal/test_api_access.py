"""Every address of the API has its rule, and asks for a token."""

from __future__ import annotations

import json

import pytest

from certuary.portal.access import RULES
from tests.wire.portal.pages import PortalClient
from tests.wire.portal.sites import Site, sites

API = [site for site in sites() if site.name.startswith("api-v1:")]


def test_the_table_of_rules_names_just_the_addresses_there_are() -> None:
    assert {site.name for site in API} == {name for name in RULES if name.startswith("api-v1:")}


@pytest.mark.parametrize("site", API, ids=lambda site: site.name)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_no_address_of_the_api_answers_without_a_token(site: Site, method: str, client: PortalClient) -> None:
    """Also where a browser's session is sent along."""
    answer = client.generic(method, site.any_url(), b"{}", content_type="application/json")
    assert answer.status_code in (401, 404, 405, 429)
    assert answer["Content-Type"] == "application/problem+json"
    assert json.loads(answer.content)["status"] == answer.status_code
