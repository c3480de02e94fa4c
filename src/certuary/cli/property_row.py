"""`certuary property`: the rows of `api_properties`."""

from __future__ import annotations

from typing import Annotated

import typer

from certuary.cli.describe import describe_all, describe_one
from certuary.cli.invocation import Changing, Reading, invocation
from certuary.cli.output import emit, emit_items, warn
from certuary.cli.session import open_change, open_records
from certuary.services.set_property import ACTIVE, find_property, set_property, unset_property

app = typer.Typer(
    help="Properties, which switch EST on: rows of the table api_properties.",
    no_args_is_help=True,
    add_completion=False,
)

Key = Annotated[str, typer.Argument(metavar="KEY", help="Such as est.ca.server.user.profile.")]
_COLUMNS = ("property_key", "property_value", "status")


@app.command("list", cls=Reading)
def list_(context: typer.Context) -> None:
    """List the properties."""
    records = open_records(invocation(context))
    emit_items(invocation(context), describe_all(records, records.all("property")), _COLUMNS)


@app.command(cls=Reading)
def get(context: typer.Context, key: Key) -> None:
    """Print one property's value."""
    found = find_property(open_records(invocation(context)), key)
    emit(invocation(context), dict(found.values), str(found.values["property_value"]))


@app.command("set", cls=Changing)
def set_(
    context: typer.Context,
    key: Key,
    value: Annotated[str, typer.Argument(metavar="VALUE")],
    status: Annotated[str, typer.Option("--status", help="Active or Inactive.")] = ACTIVE,
) -> None:
    """Set a property. It takes effect within two seconds, everywhere."""
    session = open_change(invocation(context))
    saved = set_property(session.actor, key, value, status, session.deps)
    text = f"{key} = {value} ({saved.record.values['status']})"
    emit(invocation(context), describe_one(session.records, saved.record), text)
    warn(saved.warnings)


@app.command(cls=Changing)
def unset(context: typer.Context, key: Key) -> None:
    """Remove a property."""
    session = open_change(invocation(context))
    unset_property(session.actor, key, session.deps)
    emit(invocation(context), {"removed": key}, f"removed {key}")
