"""What an application may do, as a caller gives it."""

from __future__ import annotations

from certuary.portal.api.schemas import GrantsGiven
from certuary.services.register_application import Grants


def grants_of(given: GrantsGiven) -> Grants:
    return Grants(
        networks=_tuple(given.networks),
        profiles=_tuple(given.profiles),
        labels=_tuple(given.labels),
        group=given.group,
        subject_rule=given.subject_rule,
        expires_at=given.expires_at,
        never_expires=given.never_expires,
    )


def _tuple(texts: list[str] | None) -> tuple[str, ...] | None:
    return None if texts is None else tuple(texts)
