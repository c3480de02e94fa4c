"""Users over the API: who may do what, and how they get in."""

from __future__ import annotations

from typing import Annotated, Literal

from django.http import HttpRequest
from ninja import Query, Router
from pydantic import Field

from certuary.portal.access import ADMINISTRATORS, CA_ADMINISTRATORS, RULES
from certuary.portal.api import answers
from certuary.portal.api.callers import caller_of, needs, sign
from certuary.portal.api.describe import Describer, fresh
from certuary.portal.api.idempotency import Answer, answer_of, change
from certuary.portal.api.identities import given_identity
from certuary.portal.api.pages import PageQuery, after, cut
from certuary.portal.api.schemas import CompromiseGiven, IdentityGiven, RoleGiven, UserGiven
from certuary.portal.deps import deps_of
from certuary.portal.people import check_other, find_group_named, find_user_named, users_seen
from certuary.portal.sessions import end_sessions_of
from certuary.services.manage_identity import bind_identity, unbind_identity
from certuary.services.manage_user import (
    NewUser,
    UserSaved,
    add_user,
    change_user,
    declare_key_compromised,
    remove_authenticators,
    set_user_enabled,
    set_user_password,
)
from certuary.services.ports import Record
from certuary.services.record_gate import name_of

router = Router(tags=["Users"])

_READ = needs("users:read", RULES["users"])
_WRITE = needs("users:write", ADMINISTRATORS)
_RESET = needs("users:write", CA_ADMINISTRATORS)


class UserQuery(PageQuery):
    text: str = Field("", max_length=64, description="in the name, in any case")
    role: Literal["", "ca-administrator", "administrator", "officer", "auditor"] = ""
    enabled: bool | None = None


@router.get("", response=answers.UserPage, summary="List users, by name", **_READ)
def list_users(request: HttpRequest, query: Annotated[UserQuery, Query()]) -> answers.UserPage:
    """A CA Administrator sees all, others themselves and those of their groups."""
    wanted = [user for user in users_seen(request) if _fits(user, query)]
    found = after(wanted, query.cursor, query.limit, name_of)
    shown, cursor = cut(found, query.limit, name_of)
    return answers.UserPage(items=Describer(request).users(shown), next_cursor=cursor)


@router.get("/{name}", response=answers.User, summary="One user", **_READ)
def get_user(request: HttpRequest, name: str) -> answers.User:
    return _described(request, find_user_named(request, name))


@router.post("", response={201: answers.UserSaved}, summary="Add a user", **_WRITE)
@change
def create_user(request: HttpRequest, given: UserGiven) -> Answer:
    """The password is made up and answered once."""
    _check_groups(request, given)
    actor, deps = sign(request, caller_of(request))
    new = NewUser(name=given.name, role=given.role, groups=tuple(given.groups), password=None)
    return _saved(request, add_user(actor, new, deps_of(request).passwords, deps), status=201)


@router.put("/{name}/role", response=answers.User, summary="Give a user a role and groups", **_WRITE)
@change
def put_user_role(request: HttpRequest, name: str, given: RoleGiven) -> Answer:
    _other(request, name)
    _check_groups(request, given)
    actor, deps = sign(request, caller_of(request))
    user = change_user(actor, name, role=given.role, groups=given.groups, deps=deps)
    return answer_of(_described(request, fresh(request, user)))


@router.post("/{name}/disable", response=answers.User, summary="Lock a user out, at once", **_WRITE)
@change
def disable_user(request: HttpRequest, name: str) -> Answer:
    """What they signed stays signed."""
    user = _other(request, name)
    answer = _set_enabled(request, name, enabled=False)
    end_sessions_of(user)
    return answer


@router.post("/{name}/enable", response=answers.User, summary="Let a user in again", **_WRITE)
@change
def enable_user(request: HttpRequest, name: str) -> Answer:
    _other(request, name)
    return _set_enabled(request, name, enabled=True)


@router.post(
    "/{name}/password", response=answers.UserSaved, summary="Replace a user's password and key", **_RESET
)
@change
def reset_user_password(request: HttpRequest, name: str) -> Answer:
    """The password is made up and answered once. What the old key signed stays signed."""
    _other(request, name)
    actor, deps = sign(request, caller_of(request))
    return _saved(request, set_user_password(actor, name, None, deps_of(request).passwords, deps))


@router.delete(
    "/{name}/second-factors", response=answers.User, summary="Remove a user's second factors", **_RESET
)
@change
def delete_user_factors(request: HttpRequest, name: str) -> Answer:
    """Of one who lost them, or whose rows were altered: the password alone lets them in."""
    _other(request, name)
    actor, deps = sign(request, caller_of(request))
    user = remove_authenticators(actor, name, deps)
    return answer_of(_described(request, fresh(request, user)))


@router.post("/{name}/identities", response=answers.User, summary="Bind an identity to a user", **_RESET)
@change
def bind_user_identity(request: HttpRequest, name: str, given: IdentityGiven) -> Answer:
    """It opens the portal for them, and signs nothing. An identity is one user's: 409 where it is taken."""
    find_user_named(request, name)
    actor, deps = sign(request, caller_of(request))
    user = bind_identity(actor, name, given_identity(request, given), deps)
    return answer_of(_described(request, fresh(request, user)))


@router.post(
    "/{name}/identities/remove",
    response=answers.User,
    summary="Take an identity away from a user",
    **_RESET,
)
@change
def unbind_user_identity(request: HttpRequest, name: str, given: IdentityGiven) -> Answer:
    """Sessions that it opened end with their next request."""
    find_user_named(request, name)
    actor, deps = sign(request, caller_of(request))
    user = unbind_identity(actor, name, given_identity(request, given), deps)
    return answer_of(_described(request, fresh(request, user)))


@router.post(
    "/{name}/key-compromised",
    response=answers.KeyCompromised,
    summary="Declare a user's signing key compromised",
    **_RESET,
)
@change
def declare_user_compromised(request: HttpRequest, name: str, given: CompromiseGiven) -> Answer:
    """What it signed since then is void, and left out of use."""
    _other(request, name)
    actor, deps = sign(request, caller_of(request))
    signed = declare_key_compromised(actor, name, given.since, deps)
    listed = [
        answers.SignedRecord(kind=one.kind, name=one.name, at=one.at, is_void=one.is_void) for one in signed
    ]
    return answer_of(answers.KeyCompromised(signed=listed))


def _fits(user: Record, query: UserQuery) -> bool:
    return (
        query.text.lower() in str(user.values["name"]).lower()
        and query.role in ("", user.values["role"])
        and query.enabled in (None, user.values["enabled"])
    )


def _other(request: HttpRequest, name: str) -> Record:
    return check_other(request, find_user_named(request, name))


def _check_groups(request: HttpRequest, given: RoleGiven) -> None:
    for group in given.groups:
        find_group_named(request, group)


def _set_enabled(request: HttpRequest, name: str, *, enabled: bool) -> Answer:
    actor, deps = sign(request, caller_of(request))
    user = set_user_enabled(actor, name, enabled=enabled, deps=deps)
    return answer_of(_described(request, fresh(request, user)))


def _described(request: HttpRequest, user: Record) -> answers.User:
    return Describer(request).users([user])[0]


def _saved(request: HttpRequest, saved: UserSaved, *, status: int = 200) -> Answer:
    (fields,) = Describer(request).user_fields([fresh(request, saved.record)])
    return answer_of(answers.UserSaved(**fields), status=status, password=saved.generated_password)
