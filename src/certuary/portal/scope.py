"""What a user may see: everything, or what belongs to the user's groups. What is not theirs is not there: 404."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest

from certuary.errors import NotFound
from certuary.portal.columns import numbers
from certuary.portal.deps import deps_of
from certuary.portal.models import PortalUser
from certuary.services.entitlement import sees_everything
from certuary.services.ports import Record
from certuary.store.audit_pages import Reach
from certuary.store.database import read
from certuary.store.models import Application


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """`group_ids` is None for whoever sees everything."""

    user: str
    role: str
    group_ids: frozenset[int] | None

    @classmethod
    def of(cls, request: HttpRequest) -> Scope:
        user = request.user
        assert isinstance(user, PortalUser)
        groups = frozenset(numbers(user.group_ids))
        seen = None if sees_everything(user.role, groups) else groups
        return cls(user=user.name, role=user.role, group_ids=seen)

    @property
    def sees_everything(self) -> bool:
        return self.group_ids is None

    def has_group(self, group_id: object) -> bool:
        return self.group_ids is None or group_id in self.group_ids

    def application_ids(self) -> tuple[int, ...] | None:
        """Also of applications that were removed: their certificates stay. None for all."""
        if self.group_ids is None:
            return None
        rows = Application.objects.filter(group_id__in=self.group_ids).values_list("id", flat=True)
        return read(lambda: tuple(rows))

    def has_application(self, application: Record | None) -> bool:
        """`application` may be a removed one: what it did stays its group's. None is who was not known."""
        return self.sees_everything or (application is not None and self.has_record(application))

    def has_record(self, record: Record) -> bool:
        """Profiles, labels, authorities and properties are everybody's to read."""
        if self.group_ids is None:
            return True
        if record.kind == "application":
            return self.has_group(record.values["group_id"])
        if record.kind == "group":
            return self.has_group(record.id)
        if record.kind == "approval":
            return record.values["requester"] == self.user or self._has_approval(record)
        if record.kind == "user":
            return record.values["name"] == self.user or bool(
                self.group_ids.intersection(numbers(record.values["group_ids"]))
            )
        return True

    def _has_approval(self, approval: Record) -> bool:
        if approval.values["kind"] == "profile":
            return True
        groups = numbers(approval.values["group_ids"])
        return bool(groups) and (self.group_ids or frozenset()).issuperset(groups)

    def audit_reach(self) -> Reach | None:
        if self.group_ids is None:
            return None
        rows = Application.objects.filter(group_id__in=self.group_ids).values_list("id", "name")
        found = read(lambda: list(rows))
        return Reach(
            user=self.user,
            application_names=tuple({name for _, name in found}),
            application_ids=tuple(number for number, _ in found),
        )


def visible_applications(request: HttpRequest) -> tuple[Record, ...]:
    scope = Scope.of(request)
    return tuple(record for record in deps_of(request).records.all("application") if scope.has_record(record))


def find_application_named(request: HttpRequest, name: str) -> Record:
    """`NotFound` alike for what is not there and for what another group has: without the nearest names."""
    record = deps_of(request).records.find("application", name=name)
    if record is None or not Scope.of(request).has_record(record):
        raise NotFound(f"there is no application {name!r}")
    return record


def find_application(request: HttpRequest, number: int) -> Record:
    record = deps_of(request).records.find("application", id=number)
    if record is None or not Scope.of(request).has_record(record):
        raise NotFound(f"there is no application with number {number}")
    return record
