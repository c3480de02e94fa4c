"""`certuary keystore`: the keys of this home, and the passphrase that opens them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from certuary.cli.home_lock import locked_home
from certuary.cli.invocation import Changing, Reading, invocation
from certuary.cli.output import emit, emit_items, note
from certuary.cli.session import open_change, open_settings
from certuary.errors import InvalidValue
from certuary.keystore.file import FileKeyStore
from certuary.keystore.move_passphrase import move_to_file, move_to_systemd_credential
from certuary.services.change_record import add_audit_event, require_ca_administrator

app = typer.Typer(
    help="The keys of this home, and the passphrase that opens them.",
    no_args_is_help=True,
    add_completion=False,
)


@app.command("list", cls=Reading)
def list_(context: typer.Context) -> None:
    """List the keys and secrets by name; what they are stays sealed."""
    settings = open_settings(invocation(context))
    names = FileKeyStore.from_role_keys(settings.keys_dir, {}).names()
    emit_items(invocation(context), [{"name": name, "role": role} for name, role in names], ("name", "role"))


@app.command(cls=Changing)
def passphrase(
    context: typer.Context,
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE", help="Keep it in this file; made up unless it is there."),
    ] = None,
    systemd_credential: Annotated[
        bool, typer.Option("--systemd-credential", help="Keep it as an encrypted systemd credential.")
    ] = False,
) -> None:
    """Change the passphrase and move it elsewhere, in one step that a crash cannot break."""
    if (to is None) != systemd_credential:
        raise InvalidValue("give either --to FILE or --systemd-credential", rule="passphrase")
    session = open_change(invocation(context))
    require_ca_administrator(session.actor, "changing the key store's passphrase", session.deps)
    directory = session.settings.keys_dir
    with locked_home(session.settings.home):
        moved = move_to_systemd_credential(directory) if to is None else move_to_file(directory, to)
    add_audit_event(
        session.actor, "keystore.passphrase", "keystore", {"source": str(moved.source)}, session.deps
    )
    emit(invocation(context), {"source": str(moved.source)}, f"the passphrase is now in {moved.source}")
    for text in moved.notes:
        note(text)
