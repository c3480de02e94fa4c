"""`certuary user`: people with a role."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from certuary.cli import prompts, user_identity
from certuary.cli.describe import describe_all, describe_one
from certuary.cli.invocation import Changing, Invocation, Reading, invocation
from certuary.cli.output import emit, emit_items, note
from certuary.cli.seal_column import with_seals
from certuary.cli.session import ChangeSession, open_change, open_keys, open_settings
from certuary.errors import InvalidValue
from certuary.services.entitlement import ROLES
from certuary.services.manage_user import (
    NewUser,
    UserSaved,
    add_user,
    declare_key_compromised,
    recover_user,
    set_user_enabled,
    set_user_password,
)
from certuary.services.names_and_times import parse_moment
from certuary.services.ports import RecordStore

app = typer.Typer(help="Users: people with a role.", no_args_is_help=True, add_completion=False)
app.add_typer(user_identity.app, name="identity")

Name = Annotated[str, typer.Argument(help="The user's name.")]
PasswordFile = Annotated[
    Path | None, typer.Option("--password-file", help="A file with the password; made up when not given.")
]


@app.command("list", cls=Reading)
def list_(context: typer.Context) -> None:
    """List the users."""
    items = with_seals(invocation(context), "user", describe_all)
    emit_items(invocation(context), items, ("name", "role", "groups", "enabled", "seal"))


@app.command(cls=Changing)
def add(
    context: typer.Context,
    name: Name,
    role: Annotated[str, typer.Option("--role", help=f"{', '.join(ROLES)}.")],
    group: Annotated[
        list[str] | None,
        typer.Option(
            "--group",
            help="A group's code, name or number. Repeatable; an auditor without any reads everything.",
        ),
    ] = None,
    password_file: PasswordFile = None,
) -> None:
    """Add a user. A generated password is printed once."""
    session = open_change(invocation(context))
    password = prompts.read_password_file(password_file) if password_file else None
    request = NewUser(name=name, role=role, groups=tuple(group or ()), password=password)
    saved = add_user(session.actor, request, session.passwords, session.deps)
    _show_saved(invocation(context), session, saved, "added")


@app.command(cls=Changing)
def disable(context: typer.Context, name: Name) -> None:
    """Take a user's right to change anything."""
    _set_enabled(invocation(context), name, enabled=False)


@app.command(cls=Changing)
def enable(context: typer.Context, name: Name) -> None:
    """Give a disabled user that right again."""
    _set_enabled(invocation(context), name, enabled=True)


@app.command(cls=Changing)
def passwd(context: typer.Context, name: Name, password_file: PasswordFile = None) -> None:
    """Give a user, such as yourself, a new password. On a terminal it is asked for; empty makes one up."""
    session = open_change(invocation(context))
    password = prompts.read_password_file(password_file) if password_file else _ask_twice()
    saved = set_user_password(session.actor, name, password, session.passwords, session.deps)
    _show_saved(invocation(context), session, saved, "gave a new password to")


@app.command(cls=Reading)
def recover(context: typer.Context, name: Name, password_file: PasswordFile = None) -> None:
    """Give a user a new password when nobody is left who can: takes the key store's passphrase, and no user."""
    settings = open_settings(invocation(context))
    opened = open_keys(settings)
    password = prompts.read_password_file(password_file) if password_file else _ask_twice()
    saved = recover_user(name, password, opened.passwords, opened.operator, opened.high_water, opened.deps)
    role = saved.record.values["role"]
    _show_password(invocation(context), opened.deps.records, saved, f"recovered, as {role},")


@app.command(cls=Changing)
def compromised(
    context: typer.Context,
    name: Name,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="MOMENT", help="What the key signed from then on is void. (default: now)"
        ),
    ] = None,
) -> None:
    """Declare a user's signing key compromised: void what it signed since, and list all that it signed."""
    session = open_change(invocation(context))
    now = session.deps.clock.now()
    moment = parse_moment(since, now) if since else now
    signed = declare_key_compromised(session.actor, name, moment, session.deps)
    items = [asdict(one) for one in signed]
    emit_items(invocation(context), items, ("kind", "name", "at", "is_void"))
    note(
        f"look at each, then sign it yourself: certuary seal show KIND NAME; give {name} a new password and key:"
    )
    note(f"certuary user passwd {name}")


def _ask_twice() -> str | None:
    if not prompts.can_ask():
        return None
    password = prompts.ask_password("New password (empty makes one up): ")
    if password and password != prompts.ask_password("Again: "):
        raise InvalidValue("the two differ", rule="password")
    return password or None


def _set_enabled(shared: Invocation, name: str, *, enabled: bool) -> None:
    session = open_change(shared)
    set_user_enabled(session.actor, name, enabled=enabled, deps=session.deps)
    emit(shared, {"name": name, "enabled": enabled}, f"{'enabled' if enabled else 'disabled'} {name}")


def _show_saved(shared: Invocation, session: ChangeSession, saved: UserSaved, verb: str) -> None:
    _show_password(shared, session.records, saved, verb)


def _show_password(shared: Invocation, records: RecordStore, saved: UserSaved, verb: str) -> None:
    password = saved.generated_password
    secret = {} if password is None else {"password": password}
    text = f"{verb} {saved.record.values['name']}"
    emit(
        shared,
        {**describe_one(records, saved.record), **secret},
        text if password is None else f"{text}\npassword  {password}",
    )
