"""External applications: register, edit, disable, enable, rotate, delete."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from django.http import HttpRequest

from certuary.core.subject_rule import SubjectRule
from certuary.errors import CertuaryError, Conflict
from certuary.portal.columns import numbers, texts
from certuary.portal.deps import deps_of
from certuary.portal.endpoints import Endpoints
from certuary.portal.enrol_lines import enrol_lines, netrc_line
from certuary.portal.scope import find_application
from certuary.portal.signing import Content, Done, Line, Review, ReviewGroup, Secret, covering
from certuary.portal.words import moment_in_words, network_lines, networks_in_words, rule_in_words
from certuary.services.change_deps import ChangeDeps
from certuary.services.entitlement import Actor
from certuary.services.passwords import HashedPassword
from certuary.services.ports import Record, RecordStore
from certuary.services.register_application import (
    Grants,
    Identity,
    NewApplication,
    change_application,
    granted,
    register_application,
    regranted,
    remove_application,
    rotate_password,
    set_application_enabled,
)

ANY_ADDRESS = "Any address: whoever has the password can use it from anywhere"
ANY_NAME = "Any name: it may ask for every name that its profiles allow"
NO_EXPIRY = "No expiry: its password works until somebody disables it"
NOWHERE = (
    "It can enrol nowhere as it stands: it may use neither the default profile without a label nor a label "
    "whose profile is among its own"
)
IDENTITY, FROM_WHERE, FOR_WHAT = "Identity", "From where, and until when", "For what"
_SECTIONS = {IDENTITY: "identity", FROM_WHERE: "networks", FOR_WHAT: "grants"}
_LIST = "/applications/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What the numbers in a record are called."""

    groups: Mapping[object, str]
    profiles: Mapping[object, str]

    @classmethod
    def read(cls, records: RecordStore) -> Names:
        return cls(
            groups={
                group.id: f"{group.values['code']} · {group.values['name']}" for group in records.all("group")
            },
            profiles={profile.id: str(profile.values["name"]) for profile in records.all("profile")},
        )

    def of_profiles(self, values: Mapping[str, object]) -> str:
        granted = numbers(values["profile_ids"])
        return ", ".join(self.profiles.get(number, f"number {number}, which is gone") for number in granted)

    def of_group(self, values: Mapping[str, object]) -> str:
        return self.groups.get(values["group_id"], f"number {values['group_id']}")


def grants_of(content: Content) -> Grants:
    """What a form has whole, and a call of the API in parts: the others stay as they are."""
    expires_at = content.get("expires_at")
    return Grants(
        networks=network_lines(str(content["networks"])) if "networks" in content else None,
        profiles=tuple(content["profiles"]) if "profiles" in content else None,
        labels=tuple(content["labels"]) if "labels" in content else None,
        group=content.get("group"),
        subject_rule=content.get("subject_rule"),
        expires_at=datetime.fromisoformat(expires_at) if expires_at else None,
        never_expires="expires_at" in content and not expires_at,
    )


def grant_groups(
    values: Mapping[str, object], names: Names, endpoints: Endpoints, now: datetime
) -> tuple[ReviewGroup, ...]:
    """What an application may do, line by line, with what it means and what to be warned about."""
    networks, labels, expires_at = texts(values["networks"]), texts(values["labels"]), values["expires_at"]
    assert expires_at is None or isinstance(expires_at, datetime)
    return (
        ReviewGroup(
            title=FROM_WHERE,
            lines=(
                Line(
                    label="IP addresses and networks",
                    value=", ".join(networks) or "any address",
                    meaning=networks_in_words(networks),
                    warning="" if networks else ANY_ADDRESS,
                ),
                Line(label="Group", value=names.of_group(values)),
                Line(
                    label="Expires",
                    value=f"{expires_at:%Y-%m-%d %H:%M:%S} UTC" if expires_at else "never",
                    meaning=moment_in_words(expires_at, now) if expires_at else "",
                    warning="" if expires_at else NO_EXPIRY,
                ),
            ),
        ),
        ReviewGroup(
            title=FOR_WHAT,
            lines=(
                Line(
                    label="Profiles",
                    value=names.of_profiles(values) or "the default profile",
                    meaning="" if values["profile_ids"] else "Or the ones that its labels select.",
                    warning="" if endpoints.of(values) else NOWHERE,
                ),
                Line(label="Labels", value=", ".join(labels) or "none: the address without a label"),
                _rule_line(str(values["subject_rule"])),
            ),
        ),
    )


