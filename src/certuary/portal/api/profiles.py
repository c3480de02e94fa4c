"""Profiles and labels over the API: their versions, what they would make, who uses them."""

from __future__ import annotations

import difflib

from cryptography.hazmat.primitives.serialization import Encoding
from django.http import HttpRequest
from ninja import Router

from certuary.core.profile import Profile as CheckedProfile
from certuary.core.profile_config import parse_profile
from certuary.core.profile_words import Difference, differences
from certuary.errors import CertuaryError, InvalidProfile, NotFound
from certuary.portal.access import ADMINISTRATORS, EVERYBODY
from certuary.portal.api import answers
from certuary.portal.api.callers import caller_of, needs, sign
from certuary.portal.api.describe import Describer, describe_sections, fresh
from certuary.portal.api.idempotency import NOTHING, Answer, answer_of, change
from certuary.portal.api.pages import Paging, after, cut, number_cursor
from certuary.portal.api.schemas import LabelGiven, ProfileGiven
from certuary.portal.certificate_fields import decode_sample
from certuary.portal.deps import deps_of
from certuary.portal.profile_checks import is_altered, lint_findings
from certuary.portal.profile_use import ProfileUses
from certuary.services.find_record import find_named, find_profile
from certuary.services.lint_profile import lint_profile, sample_certificate
from certuary.services.manage_group import add_label, remove_label
from certuary.services.ports import ProfileVersionRow
from certuary.services.record_gate import name_of
from certuary.services.save_profile import save_profile
from certuary.store.profile_versions import find_version, list_versions

profiles = Router(tags=["Profiles"])
checks = Router(tags=["Profiles"])
labels = Router(tags=["Labels"])

_READ = needs("profiles:read", EVERYBODY)
_WRITE = needs("profiles:write", ADMINISTRATORS)


@profiles.get("", response=answers.ProfilePage, summary="List profiles, by name", **_READ)
def list_profiles(request: HttpRequest, paging: Paging) -> answers.ProfilePage:
    found = after(deps_of(request).records.all("profile"), paging.cursor, paging.limit, name_of)
    shown, cursor = cut(found, paging.limit, name_of)
    describe = Describer(request)
    return answers.ProfilePage(items=[describe.profile(record) for record in shown], next_cursor=cursor)


@profiles.get("/{name}", response=answers.WholeProfile, summary="One profile, with its TOML", **_READ)
def get_profile(request: HttpRequest, name: str) -> answers.WholeProfile:
    record = find_profile(deps_of(request).records, name)
    return answers.WholeProfile(**Describer(request).profile_fields(record), toml=str(record.values["toml"]))


@profiles.post(
    "",
    response={200: answers.ProfileSaved, 201: answers.ProfileSaved},
    summary="Make a profile, or its next version",
    **_WRITE,
)
@change
def create_profile_version(request: HttpRequest, given: ProfileGiven) -> Answer:
    actor, deps = sign(request, caller_of(request))
    now = deps.clock.now()
    saved = save_profile(actor, given.toml, lambda profile: lint_profile(profile, now=now), deps)
    record = fresh(request, saved.record)
    body = answers.ProfileSaved(
        **Describer(request).profile_fields(record),
        toml=str(record.values["toml"]),
        is_unchanged=saved.is_unchanged,
    )
    return answer_of(body, status=201 if saved.is_new else 200)


@checks.post("", response=answers.ProfileChecked, summary="Check a profile, saving nothing", **_READ)
def check_profile(request: HttpRequest, given: ProfileGiven) -> answers.ProfileChecked:
    """The findings that the portal's editor gives, and a sample of what would be issued. About a second."""
    profile = CheckedProfile.from_toml(given.toml)
    now = deps_of(request).clock.now()
    findings = [
        answers.ProfileFinding(path=path, detail=detail) for path, detail in lint_findings(profile, now)
    ]
    try:
        sample = sample_certificate(profile, now=now)
    except CertuaryError:
        return answers.ProfileChecked(name=profile.name, findings=findings, sample_pem=None, sample=[])
    return answers.ProfileChecked(
        name=profile.name,
        findings=findings,
        sample_pem=sample.public_bytes(Encoding.PEM).decode("ascii"),
        sample=describe_sections(decode_sample(sample)),
    )


