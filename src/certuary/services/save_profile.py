"""Save a profile: check it whole, lint a sample of what it makes, add it or make its next version."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from certuary.core.profile import Profile
from certuary.errors import InvalidProfile
from certuary.services.change_deps import ChangeDeps
from certuary.services.change_record import change_records
from certuary.services.entitlement import Actor
from certuary.services.find_record import nearest
from certuary.services.ports import Record, RecordStore

Lint = Callable[[Profile], tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileSaved:
    """`is_new` says whether this is version 1; `is_unchanged` that the current version says the same already."""

    record: Record
    is_new: bool
    is_unchanged: bool


def check_profile_text(toml: str, lint: Lint) -> Profile:
    """`InvalidProfile`, naming the line, or the linter's findings."""
    profile = Profile.from_toml(toml)
    findings = lint(profile)
    if findings:
        raise InvalidProfile(
            f"a certificate made under {profile.name!r} would be wrong: " + "; ".join(findings)
        )
    return profile


def save_profile(actor: Actor, toml: str, lint: Lint, deps: ChangeDeps) -> ProfileSaved:
    """A version is never changed: certificates point at it. The same text twice makes no second version."""
    profile = check_profile_text(toml, lint)
    _check_authority(profile, deps.records)
    with change_records(actor, deps) as changes:
        current = changes.find("profile", name=profile.name)
        if current is None:
            record = changes.create("profile", {"name": profile.name, "toml": toml})
            return ProfileSaved(record=record, is_new=True, is_unchanged=False)
        if current.values["toml"] == toml:
            return ProfileSaved(record=current, is_new=False, is_unchanged=True)
        record = changes.update(current, {"toml": toml})
        return ProfileSaved(record=record, is_new=False, is_unchanged=False)


def _check_authority(profile: Profile, records: RecordStore) -> None:
    authority = records.find("authority", name=profile.authority)
    if authority is not None and authority.values["kind"] == "issuing":
        return
    known = [
        str(record.values["name"])
        for record in records.all("authority")
        if record.values["kind"] == "issuing"
    ]
    raise InvalidProfile(
        f"there is no issuing authority {profile.authority!r}{nearest(profile.authority, known)}"
    )
