"""The four roles in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from certuary.services.entitlement import ADMINISTRATOR, AUDITOR, CA_ADMINISTRATOR, OFFICER

ROLE_NAMES: Final[Mapping[str, str]] = {
    CA_ADMINISTRATOR: "CA Administrator",
    ADMINISTRATOR: "Administrator",
    OFFICER: "Officer",
    AUDITOR: "Auditor",
}
ROLE_MEANINGS: Final[Mapping[str, str]] = {
    CA_ADMINISTRATOR: "CAs, keys, users: everything, in all groups.",
    ADMINISTRATOR: "Profiles, labels, properties; applications, officers and auditors of its groups.",
    OFFICER: "Certificates of its groups: approve, revoke, search.",
    AUDITOR: "Reads what its groups have, or everything when it has no group; changes nothing.",
}


def role_in_words(role: object) -> str:
    """As it stands where plain SQL wrote one that there is not."""
    return ROLE_NAMES.get(str(role), str(role))
