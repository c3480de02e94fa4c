"""Manage Profiles: list, look at, compare, create, clone and edit."""

from __future__ import annotations

from itertools import groupby
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import Encoding
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from certuary.core.profile import Profile
from certuary.core.profile_config import ProfileConfig, parse_profile
from certuary.core.profile_text import set_values
from certuary.core.profile_words import Fact, describe, differences, span_text
from certuary.errors import CertuaryError, InvalidProfile
from certuary.portal.access import may_administer
from certuary.portal.certificate_fields import decode_sample
from certuary.portal.deps import deps_of
from certuary.portal.profile_checks import is_altered, lint_findings
from certuary.portal.profile_editor import STARTING_TEXT, Edited, edit, open_editor, refuse
from certuary.portal.profile_use import ProfileUse, ProfileUses
from certuary.portal.rows import SealStates
from certuary.portal.signing import content_of, propose
from certuary.portal.tables import Cell, Column, Row, Table, number_of, table_response
from certuary.portal.templatetags.portal import state
from certuary.portal.text_difference import diff_lines
from certuary.services.lint_profile import sample_certificate
from certuary.services.ports import Record
from certuary.store.profile_versions import find_version, list_versions

_COLUMNS: Final = (
    Column(name="name", title="Name"),
    Column(name="version", title="Version", is_number=True),
    Column(name="authority", title="Authority"),
    Column(name="est_default", title="Default"),
    Column(name="lifetime", title="Lifetime"),
    Column(name="keys", title="Keys"),
    Column(name="used_by", title="Used by"),
    Column(name="seal", title="Seal"),
)


def profiles(request: HttpRequest) -> HttpResponse:
    records, states, uses = deps_of(request).records, SealStates(request), ProfileUses(request)
    query = request.GET.get("q", "").strip().lower()
    found = [
        record
        for record in records.all("profile")
        if query in f"{record.values['name']} {record.values['toml']}".lower()
    ]
    missing = () if query else states.missing("profile", columns=len(_COLUMNS))
    is_administrator = may_administer(request)
    table = Table(
        caption="Profiles",
        columns=_COLUMNS,
        rows=(*(_row(record, uses.of(record), states) for record in found), *missing),
        search_label="Search names and what profiles say",
        query=request.GET.get("q", ""),
        empty_title="No profile fits" if query else "No profiles yet",
        empty_text="A profile says what a certificate may contain: names, keys, purposes and how long it lives.",
        empty_action=("New profile", "/profiles/new/") if is_administrator else None,
    )
    context = {
        "title": "Manage Profiles",
        "lead": "What a certificate may contain.",
        "actions": [("New profile", "/profiles/new/")] if is_administrator else [],
    }
    return table_response(request, "portal/list.html", table, context)


def _row(record: Record, use: ProfileUse, states: SealStates) -> Row:
    name = Cell(text=str(record.values["name"]), url=f"/profiles/{record.id}/")
    version = Cell(text=str(record.values["current_version"]))
    seal, is_broken = states.cell(record), states.is_broken(record)
    try:
        config = parse_profile(str(record.values["toml"]))
    except InvalidProfile as problem:
        unusable = Cell(text=f"unusable: {problem.detail}", html=state("broken", "Unusable"))
        blank = Cell(text="")
        return Row(
            cells=(name, version, blank, unusable, blank, blank, Cell(text=_used_by(use)), seal),
            is_broken=True,
        )
    return Row(
        cells=(
            name,
            version,
            Cell(text=config.authority),
            _default_cell(config, use),
            Cell(text=span_text(config.lifetime)),
            Cell(text=", ".join(config.keys)),
            Cell(text=_used_by(use)),
            seal,
        ),
        is_broken=is_broken,
    )


def _default_cell(config: ProfileConfig, use: ProfileUse) -> Cell:
    if use.is_default and not config.est_default:
        return Cell(text="selected, not allowed", html=state("broken", "Selected, not allowed"))
    if use.is_default:
        return Cell(text="selected", html=state("good", "Selected"))
    return Cell(text="may be selected" if config.est_default else "no")


def _used_by(use: ProfileUse) -> str:
    counts = ((len(use.applications), "application"), (len(use.labels), "label"))
    return ", ".join(_count(number, word) for number, word in counts if number) or "nobody"


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def profile(request: HttpRequest, profile_id: int) -> HttpResponse:
    record = _found(request, profile_id)
    problem, groups = "", _facts(str(record.values["toml"]))
    if groups is None:
        problem = _why_unusable(str(record.values["toml"]))
    states = SealStates(request)
    context = {
        "record": record,
        "name": record.values["name"],
        "groups": groups or (),
        "unusable": problem,
        "facts": {} if groups is None else {fact.path: fact for _, facts in groups for fact in facts},
        "use": ProfileUses(request).of(record),
        "seal": states.cell(record),
        "seal_problem": states.problem(record),
        "versions": _versions(request, profile_id),
        "may_change": may_administer(request),
    }
    return render(request, "portal/profile.html", context)


def _facts(toml: str) -> list[tuple[str, list[Fact]]] | None:
    try:
        facts = describe(parse_profile(toml))
    except InvalidProfile:
        return None
    return [(title, list(group)) for title, group in groupby(facts, key=lambda fact: fact.group)]


