"""How a file is described that an operation answers."""

from __future__ import annotations

from certuary.portal.downloads import KINDS


def files_of(*kinds: str) -> dict[int, object]:
    """For `needs`: the media types, by the names that `portal.downloads` gives them."""
    content = {KINDS[kind][0]: {"schema": {"type": "string", "format": "binary"}} for kind in kinds}
    return {200: {"description": "The file", "content": content}}
