"""What every page's frame shows."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from certuary.portal.deps import deps_of
from certuary.portal.navigation import navigation


def frame(request: HttpRequest) -> dict[str, Any]:
    # Made where a template has one: a fragment has none, and what waits is counted for it.
    shown = SimpleLazyObject(lambda: navigation(request))
    return {"environment": deps_of(request).environment, "navigation": shown}
