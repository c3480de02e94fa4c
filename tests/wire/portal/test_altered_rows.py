"""Rows that hold what no record does: the pages name them, and stay."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import pytest

from certuary.services.guarded_clock import utc_now
from certuary.services.ports import NodeRow
from tests.wire.portal.pages import Portal, PortalClient, text_of
from tests.wire.portal.sites import make_foreign
from tests.wire.portal.test_api import Script, script_of
from tests.wire.portal.test_api_operations import OPERATIONS, foreign_request_id, foreign_values

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


TABLES: Final = {
    "api_tokens": (
        "user_id name scopes created_at expires_at revoked_at last_used_at mark",
        ("/account/tokens", "/tokens"),
    ),
    "approvals": (
        "kind change title content shown requester group_ids created_at expires_at state decided_at version",
        ("/approvals",),
    ),
    "audit_events": (
        "at kind actor_kind actor target address detail stream seq",
        ("/audit", "/certificates/", "/users", "/applications/1", "/properties/"),
    ),
    "certificates": (
        (
            "subject subject_key alternative_names key_hash not_before not_after issued_at der source replaces "
            "authority_id application_id profile_version_id revoked_at revocation_reason mark"
        ),
        ("/certificates", "/search"),
    ),
    "crls": ("number this_update next_update der mark", ("/authorities", "/statistics", "/?")),
    "enrolments": (
        "at operation reason label address serial csr_der application_id profile_version_id",
        ("/refusals", "/certificates/"),
    ),
    "nodes": ("hostname version ready reasons warnings started_at seen_at", ("/nodes", "/?")),
    "profile_versions": ("number toml created_at created_by mark", ("/profiles", "/certificates")),
}
"""Beside the sealed records: the columns that people are shown, and the beginnings of the addresses that read them."""


@pytest.mark.parametrize("change", ALTERED)
def test_a_value_that_no_column_holds_takes_no_page_down(
    change: str, portal: Portal, client: PortalClient
) -> None:
    portal.execute(change)
    assert fallen(client) == []


def fallen(client: PortalClient, pages: Sequence[str] = PAGES) -> list[str]:
    return [page for page in pages if client.get(page).status_code >= 500]


@dataclass(frozen=True, slots=True, kw_only=True)
class Everything:
    """What reads tables that hold a row or more: the pages, and the API, which is held to its document, too."""

    script: Script
    pages: tuple[str, ...]
    reads: tuple[str, ...]

    def fallen(self, client: PortalClient, beginnings: tuple[str, ...]) -> list[str]:
        pages = [page for page in self.pages if page.startswith(beginnings)]
        reads = [url for url in self.reads if url.startswith(beginnings)]
        return fallen(client, pages) + [url for url in reads if self.script.get(url).status_code >= 500]


@pytest.fixture
def everything(portal: Portal) -> Everything:
    from certuary.store.nodes import DjangoNodeStore

    script, foreign = script_of(portal), make_foreign(portal)
    script_of(portal)  # another token, to be altered
    now = utc_now()
    node = NodeRow(
        name="a",
        hostname="a",
        version="1",
        ready=True,
        reasons=(),
        warnings=(),
        started_at=now,
        seen_at=now,
    )
    DjangoNodeStore().put(node)
    named: Mapping[str, Mapping[str, object]] = {
        "approvals": {"name": foreign.approval.values["name"]},
        "authorities": {"name": "issuing", "form": "crl"},
        "profiles": {"name": "tls-device", "number": 1, "before": 1, "after": 1},
        "properties": {"key": "est.ca.server.group.id"},
    }
    reads = [
        operation.url(named.get(operation.subject) or foreign_values(foreign, operation))
        for operation in OPERATIONS
        if operation.method == "GET"
    ]
    pages = (
        "/?",
        "/account/tokens/",
        "/applications/1/",
        "/approvals/",
        f"/approvals/{foreign.approval.id}/",
        "/audit/",
        "/authorities/",
        "/authorities/2/",
        "/certificates/?q=foreign",
        f"/certificates/{foreign.certificate['serial']}/",
        "/profiles/1/",
        "/refusals/",
        f"/refusals/{foreign_request_id(foreign)}/",
        "/search/?q=foreign",
        "/users/",
    )
    return Everything(
        script=script, pages=pages, reads=(*reads, "/search?q=foreign", "/certificates?subject=f")
    )


@pytest.mark.parametrize("table", TABLES)
def test_a_value_that_no_column_holds_takes_down_neither_page_nor_answer(
    table: str, portal: Portal, client: PortalClient, everything: Everything
) -> None:
    """Each column alone: one that cannot be read must not hide another."""
    columns, beginnings = TABLES[table]
    where = "WHERE id = (SELECT max(id) FROM api_tokens)" if table == "api_tokens" else ""
    wrong = []
    for column, value in itertools.product(columns.split(), ("'strange'", "x'ff00'")):
        with undone():
            portal.execute(f"UPDATE OR IGNORE {table} SET {column} = {value} {where}")  # ours
            wrong += [f"{column} = {value}: {url}" for url in everything.fallen(client, beginnings)]
    assert wrong == []


@contextmanager
def undone() -> Iterator[None]:
    """What is written within it never was."""
    from django.db import transaction

    with transaction.atomic():
        yield
        transaction.set_rollback(True)


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
