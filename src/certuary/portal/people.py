"""Which users and groups a person sees: a CA Administrator all, everybody else those of their own groups.

What is not theirs is not found: a refusal would say that it is there.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.http import HttpRequest

from certuary.errors import Conflict, InvalidSeal, NotFound, NotPermitted
from certuary.portal.columns import numbers
from certuary.portal.deps import deps_of
from certuary.portal.models import PortalUser
from certuary.portal.scope import Scope
from certuary.services import find_record
from certuary.services.entitlement import (
    ADMINISTRATOR,
    AUDITOR,
    CA_ADMINISTRATOR,
    OFFICER,
    ROLES,
)
from certuary.services.ports import Record
from certuary.services.record_gate import RecordGate
from certuary.services.signing_key import certificate_of


def viewer(request: HttpRequest) -> PortalUser:
    assert isinstance(request.user, PortalUser)
    return request.user


def groups_seen(request: HttpRequest) -> tuple[Record, ...]:
    scope = Scope.of(request)
    seen = [group for group in deps_of(request).records.all("group") if scope.has_record(group)]
    return tuple(sorted(seen, key=lambda group: str(group.values["code"])))


def users_seen(request: HttpRequest) -> tuple[Record, ...]:
    scope = Scope.of(request)
    return tuple(user for user in deps_of(request).records.all("user") if scope.has_record(user))


def find_user(request: HttpRequest, number: int) -> Record:
    record = deps_of(request).records.find("user", id=number)
    if record is None or not Scope.of(request).has_record(record):
        raise NotFound(f"there is no user with number {number}")
    return record


def find_group(request: HttpRequest, number: int) -> Record:
    record = deps_of(request).records.find("group", id=number)
    if record is None or not Scope.of(request).has_record(record):
        raise NotFound(f"there is no group with number {number}")
    return record


def find_group_named(request: HttpRequest, text: str) -> Record:
    """By code, name or number, without the nearest names: they may be another group's."""
    try:
        record = find_record.find_group(deps_of(request).records, text)
    except NotFound:
        record = None
    if record is None or not Scope.of(request).has_record(record):
        raise NotFound(f"there is no group {text!r}")
    return record


def find_user_named(request: HttpRequest, name: str) -> Record:
    record = deps_of(request).records.find("user", name=name)
    if record is None or not Scope.of(request).has_record(record):
        raise NotFound(f"there is no user {name!r}")
    return record


def group_ids_of(user: Record) -> tuple[int, ...]:
    return numbers(user.values["group_ids"])


def roles_given_by(role: str) -> tuple[str, ...]:
    """Which roles a user of this role may hand out, by `services.entitlement`."""
    if role == CA_ADMINISTRATOR:
        return ROLES
    return (OFFICER, AUDITOR) if role == ADMINISTRATOR else ()


def may_change(request: HttpRequest, user: Record) -> bool:
    """Whether the buttons are worth showing; the service decides."""
    person = viewer(request)
    if user.id == person.pk:
        return False
    if person.role == CA_ADMINISTRATOR:
        return True
    groups = group_ids_of(user)
    is_below = str(user.values["role"]) in roles_given_by(person.role)
    return is_below and bool(groups) and set(person.group_ids).issuperset(groups)


def check_other(request: HttpRequest, user: Record) -> Record:
    """The user, if it is another whom the reader's role and groups reach."""
    if user.id == viewer(request).pk:
        raise Conflict(
            "nobody does this to themselves; another user whose role allows it can", rule="own-role"
        )
    if not may_change(request, user):
        raise NotPermitted(f"your role and groups do not reach the user {user.values['name']}")
    return user


def is_compromised(gate: RecordGate | None, user: Record) -> bool:
    """Whether the signing key that the user has now was declared so."""
    try:
        return gate is not None and gate.is_compromised(certificate_of(user))
    except (InvalidSeal, ValueError):
        return False


def groups_in_words(groups: Iterable[Record], numbers: Iterable[int]) -> str:
    names = {group.id: f"{group.values['code']} {group.values['name']}" for group in groups}
    return ", ".join(names.get(number, f"group {number}") for number in numbers)