class NewExternalApplication:
    def review(self, content: Content, request: HttpRequest) -> Review:
        deps = deps_of(request)
        values = granted(grants_of(content), deps.records)
        edit_url = f"/applications/new/?token={content['token']}"
        identity = ReviewGroup(
            title=IDENTITY,
            lines=(
                Line(label="Name", value=str(content["name"])),
                Line(label="Username", value=str(content["username"])),
                password_line(content),
            ),
        )
        grants = grant_groups(
            values, Names.read(deps.records), Endpoints.read(deps.records), deps.clock.now()
        )
        return Review(
            title="A new external application",
            sentence="You register an application, which may then ask for certificates as it says above.",
            groups=tuple(_edited_at(edit_url, group) for group in (identity, *grants)),
            back_url=_LIST,
            covers=password_cover(content),
        )

    def apply(self, content: Content, actor: Actor, deps: ChangeDeps, request: HttpRequest) -> Done:
        wanted = NewApplication(
            name=str(content["name"]),
            username=str(content["username"]),
            password=typed_password(content),
            grants=grants_of(content),
        )
        saved = register_application(actor, wanted, deps_of(request).passwords, deps)
        return Done(
            message=f"{content['name']} is registered",
            url=f"/applications/{saved.record.id}/",
            secrets=_password_secrets(saved.generated_password),
            shell=enrol_lines(saved.record, deps.records, deps_of(request).est_url),
        )


class EditApplication:
    def review(self, content: Content, request: HttpRequest) -> Review:
        deps = deps_of(request)
        record = find_application(request, int(content["id"]))
        names, endpoints = Names.read(deps.records), Endpoints.read(deps.records)
        now = deps.clock.now()
        given = {"name": content["name"], "username": content["username"]}
        after = {**record.values, **given, **regranted(record, grants_of(content), deps.records)}
        groups = _only_changed(
            _all_groups(record.values, names, endpoints, now), _all_groups(after, names, endpoints, now)
        )
        if not groups:
            raise Conflict("nothing differs from what is there; there is nothing to sign")
        edit_url = f"/applications/{record.id}/edit/?token={content['token']}"
        return Review(
            title=f"Change {record.values['name']}",
            sentence=f"You change what {record.values['name']} may do, within two seconds everywhere.",
            groups=tuple(_edited_at(edit_url, group) for group in groups),
            back_url=_page(record),
            covers=covering(record),
        )

    def apply(self, content: Content, actor: Actor, deps: ChangeDeps, request: HttpRequest) -> Done:
        record = find_application(request, int(content["id"]))
        identity = Identity(name=str(content["name"]), username=str(content["username"]))
        name = str(record.values["name"])
        saved = change_application(actor, name, grants_of(content), deps, identity=identity)
        return Done(message=f"{saved.record.values['name']} is changed", url=_page(record))


class SetEnabled:
    def __init__(self, *, enabled: bool) -> None:
        self._enabled = enabled

    def review(self, content: Content, request: HttpRequest) -> Review:
        record = find_application(request, int(content["id"]))
        name = record.values["name"]
        meaning = "Its password and its certificates open EST again." if self._enabled else _DISABLED
        line = Line(
            label="Status",
            before=_state_word(bool(record.values["enabled"])),
            value=_state_word(self._enabled),
            meaning=meaning,
        )
        return Review(
            title=f"{'Enable' if self._enabled else 'Disable'} {name}",
            sentence=f"You {'let' if self._enabled else 'stop'} {name}{' enrol again' if self._enabled else ''}.",
            groups=(ReviewGroup(title=str(name), lines=(line,)),),
            is_destructive=not self._enabled,
            back_url=_page(record),
            covers=covering(record),
        )

    def apply(self, content: Content, actor: Actor, deps: ChangeDeps, request: HttpRequest) -> Done:
        record = find_application(request, int(content["id"]))
        name = str(record.values["name"])
        saved = set_application_enabled(actor, name, enabled=self._enabled, deps=deps)
        message = f"{name} is {_state_word(self._enabled)}"
        return Done(message=message, url=_page(record), warnings=saved.warnings)


class RotatePassword:
    def review(self, content: Content, request: HttpRequest) -> Review:
        record = find_application(request, int(content["id"]))
        name = record.values["name"]
        edit_url = f"/applications/{record.id}/rotate/?token={content['token']}"
        return Review(
            title=f"A new password for {name}",
            sentence=f"You give {name} a new password. The old one stops within two seconds, and its client"
            " certificates are revoked.",
            groups=(
                ReviewGroup(
                    title="Credential",
                    lines=(
                        Line(label="Username", value=str(record.values["username"])),
                        replace(password_line(content), before="the present one"),
                    ),
                    edit_url=edit_url,
                ),
            ),
            back_url=_page(record),
            covers=(*covering(record), *password_cover(content)),
        )

    def apply(self, content: Content, actor: Actor, deps: ChangeDeps, request: HttpRequest) -> Done:
        record = find_application(request, int(content["id"]))
        name, passwords = str(record.values["name"]), deps_of(request).passwords
        saved = rotate_password(actor, name, typed_password(content), passwords, deps)
        return Done(  # noqa: S604  # `shell` is text to show
            message=f"{name} has a new password",
            url=_page(record),
            secrets=_password_secrets(saved.generated_password),
            warnings=saved.warnings,
            shell=(netrc_line(saved.record, deps_of(request).est_url),),
        )


