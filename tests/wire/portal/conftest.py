"""A home with users of every role in two groups, and a browser for each of them, in this process."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from certuary.keystore.file import UnlockedKeys
from certuary.services.entitlement import ADMINISTRATOR, AUDITOR, CA_ADMINISTRATOR, OFFICER
from certuary.services.manage_group import add_group
from tests.wire.cli_process import new_shell
from tests.wire.portal.pages import (
    PASSWORD,
    Confirm,
    Portal,
    PortalClient,
    SignIn,
    confirm_change,
    unlock,
)

GROUPS = ("GRP_001", "GRP_002")


@pytest.fixture(scope="session")
def portal_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An initialised home, to be copied and never changed: groups GRP_001 and GRP_002, and their people."""
    shell = new_shell(tmp_path_factory.mktemp("portal") / "template")
    (shell.directory / "admin-password").write_text(PASSWORD + "\n")
    done = shell.run("init", "--hostname", "localhost", "--organization", "Acme")
    assert done.code == 0, done.stderr
    portal = Portal.open(shell.home, unlock(shell.home))
    actor, deps = portal.changes_as()
    add_group(actor, "Plant", deps)
    for role in (ADMINISTRATOR, OFFICER, AUDITOR):
        for group in GROUPS:
            portal.user_of(role, (group,))
    _close()
    return shell.home


@pytest.fixture(scope="session")
def portal_keys(portal_template: Path) -> UnlockedKeys:
    """Unlocked once: every copy of the home has the same keys, and unlocking takes half a second."""
    return unlock(portal_template)


@pytest.fixture
def portal_home(portal_template: Path, tmp_path: Path) -> Path:
    """A home of the test's own."""
    return Path(shutil.copytree(portal_template, tmp_path / "home"))


@pytest.fixture
def portal(portal_home: Path, portal_keys: UnlockedKeys) -> Iterator[Portal]:
    """The pages of that home, served in this process."""
    from django.core.cache import cache

    cache.clear()  # of who failed to sign in, in the tests before
    opened = Portal.open(portal_home, portal_keys)
    from certuary.portal.api.failures import FAILURES

    FAILURES.forget()  # of who failed to present a token
    yield opened
    _close()


@pytest.fixture
def visitor(portal: Portal) -> PortalClient:
    """Somebody who has not signed in."""
    return PortalClient()


@pytest.fixture
def sign_in(portal: Portal) -> SignIn:
    """`sign_in(role, groups)`: a browser in which such a user has signed in."""

    def open_browser(role: str = CA_ADMINISTRATOR, groups: tuple[str, ...] = ()) -> PortalClient:
        client = PortalClient()
        in_groups = groups if role == CA_ADMINISTRATOR else groups or GROUPS[:1]
        answer = client.sign_in(portal.user_of(role, in_groups))
        assert answer.status_code == 302, answer.content.decode()
        return client

    return open_browser


@pytest.fixture
def client(sign_in: SignIn) -> PortalClient:
    """The first CA Administrator's browser."""
    return sign_in()


@pytest.fixture
def confirm() -> Confirm:
    """`confirm(client, url)`: sign the change that waits at this Verify and Confirm page."""
    return confirm_change


def _close() -> None:
    from django.db import connections

    connections.close_all()
