"""`certuary user`: people with a role."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from certuary.cli import prompts
from certuary.cli.describe import describe_all, describe_one
from certuary.cli.invocation import Changing, Invocation, Reading, invocation
from certuary.cli.output import emit, emit_items
from certuary.cli.session import ChangeSession, open_change, open_records
from certuary.errors import InvalidValue
from certuary.services.entitlement import ROLES
from certuary.services.manage_user import (
    NewUser,
    UserSaved,
    add_user,
    set_user_enabled,
    set_user_password,
)

app = typer.Typer(help="Users: people with a role.", no_args_is_help=True, add_completion=False)

Name = Annotated[str, typer.Argument(help="The user's name.")]
PasswordFile = Annotated[
    Path | None, typer.Option("--password-file", help="A file with the password; made up when not given.")
]


@app.command("list", cls=Reading)
def list_(context: typer.Context) -> None:
    """List the users."""
    emit_items(
        invocation(context),
        describe_all(open_records(invocation(context)), "user"),
        ("name", "role", "groups", "enabled"),
    )


@app.command(cls=Changing)
def add(
    context: typer.Context,
    name: Name,
    role: Annotated[str, typer.Option("--role", help=f"{', '.join(ROLES)}.")],
    group: Annotated[
        list[str] | None, typer.Option("--group", help="A group's code, name or number. Repeatable.")
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
    password = saved.generated_password
    secret = {} if password is None else {"password": password}
    text = f"{verb} {saved.record.values['name']}"
    emit(
        shared,
        {**describe_one(session.records, saved.record), **secret},
        text if password is None else f"{text}\npassword  {password}",
    )