class DeleteApplication:
    def review(self, content: Content, request: HttpRequest) -> Review:
        deps = deps_of(request)
        record = find_application(request, int(content["id"]))
        name = record.values["name"]
        names = Names.read(deps.records)
        identity = ReviewGroup(
            title="What goes",
            lines=(
                Line(
                    label="Name",
                    value=str(name),
                    warning="Its password stops, and its client certificates are revoked. Its devices' certificates "
                    "stay valid until they are revoked or expire, "
                    "and can no longer renew themselves",
                ),
                Line(label="Username", value=str(record.values["username"])),
                Line(label="Group", value=names.of_group(record.values)),
            ),
        )
        return Review(
            title=f"Delete {name}",
            sentence=f"You delete {name}. Its name and history stay in the audit log.",
            groups=(identity,),
            button="Sign and Delete",
            is_destructive=True,
            back_url=_page(record),
            covers=covering(record),
        )

    def apply(self, content: Content, actor: Actor, deps: ChangeDeps, request: HttpRequest) -> Done:
        record = find_application(request, int(content["id"]))
        failed = remove_application(actor, str(record.values["name"]), deps)
        return Done(message=f"{record.values['name']} is deleted", url=_LIST, warnings=failed)


def _all_groups(
    values: Mapping[str, object], names: Names, endpoints: Endpoints, now: datetime
) -> tuple[ReviewGroup, ...]:
    identity = ReviewGroup(
        title=IDENTITY,
        lines=(
            Line(label="Name", value=str(values["name"]), meaning=_RENAMED),
            Line(label="Username", value=str(values["username"]), warning=_OTHER_USERNAME),
        ),
    )
    return (identity, *grant_groups(values, names, endpoints, now))


def _edited_at(form_url: str, group: ReviewGroup) -> ReviewGroup:
    """Edit leads to the group's own part of the form."""
    return replace(group, edit_url=f"{form_url}#{_SECTIONS[group.title]}")


def password_line(content: Content) -> Line:
    if content["password_hash"]:
        return Line(label="Password", value="typed, kept as its hash")
    return Line(label="Password", value="generated when this is signed", meaning="It is shown once, then.")


def password_cover(content: Content) -> tuple[str, ...]:
    """The signature is about this hash and no other, though no page shows it."""
    return (hashlib.sha256(str(content["password_hash"]).encode()).hexdigest(),)


def typed_password(content: Content) -> HashedPassword | None:
    return HashedPassword(str(content["password_hash"])) if content["password_hash"] else None


_RENAMED = "What it did so far stays in the audit log under its old name; certificates and password stay as they are."
_OTHER_USERNAME = "Its clients must use the new username: the old one stops within two seconds"
_DISABLED = (
    "Within two seconds no process lets it in: not by password, and not by a certificate of its. Its client"
    " certificates are revoked, for good."
)


def _rule_line(text: str) -> Line:
    try:
        rule = SubjectRule.parse(text) if text else None
    except CertuaryError as problem:
        return Line(label="Subject rule", value=text, warning=problem.detail)
    return Line(
        label="Subject rule",
        value=text or "any name",
        meaning=" ".join(rule_in_words(rule)) if rule else "",
        warning="" if rule else ANY_NAME,
    )


def _only_changed(before: tuple[ReviewGroup, ...], after: tuple[ReviewGroup, ...]) -> tuple[ReviewGroup, ...]:
    groups = []
    for old, new in zip(before, after, strict=True):
        lines = tuple(
            replace(line, before=was.value)
            for was, line in zip(old.lines, new.lines, strict=True)
            if was.value != line.value
        )
        if lines:
            groups.append(replace(new, lines=lines))
    return tuple(groups)


def _password_secrets(password: str | None) -> tuple[Secret, ...]:
    return () if password is None else (Secret(label="Its password", value=password),)


def _state_word(enabled: bool) -> str:
    return "enabled" if enabled else "disabled"


def _page(record: Record) -> str:
    return f"{_LIST}{record.id}/"
