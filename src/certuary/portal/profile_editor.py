"""The form and the TOML of one profile, side by side: whichever was edited carries the other along.

The page carries the text as both sides last agreed on it (`shown`). What differs from it was edited: the TOML wins
where only it differs, the form where only that does, and when both do a person says which.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from certuary.core.profile import Profile
from certuary.core.profile_text import read_values, set_values
from certuary.errors import InvalidProfile
from certuary.portal.forms.profiles import ProfileForm, changes_of, field_of, initial_of

Side = Literal["", "form", "toml"]

STARTING_TEXT: Final = """\
name = "new-profile"
description = ""
authority = "issuing"
est_default = false

[validity]
lifetime = "90d"

[keys]
allow = ["ec-p256", "ec-p384"]

[subject]
required = ["CN"]

[alternative_names]
allow = ["dns", "ip"]

[key_usage]
allow = ["digitalSignature"]

[extended_key_usage]
allow = ["clientAuth"]
"""

_BOTH = (
    "the form and the TOML were both edited, each in its own way;"
    " choose the one that counts with its button, and the other is overwritten"
)
_WRITTEN_ANEW = "The TOML was written anew: its comments and order could not be kept."


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """Both sides after a request. `profile` is None while there is a problem; then each side shows what was typed."""

    shown: str
    toml: str
    form: ProfileForm
    side: Side = ""
    profile: Profile | None = None
    problem: str = ""
    note: str = ""


def open_editor(toml: str, authorities: Iterable[str]) -> Edited:
    """For the first look at a text. One that this release cannot read is shown beside an empty form."""
    known = tuple(authorities)
    try:
        profile = Profile.from_toml(toml)
    except InvalidProfile as problem:
        starting = read_values(STARTING_TEXT)
        form = ProfileForm(initial=initial_of(starting), authorities=known)
        return Edited(shown=STARTING_TEXT, toml=toml, form=form, problem=problem.detail)
    return _agreed(toml, profile, known)


def edit(data: Mapping[str, Any], authorities: Iterable[str]) -> Edited:
    """`data` is the posted form. Without `act` "form" or "toml" the edited side wins."""
    known = tuple(authorities)
    shown, toml = _text(data, "shown") or STARTING_TEXT, _text(data, "toml")
    form = ProfileForm(data, authorities=known)
    try:
        values = read_values(shown)
    except InvalidProfile:
        shown = STARTING_TEXT
        values = read_values(shown)
    changes = changes_of(form.typed(), values)
    is_form_edited, is_toml_edited = bool(changes) or bool(form.errors), toml != shown
    chosen = data.get("act")
    if chosen == "form":
        is_toml_edited = False
    elif chosen == "toml":
        is_form_edited = False
    if is_form_edited and is_toml_edited:
        return Edited(shown=shown, toml=toml, form=form, problem=_BOTH)
    if is_toml_edited:
        return _from_toml(toml, shown, form, known)
    return _from_form(shown, form, changes if is_form_edited else {}, known)


def _from_toml(toml: str, shown: str, form: ProfileForm, authorities: tuple[str, ...]) -> Edited:
    try:
        profile = Profile.from_toml(toml)
    except InvalidProfile as problem:
        unread = ProfileForm(initial=initial_of(form.typed()), authorities=authorities)
        return Edited(shown=shown, toml=toml, form=unread, side="toml", problem=problem.detail)
    return _agreed(toml, profile, authorities, side="toml")


def _from_form(
    shown: str, form: ProfileForm, changes: Mapping[str, Any], authorities: tuple[str, ...]
) -> Edited:
    if form.errors:
        return Edited(shown=shown, toml=shown, form=form, side="form", problem="the form needs another look")
    try:
        written = set_values(shown, changes)
        profile = Profile.from_toml(written.toml)
    except InvalidProfile as problem:
        blame(form, problem.path, problem.problem)
        return Edited(shown=shown, toml=shown, form=form, side="form", problem=problem.problem)
    note = "" if written.kept_the_rest else _WRITTEN_ANEW
    return _agreed(written.toml, profile, authorities, side="form" if changes else "", note=note)


def blame(form: ProfileForm, path: str, problem: str) -> None:
    """The error stands at the key's field; above the form when it has none."""
    name = field_of(path)
    form.add_error(name, problem)
    if name is not None:
        form.fields[name].widget.attrs["aria-invalid"] = "true"


def refuse(edited: Edited, faults: Iterable[tuple[str, str]], authorities: Iterable[str]) -> Edited:
    """What both sides agree on, with what is wrong with it at the fields."""
    form = ProfileForm(initial_of(read_values(edited.toml)), authorities=authorities)
    for path, problem in faults:
        blame(form, path, problem)
    return replace(edited, form=form)


def _agreed(
    toml: str, profile: Profile, authorities: tuple[str, ...], *, side: Side = "", note: str = ""
) -> Edited:
    known = authorities if profile.authority in authorities else (*authorities, profile.authority)
    form = ProfileForm(initial=initial_of(read_values(toml)), authorities=known)
    return Edited(shown=toml, toml=toml, form=form, side=side, profile=profile, note=note)


def _text(data: Mapping[str, Any], name: str) -> str:
    """Browsers send line ends of their own."""
    return str(data.get(name, "")).replace("\r\n", "\n")