def _why_unusable(toml: str) -> str:
    try:
        Profile.from_toml(toml)
    except InvalidProfile as problem:
        return problem.detail
    return ""


def _versions(request: HttpRequest, profile_id: int) -> list[dict[str, Any]]:
    """Newest first, each with whether its mark holds and the number before it."""
    rows = list_versions(profile_id)
    return [{"row": row, "is_altered": is_altered(request, row), "before": row.number - 1} for row in rows]


def compare(request: HttpRequest, profile_id: int, first: int, second: int) -> HttpResponse:
    record = _found(request, profile_id)
    before, after = find_version(profile_id, first), find_version(profile_id, second)
    if before is None or after is None:
        raise Http404("there is no such version")
    try:
        changed = differences(parse_profile(before.toml), parse_profile(after.toml))
    except InvalidProfile:
        changed = ()  # the texts are compared all the same
    context = {
        "record": record,
        "name": record.values["name"],
        "before": before,
        "after": after,
        "changed": [each for each in changed if each.is_change],
        "lines": diff_lines(before.toml, after.toml),
        "numbers": [row.number for row in list_versions(profile_id)],
        "altered": [row.number for row in (before, after) if is_altered(request, row)],
    }
    return render(request, "portal/profile_compare.html", context)


def choose_comparison(request: HttpRequest, profile_id: int) -> HttpResponse:
    """From the two selects of a page to the page that compares."""
    _found(request, profile_id)
    first, second = number_of(request, "from"), number_of(request, "to")
    if first is None or second is None:
        raise Http404("there is no such version")
    return redirect("profile-compare", profile_id=profile_id, first=first, second=second)


def download(request: HttpRequest, profile_id: int, number: int) -> HttpResponse:
    record, version = _found(request, profile_id), find_version(profile_id, number)
    if version is None:
        raise Http404("there is no such version")
    response = HttpResponse(version.toml, content_type="application/toml; charset=utf-8")
    name = f"{record.values['name']}-{number}.toml"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@require_http_methods(["GET", "POST"])
def new_profile(request: HttpRequest) -> HttpResponse:
    return _editor(request, None)


@require_http_methods(["GET", "POST"])
def edit_profile(request: HttpRequest, profile_id: int) -> HttpResponse:
    return _editor(request, _found(request, profile_id))


def _editor(request: HttpRequest, record: Record | None) -> HttpResponse:
    authorities = _issuing_authorities(request)
    if request.method == "GET":
        return _editor_page(request, record, open_editor(_first_text(request, record), authorities))
    edited = edit(request.POST, authorities)
    if edited.profile is not None and request.POST.get("act") == "proceed":
        faults = _faults(request, record, edited.profile)
        if not faults:
            content = {"toml": edited.toml, "profile_id": None if record is None else record.id}
            return redirect(propose(request, "profile-save", content))
        edited = refuse(edited, faults, authorities)
    return _editor_page(request, record, edited)


def _faults(request: HttpRequest, record: Record | None, profile: Profile) -> list[tuple[str, str]]:
    """What keeps it from being saved: the key that is to blame, "" for none, and a sentence each."""
    if record is not None and profile.name != record.values["name"]:
        return [("name", "a profile keeps its name; clone it for another one")]
    if record is None and deps_of(request).records.find("profile", name=profile.name) is not None:
        return [("name", "there is a profile of this name; edit that one, or choose another name")]
    return lint_findings(profile, deps_of(request).clock.now())


def _first_text(request: HttpRequest, record: Record | None) -> str:
    typed = content_of(request, request.GET.get("token"), "profile-save")
    if typed is not None:
        return str(typed["toml"])
    if record is not None:
        return str(record.values["toml"])
    if not request.GET.get("clone"):
        return STARTING_TEXT
    original = _found(request, number_of(request, "clone") or 0)
    toml = str(original.values["toml"])
    try:
        return set_values(toml, {"name": f"{original.values['name']}-copy"[:63]}).toml
    except InvalidProfile:
        return toml


def _editor_page(request: HttpRequest, record: Record | None, edited: Edited) -> HttpResponse:
    is_part = "HX-Request" in request.headers
    context = {
        "record": record,
        "title": "New profile" if record is None else f"Edit {record.values['name']}",
        "edited": edited,
        "form": edited.form,
        "back_url": "/profiles/" if record is None else f"/profiles/{record.id}/",
        **_preview(request, edited),
    }
    return render(
        request, "portal/profile_editor_parts.html" if is_part else "portal/profile_editor.html", context
    )


def _preview(request: HttpRequest, edited: Edited) -> dict[str, Any]:
    if edited.profile is None:
        return {}
    try:
        sample = sample_certificate(edited.profile, now=deps_of(request).clock.now())
    except CertuaryError as problem:
        return {"preview_problem": problem.detail}
    return {"preview": decode_sample(sample), "preview_pem": sample.public_bytes(Encoding.PEM).decode()}


def _issuing_authorities(request: HttpRequest) -> tuple[str, ...]:
    records = deps_of(request).records.all("authority")
    return tuple(str(each.values["name"]) for each in records if each.values["kind"] == "issuing")


def _found(request: HttpRequest, profile_id: int) -> Record:
    record = deps_of(request).records.find("profile", id=profile_id)
    if record is None:
        raise Http404("there is no such profile")
    return record
