"""Groups over the API."""

from __future__ import annotations

from django.http import HttpRequest
from ninja import Router

from certuary.errors import NotFound
from certuary.portal.access import ADMINISTRATORS, CA_ADMINISTRATORS, EVERYBODY
from certuary.portal.api import answers
from certuary.portal.api.callers import caller_of, needs, sign
from certuary.portal.api.describe import Describer, fresh
from certuary.portal.api.idempotency import Answer, answer_of, change
from certuary.portal.api.pages import Paging, after, cut
from certuary.portal.api.schemas import GroupGiven
from certuary.portal.deps import deps_of
from certuary.portal.people import groups_seen
from certuary.portal.scope import Scope
from certuary.services.manage_group import add_group, rename_group
from certuary.services.ports import Record

router = Router(tags=["Groups"])


@router.get("", response=answers.GroupPage, summary="List groups, by code", **needs("groups:read", EVERYBODY))
def list_groups(request: HttpRequest, paging: Paging) -> answers.GroupPage:
    found = after(groups_seen(request), paging.cursor, paging.limit, _code)
    shown, cursor = cut(found, paging.limit, _code)
    describe = Describer(request)
    return answers.GroupPage(items=[describe.group(record) for record in shown], next_cursor=cursor)


@router.get("/{code}", response=answers.Group, summary="One group", **needs("groups:read", EVERYBODY))
def get_group(request: HttpRequest, code: str) -> answers.Group:
    return Describer(request).group(_own(request, code))


@router.post(
    "", response={201: answers.Group}, summary="Add a group", **needs("groups:write", CA_ADMINISTRATORS)
)
@change
def create_group(request: HttpRequest, given: GroupGiven) -> Answer:
    actor, deps = sign(request, caller_of(request))
    group = add_group(actor, given.name, deps)
    return answer_of(Describer(request).group(fresh(request, group)), status=201)


@router.patch(
    "/{code}",
    response=answers.Group,
    summary="Give a group another name",
    **needs("groups:write", ADMINISTRATORS),
)
@change
def patch_group(request: HttpRequest, code: str, given: GroupGiven) -> Answer:
    _own(request, code)
    actor, deps = sign(request, caller_of(request))
    group = rename_group(actor, code, given.name, deps)
    return answer_of(Describer(request).group(fresh(request, group)))


def _own(request: HttpRequest, code: str) -> Record:
    found = deps_of(request).records.find("group", code=code)
    if found is None or not Scope.of(request).has_record(found):
        raise NotFound(f"there is no group {code!r}")
    return found


def _code(record: Record) -> str:
    return str(record.values["code"])
