"""Rows that hold what no record does: the pages name them, and stay."""

from __future__ import annotations

import pytest

from tests.wire.portal.pages import Portal, PortalClient, text_of

PAGES = (
    "/",
    "/applications/",
    "/applications/1/",
    "/applications/1/edit/",
    "/authorities/",
    "/authorities/1/",
    "/certificates/",
    "/groups/",
    "/groups/1/",
    "/labels/",
    "/profiles/",
    "/profiles/1/",
    "/refusals/",
    "/search/?q=default",
    "/seals/",
    "/users/",
    "/users/2/",
)
ALTERED = (
    "UPDATE applications SET version = 'first' WHERE id = 1",
    "UPDATE applications SET profile_ids = '7' WHERE id = 1",
    "UPDATE applications SET networks = '7' WHERE id = 1",
    "UPDATE applications SET labels = '{}' WHERE id = 1",
    "UPDATE applications SET expires_at = 'never' WHERE id = 1",
    "UPDATE users SET role = 'king' WHERE id = 2",
    "UPDATE users SET group_ids = '7' WHERE id = 2",
    "UPDATE users SET version = 'first' WHERE id = 2",
    "UPDATE groups SET version = 'first' WHERE id = 1",
    "UPDATE profiles SET version = 'first' WHERE id = 1",
    "UPDATE authorities SET version = 'first' WHERE id = 1",
    "UPDATE authorities SET certificate_der = x'00' WHERE id = 1",
    "UPDATE authorities SET certificate_der = 'none' WHERE id = 1",
    "UPDATE authorities SET not_after = 'never' WHERE id = 1",
    "UPDATE authorities SET issuer_id = id",
)


@pytest.mark.parametrize("change", ALTERED)
def test_a_value_that_no_column_holds_takes_no_page_down(
    change: str, portal: Portal, client: PortalClient
) -> None:
    portal.execute(change)
    fallen = [page for page in PAGES if client.get(page).status_code >= 500]
    assert fallen == []


@pytest.mark.parametrize(
    "page",
    [
        "/refusals/?request=/",
        "/refusals/?request=%2F%2F",
        f"/profiles/1/compare/?from={'9' * 5000}&to=1",
        f"/certificates/?after={'9' * 5000}",
        f"/audit/?before={'9' * 5000}",
        f"/applications/?group={'9' * 5000}",
    ],
)
def test_a_strange_parameter_takes_no_page_down(page: str, client: PortalClient) -> None:
    assert client.get(page).status_code < 500


def test_a_label_is_found_by_its_name(portal: Portal, client: PortalClient) -> None:
    portal.execute(
        "INSERT INTO labels (name, profile_id, revision, created_at, version, seal)"
        " VALUES ('line-7', 1, 1, '2026-01-01 00:00:00', 0, '')"
    )
    found = client.get("/search/?q=line-7", follow=True)
    assert found.status_code == 200
    assert "line-7" in text_of(found)
