"""Build the portal's ASGI application. Django must be configured with `portal.settings`."""

from __future__ import annotations

from typing import Any

from certuary.portal import installed_deps
from certuary.portal.deps import PortalDeps


def build(deps: PortalDeps) -> Any:
    from django.core.handlers.asgi import ASGIHandler

    installed_deps.install(deps)
    return ASGIHandler()
