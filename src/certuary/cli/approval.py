"""`certuary approval`: changes that wait for a second person.

Approving is done where the change is shown as its first person saw it: in the portal, or over the REST API.
"""

from __future__ import annotations

import json
from typing import Annotated

import typer

from certuary.cli.invocation import Changing, Reading, invocation
from certuary.cli.output import emit, emit_item, emit_items
from certuary.cli.seal_column import SealColumn
from certuary.cli.session import open_change, open_gate, open_records, open_settings
from certuary.services.approvals import reject_approval, withdraw_approval
from certuary.services.find_record import find_named
from certuary.services.ports import Record
from certuary.services.two_persons import RULES, digest_of, rule_states

app = typer.Typer(
    help="Changes that wait for a second person, who approves them in the portal or over the API.",
    no_args_is_help=True,
    add_completion=False,
)

_COLUMNS = ("name", "title", "kind", "requester", "expires_at", "state", "decided_by", "seal")

Name = Annotated[str, typer.Argument(help="The request's name, such as APR-1f0c2a9b.")]


@app.command("list", cls=Reading)
def list_(
    context: typer.Context,
    decided: Annotated[bool, typer.Option("--decided", help="Those that somebody decided, instead.")] = False,
) -> None:
    """List what waits for a second person."""
    records = open_records(invocation(context))
    seals = SealColumn(invocation(context), records)
    found = records.retired("approval") if decided else records.all("approval")
    items = [{**_described(one), "seal": "kept" if decided else seals.of(one)} for one in found]
    emit_items(invocation(context), items, _COLUMNS)


@app.command(cls=Reading)
def show(context: typer.Context, name: Name) -> None:
    """Show one, with what its first person signed."""
    records = open_records(invocation(context))
    decided = (one for one in records.retired("approval") if one.values["name"] == name)
    record = next(decided, None) or find_named(records, "approval", name)
    emit_item(invocation(context), {**_described(record), "shown": _shown(record)})


@app.command(cls=Changing)
def reject(
    context: typer.Context,
    name: Name,
    reason: Annotated[str, typer.Option("--reason", help="Whoever asked for it reads this.")],
) -> None:
    """Refuse a change that somebody else asked for."""
    session = open_change(invocation(context))
    reject_approval(session.actor, find_named(session.records, "approval", name), reason, session.deps)
    emit(invocation(context), {"rejected": name}, f"rejected {name}")


@app.command(cls=Changing)
def withdraw(context: typer.Context, name: Name) -> None:
    """Take back what you asked for."""
    session = open_change(invocation(context))
    withdraw_approval(session.actor, find_named(session.records, "approval", name), session.deps)
    emit(invocation(context), {"withdrawn": name}, f"withdrew {name}")


@app.command(cls=Reading)
def rules(context: typer.Context) -> None:
    """Which kinds of change take two persons. That is switched in the portal."""
    records = open_records(invocation(context))
    states = rule_states(records, open_gate(open_settings(invocation(context)), records))
    items = [
        {
            "kind": rule,
            "title": RULES[rule],
            "persons": 2 if found.is_on else 1,
            "problem": found.problem,
        }
        for rule, found in states.items()
    ]
    emit_items(invocation(context), items, ("kind", "title", "persons", "problem"))


def _described(record: Record) -> dict[str, object]:
    hidden = ("content", "shown", "request_seal", "requester_id", "group_ids")
    return {
        **{key: value for key, value in record.values.items() if key not in hidden},
        "digest": digest_of(record),
    }


def _shown(record: Record) -> object:
    try:
        return json.loads(str(record.values["shown"]))
    except ValueError:
        return record.values["shown"]
