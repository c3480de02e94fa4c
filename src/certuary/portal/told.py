"""Values that audit events tell, as people read them."""

from __future__ import annotations

import json

from certuary.portal.visible import visible


def told(value: object) -> str:
    if value is None or value == [] or value == "":
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(told(each) for each in value)
    return visible(json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value))
