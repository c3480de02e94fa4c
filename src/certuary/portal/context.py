"""What every page's frame shows."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from certuary.portal.deps import deps_of
from certuary.portal.navigation import navigation


def frame(request: HttpRequest) -> dict[str, Any]:
    return {"environment": deps_of(request).environment, "navigation": navigation(request)}
