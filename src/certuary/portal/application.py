"""Build the portal's ASGI application. Django must be configured with `portal.settings`."""

from __future__ import annotations

from typing import Any

from certuary.portal import installed_deps
from certuary.portal.deps import PortalDeps


def build(deps: PortalDeps) -> Any:
    from django.core.handlers.asgi import ASGIHandler
    from django.core.signals import request_finished

    installed_deps.install(deps)
    request_finished.connect(_close_connection)
    return ASGIHandler()


def _close_connection(**_: Any) -> None:
    """Each request has a thread of its own: nobody would use its connection again, and PostgreSQL has so many."""
    from django.db import connection

    connection.close()
