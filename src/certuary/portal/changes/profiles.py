"""Profiles and labels: save a profile's next version, add a label, remove one."""

from __future__ import annotations

import hashlib
from itertools import groupby

from django.http import HttpRequest

from certuary.core.profile import Profile
from certuary.core.profile_config import parse_profile
from certuary.core.profile_words import Difference, differences
from certuary.errors import AlreadyExists, InvalidProfile, NotFound
from certuary.portal.deps import deps_of
from certuary.portal.profile_use import ProfileUses
from certuary.portal.signing import Content, Done, Line, Review, ReviewGroup, covering
from certuary.portal.text_difference import diff_hunks
from certuary.services.change_deps import ChangeDeps
from certuary.services.entitlement import Actor
from certuary.services.find_record import find_named, find_profile
from certuary.services.lint_profile import lint_profile
from certuary.services.manage_group import add_label, remove_label
from certuary.services.ports import Record
from certuary.services.save_profile import save_profile


class SaveProfile:
    def review(self, content: Content, request: HttpRequest) -> Review:
        toml = str(content["toml"])
        profile, current = Profile.from_toml(toml), _current(content, request)
        edit_url = f"{_editor_url(current)}?token={content['token']}"
        before = "" if current is None else str(current.values["toml"])
        number = 1 if current is None else _number(current) + 1
        name = profile.name
        return Review(
            title=f"A new profile {name}" if current is None else f"Profile {name}, version {number}",
            sentence=(
                f"You save version {number} of the profile {name}. It takes effect within two seconds;"
                " certificates that were issued keep the version they were issued under."
            ),
            groups=(
                *_groups(_differences(before, toml), edit_url, is_edit=current is not None),
                _use_group(profile, current, request),
                _text_group(before, toml, edit_url),
            ),
            back_url="/profiles/" if current is None else f"/profiles/{current.id}/",
            covers=(*covering(current), hashlib.sha256(toml.encode()).hexdigest()),
        )

    def apply(self, content: Content, actor: Actor, deps: ChangeDeps, request: HttpRequest) -> Done:
        now = deps.clock.now()
        saved = save_profile(
            actor, str(content["toml"]), lambda profile: lint_profile(profile, now=now), deps
        )
        name, number = saved.record.values["name"], saved.record.values["current_version"]
        url = f"/profiles/{saved.record.id}/"
        if saved.is_unchanged:
            return Done(
                message=f"Version {number} of {name} says just this already; nothing was saved", url=url
            )
        return Done(message=f"Profile {name} is saved as version {number}", url=url)


class NewLabel:
    def review(self, content: Content, request: HttpRequest) -> Review:
        deps, name = deps_of(request), str(content["name"])
        profile = find_profile(deps.records, str(content["profile"]))
        url = f"{deps.est_url}/{name}/simpleenroll"
        lines = (
            Line(label="Label", value=name, meaning=f"clients enrol at {url}"),
            Line(
                label="Profile",
                value=str(profile.values["name"]),
                meaning="only applications that are given this label may use it",
            ),
        )
        edit_url = f"/labels/new/?token={content['token']}"
        return Review(
            title=f"A new label {name}",
            sentence=f"You add the label {name}, under which certificates of one profile are enrolled for.",
            groups=(ReviewGroup(title="Label", lines=lines, edit_url=edit_url),),
            back_url="/labels/",
            covers=covering(profile),
        )

    def apply(self, content: Content, actor: Actor, deps: ChangeDeps, request: HttpRequest) -> Done:
        label = add_label(actor, str(content["name"]), str(content["profile"]), deps)
        return Done(message=f"Label {label.values['name']} is there", url="/labels/")


class RemoveLabel:
    def review(self, content: Content, request: HttpRequest) -> Review:
        label = find_named(deps_of(request).records, "label", str(content["name"]))
        name = str(label.values["name"])
        url = f"{deps_of(request).est_url}/{name}/simpleenroll"
        line = Line(label="Label", value=name, warning=f"{url} answers 404 from then on")
        return Review(
            title=f"Remove the label {name}",
            sentence=f"You remove the label {name}. Certificates that were issued under it stay as they are.",
            groups=(ReviewGroup(title="Label", lines=(line,)),),
            button="Sign and Remove",
            is_destructive=True,
            back_url="/labels/",
            covers=covering(label),
        )

    def apply(self, content: Content, actor: Actor, deps: ChangeDeps, request: HttpRequest) -> Done:
        remove_label(actor, str(content["name"]), deps)
        return Done(message=f"Label {content['name']} is removed", url="/labels/")


def _current(content: Content, request: HttpRequest) -> Record | None:
    """The profile that is edited; None for a new one, whose name must be free still."""
    records = deps_of(request).records
    if content["profile_id"] is None:
        name = Profile.from_toml(str(content["toml"])).name
        if records.find("profile", name=name) is not None:
            raise AlreadyExists(f"there is a profile {name!r} by now; edit that one")
        return None
    current = records.find("profile", id=content["profile_id"])
    if current is None:
        raise NotFound("the profile was removed in the meantime")
    return current


def _number(profile: Record) -> int:
    number = profile.values["current_version"]
    assert isinstance(number, int)
    return number


def _editor_url(current: Record | None) -> str:
    return "/profiles/new/" if current is None else f"/profiles/{current.id}/edit/"


def _differences(before: str, after: str) -> tuple[Difference, ...]:
    try:
        old = parse_profile(before) if before else None
    except InvalidProfile:
        old = None
    return differences(old, parse_profile(after))


def _groups(found: tuple[Difference, ...], edit_url: str, *, is_edit: bool) -> tuple[ReviewGroup, ...]:
    """On an edit only what changes."""
    shown = [each for each in found if each.is_change or each.before is None or not is_edit]
    return tuple(
        ReviewGroup(title=title, lines=tuple(map(_line, group)), edit_url=edit_url)
        for title, group in groupby(shown, key=lambda each: each.after.group)
    )


def _line(found: Difference) -> Line:
    before = None if found.before is None else found.before.value
    return Line(label=found.after.label, value=found.after.value, meaning=found.after.meaning, before=before)


def _use_group(profile: Profile, current: Record | None, request: HttpRequest) -> ReviewGroup:
    if current is None:
        line = Line(
            label="Used by", value="nobody yet", meaning="give it to applications, or make a label for it"
        )
        return ReviewGroup(title="Who uses it", lines=(line,), is_context=True)
    use = ProfileUses(request).of(current)
    warning = ""
    if use.is_default and not profile.est_default:
        warning = (
            "the property selects it for the endpoint without a label: EST answers 503 once this is saved"
        )
    names = [str(each.values["name"]) for each in use.applications]
    labels = [str(each.values["name"]) for each in use.labels]
    return ReviewGroup(
        title="Who uses it",
        lines=(
            Line(label="Applications", value=_some(names), warning=warning),
            Line(label="Labels", value=_some(labels)),
        ),
        is_context=True,
    )


def _some(names: list[str]) -> str:
    more = len(names) - 10
    return (", ".join(names[:10]) or "none") + (f" and {more:,} more" if more > 0 else "")


def _text_group(before: str, after: str, edit_url: str) -> ReviewGroup:
    lines: tuple[Line, ...]
    if not before:
        lines = (Line(label="TOML", value=after, is_code=True),)
    else:
        lines = tuple(
            Line(label=f"From line {hunk.number}", value=hunk.after, before=hunk.before, is_code=True)
            for hunk in diff_hunks(before, after)
        ) or (Line(label="TOML", value="the same text as before"),)
    return ReviewGroup(title="The text that is signed", lines=lines, edit_url=edit_url)
