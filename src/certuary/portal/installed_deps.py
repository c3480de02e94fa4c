"""The dependencies of this process's pages. Django makes its middleware itself and hands it nothing of ours."""

from __future__ import annotations

from certuary.portal.deps import PortalDeps

_deps: list[PortalDeps] = []


def install(deps: PortalDeps) -> None:
    """Once, before the first request."""
    _deps[:] = [deps]


def current() -> PortalDeps:
    return _deps[0]