@profiles.get(
    "/{name}/versions",
    response=answers.ProfileVersionPage,
    summary="What a profile said, newest first",
    **_READ,
)
def list_profile_versions(request: HttpRequest, name: str, paging: Paging) -> answers.ProfileVersionPage:
    before = number_cursor(paging.cursor)
    rows = list_versions(_number_of(request, name), before=before, limit=paging.limit + 1)
    shown, cursor = cut(rows, paging.limit, lambda row: row.number)
    return answers.ProfileVersionPage(items=[_version(request, row) for row in shown], next_cursor=cursor)


@profiles.get(
    "/{name}/versions/{int:number}",
    response=answers.ProfileVersion,
    summary="One version of a profile",
    **_READ,
)
def get_profile_version(request: HttpRequest, name: str, number: int) -> answers.ProfileVersion:
    return _version(request, _find_version(request, name, number))


@profiles.get(
    "/{name}/versions/{int:before}/differences/{int:after}",
    response=answers.ProfileDifference,
    summary="What two versions of a profile say otherwise",
    **_READ,
)
def compare_profile_versions(
    request: HttpRequest, name: str, before: int, after: int
) -> answers.ProfileDifference:
    old, new = _find_version(request, name, before), _find_version(request, name, after)
    lines = difflib.unified_diff(
        old.toml.splitlines(), new.toml.splitlines(), f"version {before}", f"version {after}", lineterm=""
    )
    return answers.ProfileDifference(changes=_changes(old.toml, new.toml), diff="\n".join(lines))


@profiles.get(
    "/{name}/use", response=answers.ProfileUse, summary="Which applications and labels use it", **_READ
)
def get_profile_use(request: HttpRequest, name: str) -> answers.ProfileUse:
    use = ProfileUses(request).of(find_profile(deps_of(request).records, name))
    return answers.ProfileUse(
        is_default=use.is_default,
        labels=[str(label.values["name"]) for label in use.labels],
        applications=[str(application.values["name"]) for application in use.applications],
    )


@labels.get("", response=answers.LabelPage, summary="List labels, by name", **_READ)
def list_labels(request: HttpRequest, paging: Paging) -> answers.LabelPage:
    found = after(deps_of(request).records.all("label"), paging.cursor, paging.limit, name_of)
    shown, cursor = cut(found, paging.limit, name_of)
    describe = Describer(request)
    return answers.LabelPage(items=[describe.label(record) for record in shown], next_cursor=cursor)


@labels.get("/{name}", response=answers.Label, summary="One label", **_READ)
def get_label(request: HttpRequest, name: str) -> answers.Label:
    return Describer(request).label(find_named(deps_of(request).records, "label", name))


@labels.post("", response={201: answers.Label}, summary="Add a label", **_WRITE)
@change
def create_label(request: HttpRequest, given: LabelGiven) -> Answer:
    actor, deps = sign(request, caller_of(request))
    label = add_label(actor, given.name, given.profile, deps)
    return answer_of(Describer(request).label(fresh(request, label)), status=201)


@labels.delete("/{name}", response={204: None}, summary="Remove a label", **_WRITE)
@change
def delete_label(request: HttpRequest, name: str) -> Answer:
    actor, deps = sign(request, caller_of(request))
    remove_label(actor, name, deps)
    return NOTHING


def _number_of(request: HttpRequest, name: str) -> int:
    number = find_profile(deps_of(request).records, name).id
    assert isinstance(number, int)
    return number


def _find_version(request: HttpRequest, name: str, number: int) -> ProfileVersionRow:
    profile_id = _number_of(request, name)
    # More digits than a column holds would overflow in the database.
    found = find_version(profile_id, number) if number < 2**31 else None
    if found is None:
        raise NotFound(f"profile {name!r} has no such version")
    return found


def _version(request: HttpRequest, row: ProfileVersionRow) -> answers.ProfileVersion:
    return answers.ProfileVersion(
        number=row.number,
        toml=row.toml,
        created_at=row.created_at,
        created_by=row.created_by,
        is_altered=is_altered(request, row),
    )


def _changes(before: str, after: str) -> list[answers.ProfileChange]:
    try:
        found = differences(parse_profile(before), parse_profile(after))
    except InvalidProfile:
        return []  # the texts are compared all the same
    return [_change(one) for one in found if one.is_change]


def _change(one: Difference) -> answers.ProfileChange:
    return answers.ProfileChange(
        path=one.after.path,
        label=one.after.label,
        before="" if one.before is None else one.before.value,
        after=one.after.value,
    )
