"""What a person sees: a CA Administrator everything, everybody else what belongs to their groups.

What is not theirs is not found: a refusal would say that it is there.
"""

from __future__ import annotations

from django.http import HttpRequest

from certuary.errors import NotFound
from certuary.portal.deps import deps_of
from certuary.portal.models import PortalUser
from certuary.services.entitlement import ADMINISTRATOR, CA_ADMINISTRATOR
from certuary.services.ports import Record


def groups_of(request: HttpRequest) -> frozenset[int] | None:
    """The numbers of the groups that are seen; None for all of them."""
    user = request.user
    assert isinstance(user, PortalUser)
    return None if user.role == CA_ADMINISTRATOR else frozenset(user.group_ids)


def may_administer(request: HttpRequest) -> bool:
    """Whether the buttons that change things are worth showing; the services decide."""
    return getattr(request.user, "role", "") in (CA_ADMINISTRATOR, ADMINISTRATOR)


def find_application(request: HttpRequest, number: int) -> Record:
    record = deps_of(request).records.find("application", id=number)
    groups = groups_of(request)
    if record is None or (groups is not None and record.values["group_id"] not in groups):
        raise NotFound(f"there is no application with number {number}")
    return record
