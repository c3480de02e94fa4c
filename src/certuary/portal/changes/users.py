"""Users: add, change, disable, give a new password, remove second factors, declare a key compromised."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from django.http import HttpRequest

from certuary.errors import Conflict
from certuary.portal.deps import deps_of
from certuary.portal.people import (
    find_user,
    group_ids_of,
    groups_in_words,
    groups_seen,
)
from certuary.portal.role_words import ROLE_MEANINGS, ROLE_NAMES, role_in_words
from certuary.portal.second_factors import factors_of
from certuary.portal.sessions import end_sessions_of
from certuary.portal.signing import Content, Done, Line, Review, ReviewGroup, Secret, covering
from certuary.services.change_deps import ChangeDeps
from certuary.services.entitlement import Actor, sees_everything
from certuary.services.manage_user import (
    NewUser,
    SignedRecord,
    UserSaved,
    add_user,
    change_user,
    declare_key_compromised,
    remove_authenticators,
    set_user_enabled,
    set_user_password,
)
from certuary.services.ports import Record

_ALL: Final = "all of them"
_LISTED: Final = 40


class NewUserChange:
    def review(self, content: Content, request: HttpRequest) -> Review:
        role = str(content["role"])
        return Review(
            title=f"A new user {content['name']}",
            sentence="You let a person in, in this role. A password is made up after you sign, and shown to you once.",
            groups=(
                ReviewGroup(
                    title="User",
                    lines=(
                        Line(label="Username", value=str(content["name"])),
                        _role_line(role),
                        Line(label="Groups", value=_groups(request, role, content["groups"])),
                        Line(label="Password", value="made up after you sign"),
                    ),
                    edit_url=f"/users/new/?token={content['token']}",
                ),
            ),
            back_url="/users/",
        )

    def apply(self, content: Content, actor: Actor, deps: ChangeDeps, request: HttpRequest) -> Done:
        new = NewUser(
            name=str(content["name"]),
            role=str(content["role"]),
            groups=tuple(content["groups"]),
            password=None,
        )
        saved = add_user(actor, new, deps_of(request).passwords, deps)
        return _with_password(saved, f"User {content['name']} is there")


class ChangeUser:
    def review(self, content: Content, request: HttpRequest) -> Review:
        user = find_user(request, int(content["id"]))
        old, new = str(user.values["role"]), str(content["role"])
        numbers = group_ids_of(user)
        before = _ALL if sees_everything(old, numbers) else groups_in_words(groups_seen(request), numbers)
        after = _groups(request, new, content["groups"])
        lines = [_role_line(new, before=role_in_words(old))] if old != new else []
        if before != after:
            lines.append(Line(label="Groups", value=after, before=before))
        if not lines:
            raise Conflict("nothing is changed: role and groups are what they were")
        return Review(
            title=f"Another role or other groups for {user.values['name']}",
            sentence="You change what this user may do. What they signed so far stays signed.",
            groups=(
                ReviewGroup(
                    title=str(user.values["name"]),
                    lines=tuple(lines),
                    edit_url=f"/users/{user.id}/edit/?token={content['token']}",
                ),
            ),
            back_url=f"/users/{user.id}/",
            covers=covering(user),
        )

    def apply(self, content: Content, actor: Actor, deps: ChangeDeps, request: HttpRequest) -> Done:
        user = find_user(request, int(content["id"]))
        name = str(user.values["name"])
        change_user(actor, name, role=str(content["role"]), groups=list(content["groups"]), deps=deps)
        return Done(message=f"{name} is changed", url=f"/users/{user.id}/")


class EnableUser:
    """Both ways: `enabled` says which."""

    def review(self, content: Content, request: HttpRequest) -> Review:
        user = find_user(request, int(content["id"]))
        name, enabled = str(user.values["name"]), bool(content["enabled"])
        if enabled:
            sentence = "You let this user sign in again, in the same role."
        else:
            sentence = "You lock this user out, at once. What they signed stays signed."
        line = Line(label="May sign in", value=_yes(enabled), before=_yes(bool(user.values["enabled"])))
        return Review(
            title=f"{'Enable' if enabled else 'Disable'} {name}",
            sentence=sentence,
            groups=(ReviewGroup(title=name, lines=(line,)),),
            button=f"Sign and {'Enable' if enabled else 'Disable'}",
            is_destructive=not enabled,
            back_url=f"/users/{user.id}/",
            covers=covering(user),
        )

    def apply(self, content: Content, actor: Actor, deps: ChangeDeps, request: HttpRequest) -> Done:
        user = find_user(request, int(content["id"]))
        name, enabled = str(user.values["name"]), bool(content["enabled"])
        if name == actor.name:
            raise Conflict("another user disables you, not you")
        set_user_enabled(actor, name, enabled=enabled, deps=deps)
        if not enabled:
            end_sessions_of(user)
        return Done(message=f"{name} is {'enabled' if enabled else 'disabled'}", url=f"/users/{user.id}/")


class ResetPassword:
    def review(self, content: Content, request: HttpRequest) -> Review:
        user = find_user(request, int(content["id"]))
        name = str(user.values["name"])
        return Review(
            title=f"A new password for {name}",
            sentence="You replace this user's password and signing key. What the old key signed stays signed.",
            groups=(
                ReviewGroup(
                    title=name,
                    lines=(
                        Line(
                            label="Password",
                            value="made up after you sign, shown to you once",
                            before="theirs",
                        ),
                        Line(label="Signing key", value="a new one", before="theirs"),
                        Line(label="Second factors", value=factors_of(user.id).in_words or "none"),  # type: ignore[arg-type]  # a user's number
                    ),
                ),
            ),
            back_url=f"/users/{user.id}/",
            covers=covering(user),
        )

    def apply(self, content: Content, actor: Actor, deps: ChangeDeps, request: HttpRequest) -> Done:
        user = find_user(request, int(content["id"]))
        name = str(user.values["name"])
        if name == actor.name:
            raise Conflict("change your own password under My account: that keeps your signing key")
        saved = set_user_password(actor, name, None, deps_of(request).passwords, deps)
        return _with_password(saved, f"{name} has a new password")


class RemoveFactors:
    def review(self, content: Content, request: HttpRequest) -> Review:
        user = find_user(request, int(content["id"]))
        name = str(user.values["name"])
        line = Line(
            label="Second factors",
            value="none",
            before=factors_of(user.id).in_words,  # type: ignore[arg-type]  # a user's number
            warning="The password alone lets this user in, until they set up another.",
        )
        return Review(
            title=f"Remove the second factors of {name}",
            sentence="You remove all second factors of this user, who lost them or whose rows were altered.",
            groups=(ReviewGroup(title=name, lines=(line,)),),
            button="Sign and Remove",
            is_destructive=True,
            back_url=f"/users/{user.id}/",
            covers=covering(user),
        )

    def apply(self, content: Content, actor: Actor, deps: ChangeDeps, request: HttpRequest) -> Done:
        user = find_user(request, int(content["id"]))
        name = str(user.values["name"])
        remove_authenticators(actor, name, deps)
        return Done(message=f"The second factors of {name} are removed", url=f"/users/{user.id}/")


class DeclareCompromised:
    def review(self, content: Content, request: HttpRequest) -> Review:
        user = find_user(request, int(content["id"]))
        name, since = str(user.values["name"]), datetime.fromisoformat(str(content["since"]))
        return Review(
            title=f"The signing key of {name} is compromised",
            sentence="You void what this key signed since then. The user can sign in again only with a new password.",
            groups=(
                ReviewGroup(
                    title=name,
                    lines=(
                        Line(label="Compromised since", value=f"{since:%Y-%m-%d %H:%M:%S} UTC"),
                        Line(
                            label="What happens",
                            value="records signed since then are left out of use",
                            meaning="What the key signed, before and since, is listed once you have signed.",
                        ),
                    ),
                    edit_url=f"/users/{user.id}/compromised/?token={content['token']}",
                ),
            ),
            button="Sign and Declare",
            is_destructive=True,
            back_url=f"/users/{user.id}/",
            covers=covering(user),
        )

    def apply(self, content: Content, actor: Actor, deps: ChangeDeps, request: HttpRequest) -> Done:
        user = find_user(request, int(content["id"]))
        name = str(user.values["name"])
        signed = declare_key_compromised(actor, name, datetime.fromisoformat(str(content["since"])), deps)
        return Done(
            message=f"The signing key of {name} counts as compromised",
            url=f"/users/{user.id}/",
            warnings=_signed_in_words(signed),
        )


def _signed_in_words(signed: Sequence[SignedRecord]) -> tuple[str, ...]:
    """What to look at, each in a sentence; very many are counted."""
    if not signed:
        return ("This key has signed no record that is in force. Give the user a new password and key.",)
    first = (
        f"{count_of(len(signed), 'record')} in force had been signed with it. Look at each, sign it yourself if it is "
        "right, and give the user a new password and key."
    )
    lines = [
        f"{one.kind} {one.name}, signed {one.at:%Y-%m-%d %H:%M} UTC: {'void' if one.is_void else 'holds'}"
        for one in signed[:_LISTED]
    ]
    more = [f"and {len(signed) - _LISTED} more"] if len(signed) > _LISTED else []
    return (first, *lines, *more)


def count_of(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _role_line(role: str, before: str | None = None) -> Line:
    return Line(label="Role", value=ROLE_NAMES[role], meaning=ROLE_MEANINGS[role], before=before)


def _groups(request: HttpRequest, role: str, codes: Sequence[str]) -> str:
    if sees_everything(role, codes):
        return _ALL
    names = {str(group.values["code"]): str(group.values["name"]) for group in groups_seen(request)}
    return ", ".join(f"{code} {names.get(code, '')}".strip() for code in codes)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _with_password(saved: UserSaved, message: str) -> Done:
    record: Record = saved.record
    assert saved.generated_password is not None
    secret = Secret(label=f"Password of {record.values['name']}", value=saved.generated_password)
    return Done(
        message=message,
        url=f"/users/{record.id}/",
        secrets=(secret,),
        warnings=("Hand it over in person or by a channel of your own; they change it under My account.",),
    )
