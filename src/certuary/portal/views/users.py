"""Manage Users & Roles: who may do what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from certuary.errors import CertuaryError
from certuary.portal.deps import deps_of
from certuary.portal.forms.users import CompromisedForm, NewUserForm, RoleForm
from certuary.portal.history import history
from certuary.portal.people import (
    check_other,
    find_user,
    group_ids_of,
    groups_in_words,
    groups_seen,
    is_compromised,
    may_change,
    roles_given_by,
    users_seen,
    viewer,
)
from certuary.portal.problem import problem_page
from certuary.portal.role_words import ROLE_MEANINGS, ROLE_NAMES, role_in_words
from certuary.portal.rows import SealStates, moment_cell
from certuary.portal.scope import Scope
from certuary.portal.second_factors import Factors, are_as_signed, factors_by_user, factors_of
from certuary.portal.signing import content_of, propose
from certuary.portal.tables import (
    PAGE_SIZE,
    Cell,
    Chip,
    Choice,
    Column,
    Row,
    Table,
    table_response,
    without,
)
from certuary.portal.templatetags.portal import state
from certuary.services.entitlement import CA_ADMINISTRATOR, sees_everything
from certuary.services.manage_identity import identities_of
from certuary.services.manage_user import signed_with
from certuary.services.ports import Record
from certuary.services.signing_key import certificate_of
from certuary.store.sign_ins import last_sign_ins

_COLUMNS: Final = (
    Column(name="name", title="Username"),
    Column(name="role", title="Role"),
    Column(name="groups", title="Groups"),
    Column(name="state", title="State"),
    Column(name="second_factor", title="Second factor"),
    Column(name="last_sign_in", title="Last sign-in"),
    Column(name="seal", title="Seal"),
)


def users(request: HttpRequest) -> HttpResponse:
    found = _filtered(request, users_seen(request))
    after = request.GET.get("after", "")
    page = [user for user in found if str(user.values["name"]) > after][: PAGE_SIZE + 1]
    has_more = len(page) > PAGE_SIZE
    page = page[:PAGE_SIZE]
    table = Table(
        caption="Users",
        columns=_COLUMNS,
        rows=_rows(request, page, is_whole=not after and not has_more and not _is_filtered(request)),
        older_url=without(request, after=str(page[-1].values["name"])) if has_more else "",
        newer_url=without(request, "after") if after else "",
        chips=_chips(request),
        choices=(
            Choice(
                name="role",
                title="Role",
                options=(("", "Any"), *ROLE_NAMES.items()),
                value=request.GET.get("role", ""),
            ),
            Choice(
                name="state",
                title="State",
                options=(("", "Any"), ("enabled", "Enabled"), ("disabled", "Disabled")),
                value=request.GET.get("state", ""),
            ),
        ),
        search_label="Username",
        query=request.GET.get("q", ""),
        empty_title="No user fits",
        empty_text="Users are people with a role: they sign in here, and sign what they change.",
    )
    may_add = bool(roles_given_by(viewer(request).role))
    context = {
        "title": "Users",
        "lead": "People, what they may do, and how they sign in.",
        "actions": [("New user", "/users/new/")] if may_add else [],
    }
    return table_response(request, "portal/list.html", table, context)


def user(request: HttpRequest, number: int) -> HttpResponse:
    try:
        record = find_user(request, number)
    except CertuaryError as problem:
        return problem_page(request, problem)
    name, role = str(record.values["name"]), str(record.values["role"])
    person, states = viewer(request), SealStates(request)
    may = may_change(request, record)
    context = {
        "person": record.values,
        "number": record.id,
        "role": role_in_words(role),
        "role_meaning": ROLE_MEANINGS.get(role, ""),
        "groups": _groups(record, deps_of(request).records.all("group")),
        "factors": factors_of(number),
        "factors_hold": are_as_signed(record),
        "seal": states.cell(record),
        "problem": states.problem(record),
        "is_me": record.id == person.pk,
        "may_change": may,
        "identities": identities_of(record),
        "may_bind": person.role == CA_ADMINISTRATOR,
        "has_other_ways": deps_of(request).ways.has_others,
        "opens_by_password": deps_of(request).ways.password,
        "may_reset": may and person.role == CA_ADMINISTRATOR,
        "is_compromised": is_compromised(states.gate, record),
        "signed_in_at": last_sign_ins([name]).get(name),
        "history": history([f"user:{name}"]),
    }
    return render(request, "portal/user.html", context)


@require_http_methods(["GET", "POST"])
def new_user(request: HttpRequest) -> HttpResponse:
    typed = content_of(request, request.GET.get("token"), "user-new")
    form = NewUserForm(
        roles_given_by(viewer(request).role), groups_seen(request), request.POST or None, initial=typed
    )
    if request.method == "POST" and form.is_valid():
        taken = deps_of(request).records.find("user", name=form.cleaned_data["name"])
        if taken is None:
            return redirect(propose(request, "user-new", form.cleaned_data))
        form.add_error("name", "There is a user of this name already. Names are not given twice.")
    return render(
        request, "portal/role_form.html", {"form": form, "title": "New user", "back_url": "/users/"}
    )


@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, number: int) -> HttpResponse:
    try:
        record = check_other(request, find_user(request, number))
    except CertuaryError as problem:
        return problem_page(request, problem)
    form = RoleForm(
        roles_given_by(viewer(request).role),
        groups_seen(request),
        request.POST or None,
        initial=content_of(request, request.GET.get("token"), "user-change") or _as_it_is(request, record),
    )
    if request.method == "POST" and form.is_valid():
        return redirect(propose(request, "user-change", {"id": number, **form.cleaned_data}))
    context = {
        "form": form,
        "title": f"Role and groups of {record.values['name']}",
        "back_url": f"/users/{number}/",
    }
    return render(request, "portal/role_form.html", context)


@require_POST
def enable(request: HttpRequest, number: int) -> HttpResponse:
    return _propose(request, number, "user-enable", enabled=True)


@require_POST
def disable(request: HttpRequest, number: int) -> HttpResponse:
    return _propose(request, number, "user-enable", enabled=False)


@require_POST
def reset_password(request: HttpRequest, number: int) -> HttpResponse:
    return _propose(request, number, "user-password")


@require_POST
def remove_factors(request: HttpRequest, number: int) -> HttpResponse:
    return _propose(request, number, "user-factors")


@require_http_methods(["GET", "POST"])
def declare_compromised(request: HttpRequest, number: int) -> HttpResponse:
    """With the list of what the key signed, which tells how far back to go."""
    try:
        record = check_other(request, find_user(request, number))
        now = timezone.now()
        signed = signed_with(certificate_of(record), now, deps_of(request).records, deps_of(request).gate())
    except CertuaryError as problem:
        return problem_page(request, problem)
    typed = content_of(request, request.GET.get("token"), "user-compromised")
    form = CompromisedForm(request.POST or None, initial=typed or {"since": now.replace(microsecond=0)})
    if request.method == "POST" and form.is_valid():
        content = {"id": number, "since": form.cleaned_data["since"].isoformat()}
        return redirect(propose(request, "user-compromised", content))
    context = {
        "form": form,
        "title": f"Declare the signing key of {record.values['name']} compromised",
        "back_url": f"/users/{number}/",
        "signed": sorted(signed, key=lambda one: one.at, reverse=True),
    }
    return render(request, "portal/compromised.html", context)


def _propose(request: HttpRequest, number: int, kind: str, **content: object) -> HttpResponse:
    try:
        check_other(request, find_user(request, number))
    except CertuaryError as problem:
        return problem_page(request, problem)
    return redirect(propose(request, kind, {"id": number, **content}))


def _filtered(request: HttpRequest, found: tuple[Record, ...]) -> list[Record]:
    query = request.GET.get("q", "").strip().lower()
    role, wanted = request.GET.get("role", ""), request.GET.get("state", "")
    return sorted(
        (
            user
            for user in found
            if query in str(user.values["name"]).lower()
            and role in ("", user.values["role"])
            and (not wanted or (wanted == "enabled") == bool(user.values["enabled"]))
        ),
        key=lambda user: str(user.values["name"]),
    )


def _is_filtered(request: HttpRequest) -> bool:
    return any(request.GET.get(name) for name in ("q", "role", "state"))


def _chips(request: HttpRequest) -> tuple[Chip, ...]:
    said = {
        "q": f"name has {request.GET.get('q', '')}",
        "role": ROLE_NAMES.get(request.GET.get("role", ""), "unknown role"),
        "state": request.GET.get("state", ""),
    }
    return tuple(
        Chip(text=text, remove_url=without(request, name, "after"))
        for name, text in said.items()
        if request.GET.get(name)
    )


def _rows(request: HttpRequest, page: list[Record], *, is_whole: bool) -> tuple[Row, ...]:
    states, groups = SealStates(request), deps_of(request).records.all("group")
    factors = factors_by_user([number for user in page if isinstance(number := user.id, int)])
    signed_in = last_sign_ins([str(user.values["name"]) for user in page])
    rows = tuple(
        Row(
            cells=(
                Cell(text=str(user.values["name"]), url=f"/users/{user.id}/"),
                Cell(text=role_in_words(user.values["role"])),
                Cell(text=_groups(user, groups)),
                _state_cell(user),
                _factor_cell(factors.get(user.id)),  # type: ignore[arg-type]  # a user's number
                moment_cell(signed_in.get(str(user.values["name"]))),
                states.cell(user),
            ),
            is_broken=states.is_broken(user),
        )
        for user in page
    )
    sees_all = Scope.of(request).sees_everything
    gone = states.missing("user", columns=len(_COLUMNS)) if is_whole and sees_all else ()
    return (*rows, *gone)


def _state_cell(user: Record) -> Cell:
    if user.values["enabled"]:
        return Cell(text="enabled", html=state("good", "Enabled"))
    return Cell(text="disabled", html=state("quiet", "Disabled"))


def _factor_cell(factors: Factors | None) -> Cell:
    if factors is None or not factors.is_any:
        return Cell(text="none", html=state("attention", "None"))
    return Cell(text=factors.in_words)


def _groups(user: Record, groups: Sequence[Record]) -> str:
    numbers = group_ids_of(user)
    return "All" if sees_everything(str(user.values["role"]), numbers) else groups_in_words(groups, numbers)


def _as_it_is(request: HttpRequest, user: Record) -> dict[str, object]:
    codes = {group.id: str(group.values["code"]) for group in groups_seen(request)}
    return {
        "role": user.values["role"],
        "groups": [codes[number] for number in group_ids_of(user) if number in codes],
    }
