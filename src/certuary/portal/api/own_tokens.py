"""The caller's own tokens over the API: list, revoke. A token makes no token."""

from __future__ import annotations

from django.http import HttpRequest
from ninja import Router

from certuary.errors import NotFound
from certuary.portal.access import EVERYBODY
from certuary.portal.api import answers
from certuary.portal.api.callers import caller_of, needs, sign
from certuary.portal.api.idempotency import NOTHING, Answer, change
from certuary.portal.api.pages import Paging, cut, number_cursor
from certuary.portal.api.tokens import revoke_token, state_of, tokens_of
from certuary.portal.columns import texts
from certuary.portal.deps import deps_of
from certuary.portal.models import ApiToken
from certuary.services.ports import Record

router = Router(tags=["Tokens"])


@router.get("", response=answers.TokenPage, summary="List your own tokens", **needs("tokens:read", EVERYBODY))
def list_tokens(request: HttpRequest, paging: Paging) -> answers.TokenPage:
    user = _user(request)
    found = tokens_of(user, before=number_cursor(paging.cursor), limit=paging.limit + 1)
    shown, cursor = cut(found, paging.limit, lambda row: int(row.pk))
    return answers.TokenPage(items=[_token(request, row, user) for row in shown], next_cursor=cursor)


@router.delete(
    "/{int:number}",
    response={204: None},
    summary="Revoke one of your own tokens",
    **needs("tokens:revoke", EVERYBODY),
)
@change
def delete_token(request: HttpRequest, number: int) -> Answer:
    user = _user(request)
    if number >= 2**63:  # more digits than a column holds would overflow in the database
        raise NotFound("there is no such token, or it was revoked already")
    actor, deps = sign(request, caller_of(request))
    revoke_token(actor, user, number, deps)
    return NOTHING


def _user(request: HttpRequest) -> Record:
    user = deps_of(request).records.find("user", id=caller_of(request).user_id)
    if user is None:
        raise NotFound("you were removed in the meantime")
    return user


def _token(request: HttpRequest, row: ApiToken, user: Record) -> answers.Token:
    deps = deps_of(request)
    state, problem = state_of(row, user, deps.marker, deps.clock.now())
    return answers.Token(
        id=row.pk,
        name=str(row.name),
        scopes=texts(row.scopes),
        state=state,
        problem=problem,
        is_this=row.pk == caller_of(request).token_id,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )
