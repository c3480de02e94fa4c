"""Security switches: which kinds of change take two persons, and turning that on or off."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST, require_safe

from certuary.errors import CertuaryError
from certuary.portal.approving import rules_now
from certuary.portal.changes.switches import USERS_ARE_FREE
from certuary.portal.deps import deps_of
from certuary.portal.history import history
from certuary.portal.problem import problem_page
from certuary.portal.rows import SealStates
from certuary.portal.scope import Scope
from certuary.portal.signing import propose
from certuary.portal.tables import Cell, Column, Row, Table, table_response
from certuary.portal.templatetags.portal import state
from certuary.services.entitlement import CA_ADMINISTRATOR
from certuary.services.switch_rule import parse_rule
from certuary.services.two_persons import RULES, RuleState, switch_name

_COVERS = {
    "application": "register, edit, disable, enable, rotate, delete",
    "profile": "save a version, add or remove a label",
    "user": "add, change, disable, new password for somebody else; not one's own password",
    "group": "add, rename",
    "authority": "sign an authority's record as it stands",
    "revocation": "revoke a certificate",
}


@require_safe
def switches(request: HttpRequest) -> HttpResponse:
    try:
        rules = rules_now(request)
    except CertuaryError as problem:
        return problem_page(request, problem)
    may_switch = Scope.of(request).role == CA_ADMINISTRATOR and "format" not in request.GET
    columns = [
        Column(name="kind", title="Kind of change"),
        Column(name="covers", title="What it covers"),
        Column(name="persons", title="Takes"),
        Column(name="seal", title="Seal"),
    ]
    if may_switch:
        columns.append(Column(name="switch", title="Switch"))
    states = SealStates(request)
    table = Table(
        caption="Two persons, by kind of change",
        columns=columns,
        rows=[_row(request, rule, found, states, may_switch=may_switch) for rule, found in rules.items()],
    )
    is_open = any(found.is_on for found in rules.values()) and not rules["user"].is_on
    context = {
        "title": "Security switches",
        "warning": USERS_ARE_FREE if is_open else "",
        "history": history([f"switch:{switch_name(rule)}" for rule in RULES]),
    }
    return table_response(request, "portal/switches.html", table, context)


@require_POST
def set_switch(request: HttpRequest) -> HttpResponse:
    """Leads to Verify and Confirm, where it is signed."""
    try:
        rule = parse_rule(request.POST.get("rule", ""))
    except CertuaryError as problem:
        return problem_page(request, problem)
    enabled = request.POST.get("enabled") == "on"
    return redirect(propose(request, "switch-set", {"rule": rule, "enabled": enabled}))


def _row(request: HttpRequest, rule: str, found: RuleState, states: SealStates, *, may_switch: bool) -> Row:
    switch = deps_of(request).records.find("switch", name=switch_name(rule))
    cells = [
        Cell(text=RULES[rule]),
        Cell(text=_COVERS[rule]),
        _persons_cell(found),
        Cell(text="never switched") if switch is None else states.cell(switch),
    ]
    if may_switch:
        cells.append(Cell(text="", html=_button(request, rule, found)))
    return Row(cells=cells, is_broken=bool(found.problem))


def _persons_cell(found: RuleState) -> Cell:
    if found.problem:
        text = f"two persons: the switch cannot be believed: {found.problem}"
        return Cell(text=text, html=state("broken", text.capitalize()))
    if found.is_on:
        return Cell(text="two persons", html=state("good", "Two persons"))
    return Cell(text="one person", html=state("quiet", "One person"))


def _button(request: HttpRequest, rule: str, found: RuleState) -> SafeString:
    if found.problem:
        return format_html('<a href="{}">{}</a>', "/seals/", "What to do")
    return format_html(
        '<form method="post" action="/switches/set/">'
        '<input type="hidden" name="csrfmiddlewaretoken" value="{}"><input type="hidden" name="rule" value="{}">'
        '<button class="btn btn-sm" type="submit" name="enabled" value="{}">Take {}'
        '<span class="visually-hidden"> for {}</span></button></form>',
        get_token(request),
        rule,
        "off" if found.is_on else "on",
        "one person" if found.is_on else "two persons",
        RULES[rule],
    )
