"""Which applications somebody may see: all of them, or those of their groups."""

from __future__ import annotations

from django.http import HttpRequest

from certuary.portal.deps import deps_of
from certuary.portal.models import PortalUser
from certuary.services.entitlement import CA_ADMINISTRATOR
from certuary.services.ports import Record


def sees_everything(request: HttpRequest) -> bool:
    return _user(request).role == CA_ADMINISTRATOR


def is_within_reach(request: HttpRequest, application: Record | None) -> bool:
    """`application` may be a removed one: what it did stays its group's."""
    if sees_everything(request):
        return True
    return application is not None and application.values["group_id"] in _user(request).group_ids


def visible_applications(request: HttpRequest) -> tuple[Record, ...]:
    records = deps_of(request).records.all("application")
    return tuple(record for record in records if is_within_reach(request, record))


def _user(request: HttpRequest) -> PortalUser:
    assert isinstance(request.user, PortalUser)
    return request.user
