"""Groups: list and add."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from certuary.portal.deps import deps_of
from certuary.portal.forms.groups import GroupForm
from certuary.portal.rows import SealStates
from certuary.portal.signing import content_of, propose
from certuary.portal.tables import Cell, Column, Row, Table, table_response


def groups(request: HttpRequest) -> HttpResponse:
    records = deps_of(request).records
    states = SealStates(request)
    rows = []
    for group in records.all("group"):
        rows.append(
            Row(
                cells=(
                    Cell(text=str(group.values["code"])),
                    Cell(text=str(group.values["name"])),
                    states.cell(group),
                ),
                is_broken=states.is_broken(group),
            )
        )
    table = Table(
        caption="Groups",
        columns=(
            Column(name="code", title="Code"),
            Column(name="name", title="Name"),
            Column(name="seal", title="Seal"),
        ),
        rows=(*rows, *states.missing("group", columns=3)),
        empty_text="Applications and users are gathered by groups: an administrator of a group sees what is in it.",
        empty_action=("New group", "/groups/new/"),
    )
    context = {
        "title": "Groups",
        "lead": "What applications and users are gathered by.",
        "actions": [("New group", "/groups/new/")],
    }
    return table_response(request, "portal/list.html", table, context)


def new_group(request: HttpRequest) -> HttpResponse:
    typed = content_of(request, request.GET.get("token"), "group-new")
    form = GroupForm(request.POST or None, initial=typed)
    if request.method == "POST" and form.is_valid():
        return redirect(propose(request, "group-new", form.cleaned_data))
    return render(request, "portal/form.html", {"form": form, "title": "New group", "back_url": "/groups/"})
