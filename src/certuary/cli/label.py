"""`certuary label`: path segments that select a profile, as in /.well-known/est/LABEL/simpleenroll."""

from __future__ import annotations

from typing import Annotated

import typer

from certuary.cli.describe import describe_all, describe_one
from certuary.cli.invocation import Changing, Reading, invocation
from certuary.cli.output import emit, emit_items
from certuary.cli.seal_column import with_seals
from certuary.cli.session import open_change
from certuary.services.manage_group import add_label, remove_label

app = typer.Typer(
    help="Labels: path segments that select a profile.", no_args_is_help=True, add_completion=False
)

Name = Annotated[str, typer.Argument(help="The path segment.")]


@app.command("list", cls=Reading)
def list_(context: typer.Context) -> None:
    """List the labels."""
    items = with_seals(invocation(context), "label", describe_all)
    emit_items(invocation(context), items, ("name", "profile", "seal"))


@app.command(cls=Changing)
def add(
    context: typer.Context,
    name: Name,
    profile: Annotated[str, typer.Option("--profile", help="The profile it selects: name or number.")],
) -> None:
    """Add a label. Only applications that are given it may use it."""
    session = open_change(invocation(context))
    label = add_label(session.actor, name, profile, session.deps)
    emit(invocation(context), describe_one(session.records, label), f"added {name}, profile {profile}")


@app.command(cls=Changing)
def remove(context: typer.Context, name: Name) -> None:
    """Remove a label; its path answers 404 from then on."""
    session = open_change(invocation(context))
    remove_label(session.actor, name, session.deps)
    emit(invocation(context), {"removed": name}, f"removed {name}")
