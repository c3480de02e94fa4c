"""`certuary group`: what applications and users are gathered by."""

from __future__ import annotations

from typing import Annotated

import typer

from certuary.cli.describe import describe_all, describe_one
from certuary.cli.invocation import Changing, Reading, invocation
from certuary.cli.output import emit, emit_items
from certuary.cli.seal_column import with_seals
from certuary.cli.session import open_change
from certuary.services.manage_group import add_group

app = typer.Typer(
    help="Groups: what applications and users are gathered by.", no_args_is_help=True, add_completion=False
)


@app.command("list", cls=Reading)
def list_(context: typer.Context) -> None:
    """List the groups."""
    items = with_seals(invocation(context), "group", describe_all)
    emit_items(invocation(context), items, ("code", "name", "id", "seal"))


@app.command(cls=Changing)
def add(context: typer.Context, name: Annotated[str, typer.Argument(help="The new group's name.")]) -> None:
    """Add a group; it gets the next free code, such as GRP_002."""
    session = open_change(invocation(context))
    group = add_group(session.actor, name, session.deps)
    emit(invocation(context), describe_one(session.records, group), f"added {group.values['code']} {name}")
