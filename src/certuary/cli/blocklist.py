"""`certuary blocklist`: public keys that are known to be compromised."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from certuary.cli.home_lock import locked_home
from certuary.cli.invocation import Changing, invocation
from certuary.cli.output import emit
from certuary.cli.session import open_change
from certuary.services.change_record import add_audit_event, require_ca_administrator
from certuary.services.import_blocklist import import_blocklist

app = typer.Typer(
    help="Public keys that are known to be compromised.", no_args_is_help=True, add_completion=False
)


@app.callback()
def blocklist() -> None:
    """Public keys that are known to be compromised."""


@app.command("import", cls=Changing)
def import_(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="badkeys' blocklist.dat, or lines of SHA-256 of public keys."),
    ],
) -> None:
    """Add keys to the list of those that no certificate is made for."""
    session = open_change(invocation(context))
    require_ca_administrator(session.actor, "importing a blocklist", session.deps)
    with locked_home(session.settings.home):
        imported = import_blocklist(session.settings.home, file)
    counts = {"added": imported.added, "total": imported.total}
    add_audit_event(session.actor, "blocklist.imported", "blocklist", counts, session.deps)
    emit(invocation(context), counts, f"{imported.added} keys added, {imported.total} in all")
