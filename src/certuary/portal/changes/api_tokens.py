"""API tokens: make one, revoke one. Each is its user's own."""

from __future__ import annotations

from django.http import HttpRequest

from certuary.errors import InvalidValue, NotFound
from certuary.portal.api.tokens import SCOPES, make_token, revoke_token
from certuary.portal.models import ApiToken
from certuary.portal.signing import Content, Done, Line, Review, ReviewGroup, Secret
from certuary.services.change_deps import ChangeDeps
from certuary.services.entitlement import Actor
from certuary.services.ports import Record

_LIST = "/account/tokens/"


class NewApiToken:
    def review(self, content: Content, request: HttpRequest) -> Review:
        return Review(
            title="A new API token",
            sentence="You let whoever holds the token act in your name, within these scopes.",
            groups=(
                ReviewGroup(
                    title="Token",
                    lines=(
                        Line(label="Name", value=str(content["name"])),
                        Line(
                            label="Lifetime",
                            value=f"{content['days']} days",
                            meaning="It also ends when your password or role changes, or you are disabled.",
                        ),
                        Line(
                            label="Scopes",
                            value=", ".join(content["scopes"]),
                            meaning="; ".join(SCOPES.get(scope, "unknown") for scope in content["scopes"]),
                        ),
                    ),
                    edit_url=f"{_LIST}new/?token={content['token']}",
                ),
            ),
            back_url=_LIST,
        )

    def apply(self, content: Content, actor: Actor, deps: ChangeDeps, request: HttpRequest) -> Done:
        user = _user(actor, deps)
        days = content["days"]
        if not isinstance(days, int):
            raise InvalidValue("the lifetime is a number of days")
        _, token = make_token(actor, user, str(content["name"]), list(content["scopes"]), days, deps)
        host = request.get_host()
        return Done(  # noqa: S604  # lines to copy; nothing is run
            message="The token is there",
            url=_LIST,
            secrets=(Secret(label=f"API token {content['name']}", value=token),),
            shell=(
                f"curl -sS --fail-with-body --cacert root.pem -H 'Authorization: Bearer TOKEN' https://{host}/api/v1/profiles",
            ),
        )


class RevokeApiToken:
    def review(self, content: Content, request: HttpRequest) -> Review:
        row = ApiToken.objects.filter(
            pk=content["id"], user_id=int(request.user.pk or 0), revoked_at__isnull=True
        ).first()
        if row is None:
            raise NotFound("there is no such token, or it was revoked already")
        return Review(
            title=f"Revoke the API token {row.name}",
            sentence="You end this token now and for good; what uses it is answered 401.",
            groups=(
                ReviewGroup(
                    title="Token",
                    lines=(
                        Line(label="Name", value=row.name),
                        Line(label="Scopes", value=", ".join(map(str, row.scopes))),
                    ),
                ),
            ),
            button="Sign and revoke",
            is_destructive=True,
            back_url=_LIST,
            covers=(f"api-token:{row.pk}:{row.token_hash}",),
        )

    def apply(self, content: Content, actor: Actor, deps: ChangeDeps, request: HttpRequest) -> Done:
        revoke_token(actor, _user(actor, deps), int(content["id"]), deps)
        return Done(message="The token is revoked", url=_LIST)


def _user(actor: Actor, deps: ChangeDeps) -> Record:
    user = deps.records.find("user", name=actor.name)
    if user is None:
        raise NotFound("you were removed in the meantime")
    return user
