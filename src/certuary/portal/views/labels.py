"""Labels: list, add, remove."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_http_methods, require_POST

from certuary.portal.access import may_administer
from certuary.portal.columns import texts
from certuary.portal.deps import deps_of
from certuary.portal.forms.labels import LabelForm
from certuary.portal.rows import SealStates
from certuary.portal.scope import visible_applications
from certuary.portal.signing import content_of, propose
from certuary.portal.tables import Cell, Column, Row, Table, table_response
from certuary.portal.templatetags.portal import copy_button, state
from certuary.services.ports import Record


def labels(request: HttpRequest) -> HttpResponse:
    deps, states = deps_of(request), SealStates(request)
    profiles: dict[object, Record] = {record.id: record for record in deps.records.all("profile")}
    applications = visible_applications(request)
    may_change = may_administer(request)
    has_buttons = may_change and "format" not in request.GET
    columns = [
        Column(name="name", title="Label"),
        Column(name="url", title="Clients enrol at"),
        Column(name="profile", title="Profile"),
        Column(name="applications", title="Applications that may use it"),
        Column(name="seal", title="Seal"),
    ]
    rows = []
    for label in deps.records.all("label"):
        name = str(label.values["name"])
        url = f"{deps.est_url}/{name}/simpleenroll"
        cells = [
            Cell(text=name),
            Cell(
                text=url, html=format_html('<span class="mono">{}</span>{}', url, copy_button(url, "the URL"))
            ),
            _profile_cell(profiles.get(label.values["profile_id"])),
            Cell(text=_names(name, applications)),
            states.cell(label),
        ]
        if has_buttons:
            cells.append(Cell(text="", html=_remove_button(request, label)))
        rows.append(Row(cells=cells, is_broken=states.is_broken(label)))
    if has_buttons:
        columns.append(Column(name="remove", title="Remove"))
    table = Table(
        caption="Labels",
        columns=columns,
        rows=(*rows, *states.missing("label", columns=len(columns))),
        empty_title="No labels yet",
        empty_text="A label is a segment of the path that selects a profile: one server, several kinds of certificate.",
        empty_action=("New label", "/labels/new/") if may_change else None,
    )
    context = {
        "title": "Labels",
        "lead": "Segments of the path that select a profile.",
        "actions": [("New label", "/labels/new/")] if may_change else [],
    }
    return table_response(request, "portal/list.html", table, context)


def _profile_cell(profile: Record | None) -> Cell:
    if profile is None:
        return Cell(text="gone", html=state("broken", "Gone"))
    return Cell(text=str(profile.values["name"]), url=f"/profiles/{profile.id}/")


def _remove_button(request: HttpRequest, label: Record) -> SafeString:
    return format_html(
        '<form method="post" action="/labels/{}/remove/">'
        '<input type="hidden" name="csrfmiddlewaretoken" value="{}">'
        '<button class="btn btn-sm" type="submit">Remove<span class="visually-hidden"> {}</span></button></form>',
        label.id,
        get_token(request),
        label.values["name"],
    )


def _names(label: str, applications: tuple[Record, ...]) -> str:
    names = [str(each.values["name"]) for each in applications if label in texts(each.values["labels"])]
    more = len(names) - 5
    return (", ".join(names[:5]) or "none") + (f" and {more:,} more" if more > 0 else "")


@require_http_methods(["GET", "POST"])
def new_label(request: HttpRequest) -> HttpResponse:
    records = deps_of(request).records
    names = [str(record.values["name"]) for record in records.all("profile")]
    typed = content_of(request, request.GET.get("token"), "label-new")
    given = typed or {"profile": request.GET.get("profile", "")}
    form = LabelForm(request.POST or None, initial=given, profiles=names)
    if request.method == "POST" and form.is_valid():
        if records.find("label", name=form.cleaned_data["name"]) is None:
            return redirect(propose(request, "label-new", form.cleaned_data))
        form.add_error("name", "there is a label of this name already")
    context = {
        "form": form,
        "title": "New label",
        "lead": "It becomes part of the URL, before the operation.",
        "back_url": "/labels/",
    }
    return render(request, "portal/form.html", context)


@require_POST
def remove_label(request: HttpRequest, label_id: int) -> HttpResponse:
    """Leads to Verify and Confirm, where it is signed."""
    record = deps_of(request).records.find("label", id=label_id)
    if record is None:
        raise Http404("there is no such label")
    return redirect(propose(request, "label-remove", {"name": record.values["name"]}))
