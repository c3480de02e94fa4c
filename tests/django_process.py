"""Django in a test process: one configuration serves the stores' tests and the portal's pages alike."""

from __future__ import annotations

from certuary.portal.settings import portal_settings
from certuary.store import setup

NO_DATABASE = "sqlite:///no-such-directory/unused.db"


def configure(database_url: str = NO_DATABASE) -> None:
    """Before any model is imported: Django can be configured once in a process, and pointed elsewhere later."""
    setup.configure(
        database_url,
        portal_settings(secret_key="for tests alone", hosts=("localhost", "127.0.0.1", "[::1]")),
    )
