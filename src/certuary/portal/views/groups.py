"""Groups: list, add, rename, and what belongs to one."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from certuary.errors import CertuaryError
from certuary.portal.access import may_administer
from certuary.portal.deps import deps_of
from certuary.portal.forms.groups import GroupForm
from certuary.portal.history import history
from certuary.portal.people import find_group, group_ids_of, groups_seen, users_seen
from certuary.portal.problem import problem_page
from certuary.portal.role_words import role_in_words
from certuary.portal.rows import SealStates
from certuary.portal.scope import Scope
from certuary.portal.signing import content_of, propose
from certuary.portal.tables import Cell, Column, Row, Table, table_response
from certuary.services.entitlement import CA_ADMINISTRATOR


def groups(request: HttpRequest) -> HttpResponse:
    states = SealStates(request)
    rows = []
    for group in groups_seen(request):
        rows.append(
            Row(
                cells=(
                    Cell(text=str(group.values["code"]), url=f"/groups/{group.id}/"),
                    Cell(text=str(group.values["name"])),
                    states.cell(group),
                ),
                is_broken=states.is_broken(group),
            )
        )
    scope = Scope.of(request)
    adds = scope.role == CA_ADMINISTRATOR
    table = Table(
        caption="Groups",
        columns=(
            Column(name="code", title="Code"),
            Column(name="name", title="Name"),
            Column(name="seal", title="Seal"),
        ),
        rows=(*rows, *(states.missing("group", columns=3) if scope.sees_everything else ())),
        empty_text="Applications and users are gathered by groups: an administrator of a group sees what is in it.",
        empty_action=("New group", "/groups/new/") if adds else None,
    )
    context = {
        "title": "Groups",
        "lead": "What applications and users are gathered by.",
        "actions": [("New group", "/groups/new/")] if adds else [],
    }
    return table_response(request, "portal/list.html", table, context)


def new_group(request: HttpRequest) -> HttpResponse:
    typed = content_of(request, request.GET.get("token"), "group-new")
    form = GroupForm(request.POST or None, initial=typed)
    if request.method == "POST" and form.is_valid():
        return redirect(propose(request, "group-new", form.cleaned_data))
    return render(request, "portal/form.html", {"form": form, "title": "New group", "back_url": "/groups/"})


def group(request: HttpRequest, number: int) -> HttpResponse:
    try:
        record = find_group(request, number)
    except CertuaryError as problem:
        return problem_page(request, problem)
    states = SealStates(request)
    applications = deps_of(request).records.all("application")
    members = [(user, role_in_words(user.values["role"])) for user in users_seen(request)]
    context = {
        "group": record.values,
        "number": record.id,
        "seal": states.cell(record),
        "problem": states.problem(record),
        "applications": [one for one in applications if one.values["group_id"] == record.id],
        "members": [(user, role) for user, role in members if record.id in group_ids_of(user)],
        "may_change": may_administer(request),
        "history": history([f"group:{record.values['code']}"]),
    }
    return render(request, "portal/group.html", context)


@require_http_methods(["GET", "POST"])
def rename(request: HttpRequest, number: int) -> HttpResponse:
    try:
        record = find_group(request, number)
    except CertuaryError as problem:
        return problem_page(request, problem)
    typed = content_of(request, request.GET.get("token"), "group-rename") or {"name": record.values["name"]}
    form = GroupForm(request.POST or None, initial=typed)
    form.fields["name"].help_text = f"What people call it. Its code, {record.values['code']}, stays."
    if request.method == "POST" and form.is_valid():
        return redirect(propose(request, "group-rename", {"id": number, **form.cleaned_data}))
    context = {"form": form, "title": f"Rename {record.values['code']}", "back_url": f"/groups/{number}/"}
    return render(request, "portal/form.html", context)
